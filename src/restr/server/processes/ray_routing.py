"""The choice of a replica for a request under Ray Serve. A separate module, as Serve's proxies load only it of restr."""

from __future__ import annotations

import random

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class LessBusyOfTwo(FIFOMixin, RequestRouter):
    """Picks two replicas at random, on any machine, and takes the less busy one.

    Serve's default router prefers replicas on the proxy's machine until they are full, while the others stand idle.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Two of the candidates; Serve asks both how busy they are."""
        return [random.sample(candidate_replicas, min(2, len(candidate_replicas)))] if candidate_replicas else []
