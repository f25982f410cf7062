"""Encoded images that clients come back to, under names that nobody can guess."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from restr.bounded import Bounded
from restr.inference.cache import feature_bytes
from restr.server.metrics import Metrics
from restr.server.problems import Problem, shown
from restr.server.work.engine import EncodedImages


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """An image under an id."""

    encoded: EncodedImages
    model: str

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.encoded.image.pixels.nbytes + feature_bytes(self.encoded.image.features)


class ImageStore(Bounded[str, Kept]):
    """At most ``most`` bytes of encoded images, each until ``seconds`` after its last use; safe among threads."""

    def __init__(
        self, metrics: Metrics, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(most=most, seconds=seconds, clock=clock)
        self.metrics = metrics

    def put(self, encoded: EncodedImages, model: str, name: str | None = None) -> str:
        """Keep an image; its id, a new one unless it has one. Raises ``Problem`` for one that is larger than everything that
        may be kept."""
        kept = Kept(encoded=encoded, model=model)
        if kept.size > self.most:
            raise Problem(
                "image-too-large",
                f"the encoded image takes {kept.size:,} bytes; at most {self.most:,} are kept in all: send a smaller one",
            )
        name = name or secrets.token_urlsafe(24)
        self.keep(name, kept, kept.size)
        return name

    def get(self, name: str) -> Kept:
        """The image, which is from now on the most recently used. Raises ``Problem``."""
        kept = self.find(name)
        if kept is None:
            raise unknown(name)
        return kept

    def refresh(self, name: str, encoded: EncodedImages) -> None:
        """Take a reloaded model's encoding of a kept image, if that is still kept."""
        with self._lock:
            kept = self.find(name)
            if kept is not None:
                kept = replace(kept, encoded=encoded)
                self.keep(name, kept, kept.size)

    def remove(self, name: str) -> bool:
        """Forget an image; whether there was one."""
        return self.drop(name) is not None

    def names(self) -> list[str]:
        """The ids of the images that are here."""
        with self._lock:
            return list(self._kept)

    def _changed(self) -> None:
        self.metrics.kept.set(len(self))
        self.metrics.kept_bytes.set(self.held)


def unknown(name: str) -> Problem:
    """What a question about an image that is not kept, or no longer, is answered."""
    return Problem(
        "unknown-image", f"no image is kept under {shown(name)}; it may have expired: send it again to POST /v1/images"
    )
