"""Encoded images that clients come back to, under names that nobody can guess."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from restr.inference.cache import size_of
from restr.server.engine import Encoded
from restr.server.metrics import Metrics
from restr.server.problems import Problem, shown


@dataclass(kw_only=True, eq=False)
class Kept:
    """An image under an id. used: when last, on the store's clock."""

    encoded: Encoded
    model: str
    used: float

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.encoded.image.pixels.nbytes + size_of(self.encoded.image.features)


class ImageStore:
    """At most ``most`` bytes of encoded images, each until ``seconds`` after its last use; safe among threads."""

    def __init__(
        self, metrics: Metrics, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most, self.seconds, self.metrics, self._clock = most, seconds, metrics, clock
        self.held = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, encoded: Encoded, model: str, name: str | None = None) -> str:
        """Keep an image; its id, a new one unless it has one. Raises ``Problem`` for one that is larger than everything that
        may be kept."""
        kept = Kept(encoded=encoded, model=model, used=self._clock())
        if kept.size > self.most:
            raise Problem(
                "image-too-large",
                f"the encoded image takes {kept.size:,} bytes; at most {self.most:,} are kept in all: send a smaller one",
            )
        name = name or secrets.token_urlsafe(24)
        with self._lock:
            if name in self._kept:  # two questions at once had it encoded here
                self.held -= self._kept.pop(name).size
            self._kept[name] = kept
            self.held += kept.size
            self._trim()
        return name

    def get(self, name: str) -> Kept:
        """The image, which is from now on the most recently used. Raises ``Problem``."""
        kept = self.find(name)
        if kept is None:
            raise unknown(name)
        return kept

    def find(self, name: str) -> Kept | None:
        """As ``get``, but None where it is not here."""
        with self._lock:
            self._trim()
            kept = self._kept.get(name)
            if kept is not None:
                self._kept.move_to_end(name)
                kept.used = self._clock()
            return kept

    def refresh(self, name: str, encoded: Encoded) -> None:
        """Take a reloaded model's encoding of a kept image, if that is still kept."""
        with self._lock:
            if name in self._kept:
                self.held -= self._kept[name].size
                self._kept[name].encoded = encoded
                self.held += self._kept[name].size
                self._trim()

    def remove(self, name: str) -> bool:
        """Forget an image; whether there was one."""
        with self._lock:
            self._trim()
            kept = self._kept.pop(name, None)
            self.held -= kept.size if kept else 0
            self._report()
            return kept is not None

    def names(self) -> list[str]:
        """The ids of the images that are here."""
        with self._lock:
            return list(self._kept)

    def trim(self) -> None:
        """Give up what has expired."""
        with self._lock:
            self._trim()

    def _trim(self) -> None:
        expired = self._clock() - self.seconds
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if self.held <= self.most and oldest.used >= expired:
                break
            self.held -= self._kept.popitem(last=False)[1].size
        self._report()

    def _report(self) -> None:
        self.metrics.kept.set(len(self._kept))
        self.metrics.kept_bytes.set(self.held)


def unknown(name: str) -> Problem:
    """What a question about an image that is not kept, or no longer, is answered."""
    return Problem(
        "unknown-image", f"no image is kept under {shown(name)}; it may have expired: send it again to POST /v1/images"
    )
