"""Which replica gets a request under Ray Serve; alone in its module, as the proxies load it and need nothing else of restr."""

from __future__ import annotations

import random

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica


class Evenly(FIFOMixin, RequestRouter):
    """Of two replicas by chance the one with less to do, on whichever machine.

    Serve's own choice prefers the proxy's machine until its replicas take no more, and the others stand idle that long.
    """

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Two of the candidates; Serve asks both how much they have to do."""
        return [random.sample(candidate_replicas, min(2, len(candidate_replicas)))] if candidate_replicas else []
