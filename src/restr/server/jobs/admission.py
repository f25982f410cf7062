"""Bounds the work in progress, and with it memory and waiting times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from restr.server.metrics import Metrics
from restr.server.problems import Problem


class Admission:
    """Counts the requests in progress or waiting, and the pixels of their masks; safe among threads.

    requests, pixels: the most of each. A request beyond them is refused at once.
    """

    def __init__(self, metrics: Metrics, *, requests: int, pixels: int) -> None:
        self.most_requests, self.most_pixels, self.metrics = requests, pixels, metrics
        self.requests = self.pixels = 0
        self._lock = threading.Lock()

    @contextmanager
    def enter(self, pixels: int) -> Iterator[None]:
        """Hold a place while a request is in progress. pixels: of all its masks. Raises ``Problem`` if there is no room."""
        if pixels > self.most_pixels:
            raise Problem(
                "too-much-at-once",
                f"the masks asked for have {pixels:,} pixels together; at most {self.most_pixels:,} are made at once: ask "
                "for fewer expressions in a request, or send a smaller image",
            )
        with self._lock:
            if self.requests >= self.most_requests or self.pixels + pixels > self.most_pixels:
                raise Problem(
                    "queue-full", f"{self.requests} requests are being worked on; ask again in a second", retry_after=1
                )
            self.requests += 1
            self.pixels += pixels
            self.metrics.admitted.set(self.requests)
        try:
            yield
        finally:
            with self._lock:
                self.requests -= 1
                self.pixels -= pixels
                self.metrics.admitted.set(self.requests)
