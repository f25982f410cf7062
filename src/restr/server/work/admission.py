"""How much work is in the house, and no more: the bound that keeps memory and waiting times in hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from restr.server.metrics import Metrics
from restr.server.problems import Problem


class Admission:
    """Requests that are worked on or wait, and the pixels of their masks; safe to share among threads.

    requests, pixels: the most of each. What was let in is answered; what cannot be let in is told so at once.
    """

    def __init__(self, metrics: Metrics, *, requests: int, pixels: int) -> None:
        self.most_requests, self.most_pixels, self.metrics = requests, pixels, metrics
        self.requests = self.pixels = 0
        self._lock = threading.Lock()

    @contextmanager
    def enter(self, pixels: int) -> Iterator[None]:
        """Hold a place while a request is worked on. pixels: of all its masks. Raises ``Problem``."""
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
