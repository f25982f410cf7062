"""Recorded attention is the model's own, and recording changes nothing.

The shares of the class seed's attention are exact against rollout written out with whole matrices.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from test_variants import CONFIGS, WORDS, images, words
from torch import Tensor

import reference
from restr.errors import ConfigError
from restr.inference.backends.base import AttentionOutput
from restr.inference.explanation import explanations
from restr.inference.segmenter import Segmenter
from restr.model.attention_maps import (
    SOURCES,
    MeanSeedAttention,
    SeedAttention,
    record_attention,
    record_seed_attention,
)
from restr.model.build import build_model
from restr.model.fusion import FUSIONS, Fusion
from restr.model.restr import ReSTR
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


PATCHES = 24
NAMES = [
    *FUSIONS,
    "cme-dagger-depth",
    "cme-dagger-encoders",
    "ime-dagger-encoders",
    "windowed",
    "left-padding",
    "fusion-attended-padding",
    "released",
]


def recorded(model: ReSTR, ids: Tensor) -> SeedAttention:
    with torch.no_grad(), record_seed_attention(model.fusion, ids == PADDING) as recorder:
        model(images(), ids)
    return recorder.shares()


def matrices(model: ReSTR, ids: Tensor) -> list[Tensor]:
    """The attention of every token to every token in each block, (b tokens tokens): means over heads."""
    found: list[Tensor] = []

    def hook(attention: Attention, inputs: tuple, _: Tensor) -> None:
        tokens, key_mask, layout = inputs
        q, k, _ = attention.qkv_heads(tokens)
        if layout is not None and hasattr(attention, "window"):  # what each token takes of tokens that are one-hot
            n = tokens.shape[1]
            each = torch.eye(n, q.shape[3]).expand(len(tokens), q.shape[1], -1, -1)
            found.append(attention.attend(q, k, each, key_mask, layout).mean(1)[..., :n])
            return
        scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask, float("-inf"))
        found.append(scores.softmax(3).mean(1))

    hooks = [m.register_forward_hook(hook) for m in model.fusion.modules() if isinstance(m, Attention)]
    with torch.no_grad():
        model(images(), ids)
    for each in hooks:
        each.remove()
    return found


def rollout(layers: list[Tensor]) -> Tensor:
    """A' = (A + I) / 2, multiplied from the first block to the last."""
    total = torch.eye(layers[0].shape[1]).expand_as(layers[0])
    for layer in layers:
        total = (layer + torch.eye(layer.shape[1])) / 2 @ total
    return total


def by_source(row: Tensor, ids: Tensor, patches: int) -> Tensor:
    """A row over [patches, words, seed] or [words, seed] (b tokens) -> shares of patches, words, seed (b 3)."""
    own = row[:, patches : patches + ids.shape[1]].masked_fill(ids == PADDING, 0.0)
    parts = torch.stack([row[:, :patches].sum(1), own.sum(1), row[:, -1]], 1)
    return parts / parts.sum(1, keepdim=True)


@pytest.mark.parametrize("name", NAMES)
def test_shares_are_those_of_whole_matrices(name: str) -> None:
    model = build_model(CONFIGS[name](), seed=0).eval()
    ids = words(model)
    shares, layers = recorded(model, ids), matrices(model, ids)
    joint = [layer for layer in layers if layer.shape[1] > ids.shape[1] + 1]
    alike = [(layer > 0) / (layer > 0).sum(2, keepdim=True) for layer in layers]
    if model.config.fusion.variant == "vme":
        assert len(joint) == len(layers) == 4
        direct = [by_source(layer[:, -1], ids, PATCHES) for layer in layers]
        effective = by_source(rollout(layers)[:, -1], ids, PATCHES)
        uniform = by_source(rollout(alike)[:, -1], ids, PATCHES)
    else:
        own = layers[len(joint) :]
        direct = [by_source(layer[:, -1], ids, 0) for layer in own]
        effective, uniform = (coupled(model, each, len(joint), ids) for each in (layers, alike))
    torch.testing.assert_close(shares.direct, torch.stack(direct, 1), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(shares.effective, effective, atol=1e-6, rtol=1e-5)
    if name != "windowed":  # there a patch attends to means of cells, so "all alike" is not a matrix of its own
        torch.testing.assert_close(shares.effective_uniform, uniform, atol=1e-6, rtol=1e-5)
    for each in (shares.direct, shares.effective, shares.direct_uniform, shares.effective_uniform):
        torch.testing.assert_close(each.sum(-1), torch.ones(each.shape[:-1]))


def coupled(model: ReSTR, layers: list[Tensor], joint: int, ids: Tensor) -> Tensor:
    """The rollout of the seed's encoder, with the words replaced by what they hold of patches and words."""
    count = ids.shape[1]
    row = rollout(layers[joint:])[:, -1]  # over words and seed
    if model.config.fusion.variant == "ime":
        return by_source(row, ids, 0)
    held = rollout(layers[:joint])[:, -count:]  # (b l patches+words)
    through = torch.einsum("bl,blt->bt", row[:, :count], held)
    return by_source(torch.cat([through, row[:, -1:]], 1), ids, PATCHES)


def test_what_the_variants_can_reach() -> None:
    shares = {name: recorded(model := build_model(CONFIGS[name](), seed=0).eval(), words(model)) for name in FUSIONS}
    assert (shares["vme"].direct[..., 0] > 0).all()
    for name in ("cme", "ime"):
        assert (shares[name].direct[..., 0] == 0).all()
    assert (shares["cme"].effective[:, 0] > 0).all() and (shares["ime"].effective[:, 0] == 0).all()
    uniform = shares["vme"].direct_uniform[0]  # two words and three of padding
    torch.testing.assert_close(uniform, torch.tensor([PATCHES, 2.0, 1.0]) / (PATCHES + 3))


def test_following_the_seed_changes_nothing_and_ends() -> None:
    model = build_model(CONFIGS["cme"](), seed=0).eval()
    ids = words(model)
    with torch.no_grad():
        expected = model(images(), ids).logits
        with record_seed_attention(model.fusion, ids == PADDING):
            assert torch.equal(model(images(), ids).logits, expected)
    assert not any(module._forward_hooks for module in model.modules() if isinstance(module, Attention))


def test_the_mean_is_over_sentences() -> None:
    model = build_model(CONFIGS["vme"](), seed=0).eval()
    shares = recorded(model, words(model))
    mean = MeanSeedAttention()
    assert mean.compute() == {}
    for row in range(2):  # sentence by sentence as in a batch
        mean.update(SeedAttention(*(each[row : row + 1] for each in shares)))
    found = mean.compute()
    assert mean.n == 2 and len(found) == (4 + 4) * len(SOURCES)  # four means and four blocks
    assert found["seed_effective_words"] == pytest.approx(shares.effective[:, 1].mean().item())
    assert found["seed_direct_block2_patches"] == pytest.approx(shares.direct[:, 1, 0].mean().item())
    assert sum(found[f"seed_direct_{source}"] for source in SOURCES) == pytest.approx(1)
