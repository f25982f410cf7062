"""Encoded images are kept by content, within a number of bytes."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr import Segmenter
from restr.inference.cache import FeatureCache, feature_bytes
from restr.presets import restr_small
from small_exports import WORDS, shallow_model

IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
KIB = np.zeros(1024, np.uint8)


def test_the_least_recently_used_goes_first() -> None:
    cache = FeatureCache(3 * 1024)
    for name in (b"a", b"b", b"c"):
        cache.keep_features(name, (KIB, (3, 4)))
    assert cache.find(b"a") is not None
    cache.keep_features(b"d", (KIB, (3, 4)))
    assert [cache.find(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert cache.held == 3 * 1024 and len(cache) == 3
    cache.keep_features(b"d", KIB[:24])
    assert cache.held == 2 * 1024 + 24, "what is put again counts once"
    cache.keep_features(b"huge", np.zeros(4096, np.uint8))
    assert cache.find(b"huge") is None and len(cache) == 3


def test_the_key_is_content_and_preprocessing() -> None:
    cache, config = FeatureCache(1), restr_small(vocab=10).framing
    key = cache.key(IMAGE, config)
    assert key == cache.key(IMAGE.copy(), config) == cache.key(np.asfortranarray(IMAGE), config)
    other = IMAGE.copy()
    other[3, 4, 0] ^= 1
    assert key != cache.key(other, config)
    assert key != cache.key(IMAGE.reshape(110, 70, 3), config), "the same bytes in another shape"
    assert key != cache.key(IMAGE, replace(config, size=320))


@pytest.mark.parametrize("most", [0, 2**20])
def test_a_photograph_that_comes_again_is_not_encoded_again(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter(shallow_model(), WORDS, device="cpu", cache_bytes=most)
    calls: list[int] = []
    encode = segmenter.backend.encode_image
    monkeypatch.setattr(segmenter.backend, "encode_image", lambda image: calls.append(1) or encode(image))
    for name in ("one.png", "two.png"):
        Image.fromarray(IMAGE).save(tmp_path / name)
    first, second = (segmenter(tmp_path / name, "left") for name in ("one.png", "two.png"))
    segmenter.set_image(IMAGE)
    third = segmenter.predict("left")
    assert (first.name, second.name) == ("one", "two")
    assert (first.prob == second.prob).all() and (first.prob == third.prob).all()
    assert len(calls) == (1 if most else 3)
    segmenter.with_framing(replace(segmenter.framing, size=32))(IMAGE, "left")
    assert len(calls) == (2 if most else 4), "other preprocessing, other features"


def test_a_segmenter_can_be_copied_and_sent_and_begins_without_kept_images() -> None:
    segmenter = Segmenter(shallow_model(), WORDS, device="cpu", cache_bytes=2**24)
    before = segmenter(IMAGE, "the red circle").prob
    assert len(segmenter._cache) == 1
    for copied in (pickle.loads(pickle.dumps(segmenter)), deepcopy(segmenter)):
        assert len(copied._cache) == 0 == copied._cache.held
        np.testing.assert_array_equal(copied(IMAGE, "the red circle").prob, before)
        assert len(copied._cache) == 1 == len(segmenter._cache), "the copy keeps its own"


def test_threads_share_it() -> None:
    cache = FeatureCache(10 * 1024)

    def use(number: int) -> bool:
        key = bytes([number % 20])
        cache.keep_features(key, (KIB,))
        found = cache.find(key)
        return found is None or feature_bytes(found) == 1024

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(2000)))
    assert cache.held == 1024 * len(cache) <= 10 * 1024
