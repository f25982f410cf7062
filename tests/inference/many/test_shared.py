"""Several threads on one cache of encoded images: one picture is encoded once, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

import numpy as np

from restr.inference.cache import FeatureCache
from restr.inference.many.shared import SharedCache

FEATURES = np.zeros(100, np.float32)


def together(count: int, work) -> None:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_others_wait_for_the_thread_that_encodes() -> None:
    cache, made = SharedCache(FeatureCache(10_000)), []

    def encode() -> None:
        if cache.find(b"picture") is None:
            made.append(1)
            time.sleep(0.02)
            cache.keep_features(b"picture", FEATURES)

    together(4, encode)
    assert len(made) == 1


def test_a_thread_that_fails_lets_the_next_one_try() -> None:
    cache, tried = SharedCache(FeatureCache(10_000)), []

    def fail() -> None:
        if cache.find(b"picture") is None:
            tried.append(1)
            cache.give_up()

    together(4, fail)
    assert len(tried) == 4


def test_without_memory_everyone_encodes_and_nobody_waits() -> None:
    cache, made = SharedCache(FeatureCache(0)), []

    def encode() -> None:
        key = cache.key(np.zeros((4, 4, 3), np.uint8), None)  # type: ignore[arg-type]
        assert key == b"" and cache.find(key) is None
        made.append(1)
        cache.keep_features(key, FEATURES)

    together(3, encode)
    assert len(made) == 3


def test_features_too_large_to_keep_do_not_lock_the_picture() -> None:
    cache, made = SharedCache(FeatureCache(8)), []

    def encode() -> None:
        assert cache.find(b"picture") is None
        made.append(1)
        cache.keep_features(b"picture", FEATURES)

    together(3, encode)
    assert len(made) == 3
