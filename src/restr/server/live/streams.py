"""The live streams of a server: who may open one, how many there are, and how long an idle one is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from restr.server.http.security import ApiKeys, RateLimit
from restr.server.jobs.service import Service
from restr.server.live.camera import LiveStart
from restr.server.metrics import Metrics
from restr.server.problems import Problem
from restr.server.settings import ServerSettings

LIVE_MESSAGE_BYTES = 2**21  # of a message; a picture of 1920 x 1080 as JPEG has half a million


class LiveStreams:
    """Opens streams within the server's limits."""

    def __init__(
        self,
        settings: ServerSettings,
        service: Service,
        metrics: Metrics,
        keys: ApiKeys,
        rate: RateLimit,
        start: LiveStart,
    ) -> None:
        self.settings, self.service, self.metrics = settings, service, metrics
        self.keys, self.rate, self.start = keys, rate, start
        self.open = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold one of the places. Raises ``Problem`` if all are taken."""
        if self.open >= self.settings.live:
            raise Problem(
                "too-many-streams",
                f"{self.open} live streams are open, as many as this server takes (--live); close one, or try again later",
                retry_after=5,
            )
        self.open += 1
        self.metrics.live_streams.set(self.open)
        try:
            yield
        finally:
            self.open -= 1
            self.metrics.live_streams.set(self.open)
