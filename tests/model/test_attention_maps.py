"""Recorded attention is the model's own, and recording changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from test_variants import CONFIGS, WORDS, images, words

import reference
from restr.errors import ConfigError
from restr.inference.backends.base import AttentionOutput
from restr.inference.explanation import explanations
from restr.inference.segmenter import Segmenter
from restr.model.attention_maps import record_attention
from restr.model.build import build_model
from restr.model.fusion import FUSIONS, Fusion
from restr.nn.attention import Attention
from restr.text.vocabulary import PADDING, Vocabulary


@pytest.mark.parametrize("name", [*FUSIONS, "cme-dagger-depth", "cme-dagger-encoders", "windowed", "left-padding"])
def test_recording_changes_nothing_and_ends(name: str) -> None:
    model = build_model(CONFIGS[name](), seed=0).eval()
    ids = words(model)
    word_pad = ids == PADDING
    expected = model(images(), ids).logits
    with record_attention(model.fusion, ids.shape[1]) as recorder:
        assert torch.equal(model(images(), ids).logits, expected)
    maps, n = recorder.maps(), 24
    assert maps.words.shape == (2, ids.shape[1], n) and maps.seed.shape == (2, ids.shape[1])
    assert (maps.words >= 0).all() and (maps.words.sum(2) <= 1).all() and (maps.seed.sum(1) <= 1).all()
    assert (maps.seed[word_pad] == 0).all() and (maps.seed[~word_pad] > 0).all()
    count = len(recorder.weights)
    model(images(), ids)
    assert len(recorder.weights) == count
    assert not any(module._forward_hooks for module in model.modules() if isinstance(module, Attention))


def attention_rows(fusion: Fusion, prefix: str, z: np.ndarray, heads: int) -> np.ndarray:
    """softmax(q k^T / sqrt(D_h)) of a stack's first block, mean over heads, from the equations: z (n d)."""
    w = reference.under({k: v.detach().double().numpy() for k, v in fusion.state_dict().items()}, f"{prefix}.blocks.0.")
    q, k, _ = np.split(reference.linear(w, "attn.qkv", reference.layer_norm(w, "norm1", z, 1e-6)), 3, axis=1)
    d = q.shape[1] // heads
    parts = (slice(h * d, (h + 1) * d) for h in range(heads))
    return np.mean([reference.softmax(q[:, p] @ k[:, p].T / d**0.5) for p in parts], axis=0)


def test_the_weights_are_those_of_the_equation() -> None:
    config = CONFIGS["cme"]()
    one = dataclasses.replace(config.fusion.visual_linguistic, depth=1)
    fusion = dataclasses.replace(config.fusion, visual_linguistic=one, linguistic_seed=one)
    model = build_model(dataclasses.replace(config, fusion=fusion), seed=0).eval()
    ids = words(model, ["red cat right dog left"])
    image = model.encode_image(images(1))
    encoded = model.language(ids, ids == PADDING)
    with record_attention(model.fusion, 5) as recorder:
        model.fusion(image, encoded, ids == PADDING)
    z_l = model.fusion.proj_words(encoded)
    z = torch.cat([image.patches, z_l], 1)[0].detach().double().numpy()
    expected = attention_rows(model.fusion, "visual_linguistic", z, one.heads)
    np.testing.assert_allclose(recorder.maps().words[0].detach().numpy(), expected[24:, :24], atol=1e-5)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(build_model(CONFIGS["cme"](), seed=0), Vocabulary(WORDS), device="cpu")


def test_a_result_explains_itself_if_asked(segmenter: Segmenter) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8)
    plain = segmenter(photo, ["red dog", "left"])
    asked = segmenter(photo, ["red dog", "left"], attention=True)
    for one, two in zip(plain, asked, strict=True):
        assert np.array_equal(one.prob, two.prob) and one.attention is None
    found = asked[0].attention
    assert found is not None and found.words == ("red", "dog")
    assert found.patches.shape == (2, 10, 16) and found.seed.shape == (2,)  # 40 x 64 pixels in patches of 4
    assert found.strongest() in found.words
    assert asked[0].to_dict()["attention"]["words"] == ["red", "dog"] and "attention" not in plain[0].to_dict()


def test_attention_is_cut_out_of_a_centred_letterbox(segmenter: Segmenter) -> None:
    """The maps show the photograph's patches, wherever it lies in the input."""
    framing = dataclasses.replace(segmenter.framing, fit="letterbox", place="centre")
    grids = np.zeros((1, 2, 16 * 16), np.float32)
    grids.reshape(2, 16, 16)[:, 4:12] = 1  # 32 of 64 rows, from row 16
    watched = AttentionOutput(None, grids, np.ones((1, 2), np.float32), (16, 16))  # type: ignore[arg-type]
    for place, seen in (("centre", 1.0), ("corner", 0.5)):
        placed = dataclasses.replace(framing, place=place)
        (found,) = explanations(watched, [["red", "dog"]], np.array([[4, 5]]), (40, 80), placed)
        assert found.patches.shape == (2, 8, 16) and found.patches.mean() == seen


def test_the_strip_has_a_picture_a_word(segmenter: Segmenter, tmp_path) -> None:
    photo = np.full((50, 80, 3), 120, np.uint8)
    result = segmenter(photo, "red cat right dog left", attention=True)
    strip = result.attention_strip()
    assert strip.size == (4 * 320, 2 * (200 + 44))
    assert result.save(tmp_path, ["attention"])["attention"].name == "image-red-cat-right-dog-left.attention.png"
    with pytest.raises(ConfigError, match="attention=True"):
        segmenter(photo, "red").attention_strip()
