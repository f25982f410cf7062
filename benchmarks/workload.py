"""The timed work: pictures and sentences in a model's own form, and their number of multiplications."""

from __future__ import annotations

from typing import Any

import numpy as np
from peers import gmac

from restr.export.parity import sentences
from restr.inference.backends.base import Backend
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.segmenter import TEXTS_AT_ONCE
from restr.model.restr import ReSTR
from restr.text.tokenizer import fills_up

SIZE, WORDS, TEN = 480, 6, 10


def inputs(config: Any, *, size: int = SIZE, count: int = 1, words: int = WORDS) -> tuple[np.ndarray, np.ndarray]:
    """A normalised picture (1 3 H W) and ``count`` sentences (count words)."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 3, size, size)).astype(np.float32)
    length = config.language.max_words if fills_up(config) else words
    return image, sentences(count, length, config, rng)


def shapes_of(config: Any) -> list[tuple[int, int, int]]:
    """The matrix products of the encoders, as (m k n)."""
    n = (SIZE // config.vision.patch) ** 2 + 1
    found = []
    for blocks in (config.vision.blocks, config.fusion.visual_linguistic):
        d, hidden = blocks.width, blocks.mlp
        found += [(n, d, 3 * d), (n, d, d), (n, d, hidden), (n, hidden, d)]
    return found


def counted(model: ReSTR, image: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """GMAC of an image's half and of an expression's, attention included."""
    backend = TorchBackend(model, device="cpu")
    features = backend.encode_image(image)
    return {
        "image": gmac(lambda: backend.encode_image(image), model),
        "expression": gmac(lambda: backend.segment(features, ids[:1]), model),
    }


def ten(way: Backend, features: Any, ids: np.ndarray) -> None:
    """All sentences on one image, as many per call as a segmenter takes."""
    for start in range(0, len(ids), TEXTS_AT_ONCE):
        way.segment(features, ids[start : start + TEXTS_AT_ONCE])
