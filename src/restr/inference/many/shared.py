"""What threads share while they segment many pictures: the model, and the memory of encoded images."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from restr.inference.backends.base import AttentionOutput, Backend, Segmentation
from restr.inference.cache import FeatureCache
from restr.preprocess import Framing


class Stopped(Exception):
    """The work is no longer wanted."""


class SharedBackend(Backend):
    """A backend that at most ``workers`` threads use at once; the others wait, or read and write meanwhile.

    Every call raises ``Stopped`` once ``stopped`` is set.
    """

    def __init__(self, backend: Backend, workers: int, stopped: threading.Event) -> None:
        self._backend, self._room, self._stopped = backend, threading.BoundedSemaphore(workers), stopped
        self.name, self.precision, self.device = backend.name, backend.precision, backend.device
        self.config, self.can_explain, self.concurrent = backend.config, backend.can_explain, backend.concurrent

    def enter(self) -> None:
        """As ``Backend.enter``."""
        self._check()
        self._backend.enter()

    def encode_image(self, image: np.ndarray) -> Any:
        """As ``Backend.encode_image``."""
        with self._room:
            self._check()
            return self._backend.encode_image(image)

    def encode_images(self, images: np.ndarray) -> list[Any]:
        """As ``Backend.encode_images``."""
        with self._room:
            self._check()
            return self._backend.encode_images(images)

    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """As ``Backend.segment``."""
        with self._room:
            self._check()
            return self._backend.segment(features, ids)

    def segment_with_attention(self, features: Any, ids: np.ndarray) -> AttentionOutput:
        """As ``Backend.segment_with_attention``."""
        with self._room:
            self._check()
            return self._backend.segment_with_attention(features, ids)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped


class SharedCache(FeatureCache):
    """A ``FeatureCache`` for several threads: while one encodes a picture, the others with the same picture wait for it.

    A thread that found nothing must ``keep_features``, or ``give_up``.
    """

    def __init__(self, cache: FeatureCache) -> None:
        super().__init__(cache.most)
        self._cache = cache
        self._makers: dict[bytes, int] = {}  # key -> the thread that encodes it
        self._news = threading.Condition()

    def key(self, pixels: np.ndarray, framing: Framing) -> bytes:
        """As ``FeatureCache.key``."""
        return self._cache.key(pixels, framing)

    def find(self, key: bytes) -> Any | None:
        """As ``FeatureCache.find``; waits if another thread is encoding the picture."""
        if not key:  # nothing is kept
            return None
        with self._news:
            self._news.wait_for(lambda: key not in self._makers)
            found = self._cache.find(key)
            if found is None:
                self._makers[key] = threading.get_ident()
            return found

    def keep_features(self, key: bytes, features: Any) -> None:
        """As ``FeatureCache.keep_features``."""
        if key:
            self._cache.keep_features(key, features)
            self.give_up()

    def give_up(self) -> None:
        """The calling thread encodes nothing any more, whether it has kept it or not."""
        with self._news:
            thread = threading.get_ident()
            self._makers = {key: maker for key, maker in self._makers.items() if maker != thread}
            self._news.notify_all()
