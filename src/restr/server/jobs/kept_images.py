"""Images that clients ask about again, under names that nobody can guess."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from restr.bounded import Bounded
from restr.inference.cache import feature_bytes
from restr.server.files.store import FileStore, StoredFile
from restr.server.jobs.deadline import Deadline
from restr.server.jobs.engine import BoundImage
from restr.server.jobs.helpers import Helpers
from restr.server.metrics import Metrics
from restr.server.problems import Problem, quoted

_logger = logging.getLogger("restr.server")


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredImage:
    """An encoded image, and the name of the model that encoded it."""

    encoded: BoundImage
    model: str

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self.encoded.image.pixels.nbytes + feature_bytes(self.encoded.image.features)


class ImageStore(Bounded[str, StoredImage]):
    """At most ``most`` bytes of encoded images, each until ``seconds`` after its last use; safe among threads."""

    def __init__(
        self, metrics: Metrics, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(most=most, seconds=seconds, clock=clock)
        self.metrics = metrics

    def put(self, encoded: BoundImage, model: str, name: str | None = None) -> str:
        """Keep an image; returns its name, a new one by default. Raises ``Problem`` if it alone is larger than the bound."""
        image = StoredImage(encoded=encoded, model=model)
        if image.size > self.most:
            raise Problem(
                "image-too-large",
                f"the encoded image takes {image.size:,} bytes; at most {self.most:,} are kept in all: send a smaller one",
            )
        name = name or secrets.token_urlsafe(24)
        self.keep(name, image, image.size)
        return name

    def get(self, name: str) -> StoredImage:
        """The image; counts as a use. Raises ``Problem`` if it is not here."""
        image = self.find(name)
        if image is None:
            raise _unknown(name)
        return image

    def refresh(self, name: str, encoded: BoundImage) -> None:
        """Replace the encoding of an image, if it is still here."""
        with self._lock:
            image = self.find(name)
            if image is not None:
                image = replace(image, encoded=encoded)
                self.keep(name, image, image.size)

    def remove(self, name: str) -> bool:
        """Forget an image; returns whether it was here."""
        return self.drop(name) is not None

    def names(self) -> list[str]:
        """The names of all images that are here."""
        with self._lock:
            return list(self._kept)

    def _changed(self) -> None:
        self.metrics.kept.set(len(self))
        self.metrics.kept_bytes.set(self.held)


class KeptImages:
    """The kept images of a server with one process: encoded, only in memory."""

    shared = False

    def __init__(self, memory: ImageStore) -> None:
        self.memory = memory

    async def add(self, deadline: Deadline, encoded: BoundImage, file: StoredFile) -> str:
        """Keep an image; returns its new name. Raises ``Problem`` if there is no room."""
        return self.memory.put(encoded, file.model)

    async def find(self, deadline: Deadline, name: str) -> StoredImage | None:
        """An image; None if only another process has encoded it. Raises ``Problem`` if no process knows it."""
        return self.memory.get(name)

    async def file(self, deadline: Deadline, name: str) -> StoredFile:
        """The file of an image, to encode it here too. Raises ``Problem`` if it is gone."""
        raise _unknown(name)

    def forget(self, name: str) -> None:
        """Forget an image. Other processes drop their encodings with their next ``tidy``. Raises ``Problem``."""
        if not self.memory.remove(name):
            raise _unknown(name)

    def tidy(self) -> None:
        """Evict expired images, and images that another process was told to forget."""
        self.memory.trim()


class SharedImages(KeptImages):
    """The kept images of several processes: their files decide what exists, and each process encodes what it is asked for."""

    shared = True

    def __init__(self, memory: ImageStore, files: FileStore, helpers: Helpers) -> None:
        super().__init__(memory)
        self.files, self._helpers = files, helpers

    async def add(self, deadline: Deadline, encoded: BoundImage, file: StoredFile) -> str:
        """As ``KeptImages.add``."""
        name = self.memory.put(encoded, file.model)
        try:
            await self._helpers.run(deadline, self.files.put, name, file)
        except OSError as error:  # a full disk
            self.memory.remove(name)
            _logger.error("the folder of kept images cannot be written: %s", error)
            raise Problem(
                "overloaded",
                "there is no room to keep an image; ask about it with /v1/segment, or later",
                retry_after=30,
            ) from error
        return name

    async def find(self, deadline: Deadline, name: str) -> StoredImage | None:
        """As ``KeptImages.find``."""
        if not await self._helpers.run(deadline, self.files.touch, name):
            self.memory.remove(name)
            raise _unknown(name)
        return self.memory.find(name)

    async def file(self, deadline: Deadline, name: str) -> StoredFile:
        """As ``KeptImages.file``."""
        file = await self._helpers.run(deadline, self.files.get, name)
        if file is None:
            raise _unknown(name)
        return file

    def forget(self, name: str) -> None:
        """As ``KeptImages.forget``."""
        self.memory.remove(name)
        if not self.files.remove(name):
            raise _unknown(name)

    def tidy(self) -> None:
        """As ``KeptImages.tidy``."""
        self.memory.trim()
        self.files.trim()
        for name in self.memory.names():
            if not self.files.holds(name):
                self.memory.remove(name)


def _unknown(name: str) -> Problem:
    return Problem(
        "unknown-image", f"no image is kept under {quoted(name)}; it may have expired: send it again to POST /v1/images"
    )
