"""The shares of the class seed's attention: exact against rollout written out with whole matrices."""

from __future__ import annotations

import pytest
import torch
from test_variants import CONFIGS, images, words
from torch import Tensor

from restr.model.attention_maps import SOURCES, MeanSeedAttention, SeedAttention, record_seed_attention
from restr.model.build import build_model
from restr.model.fusion import FUSIONS
from restr.model.restr import ReSTR
from restr.nn.attention import Attention
from restr.text.vocabulary import PADDING

PATCHES = 24
NAMES = [*FUSIONS, "cme-dagger-depth", "cme-dagger-encoders", "ime-dagger-encoders", "windowed", "left-padding", "fusion-attended-padding", "released"]


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
    l = ids.shape[1]
    shares, layers = recorded(model, ids), matrices(model, ids)
    joint = [layer for layer in layers if layer.shape[1] > l + 1]
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
    l = ids.shape[1]
    row = rollout(layers[joint:])[:, -1]  # over words and seed
    if model.config.fusion.variant == "ime":
        return by_source(row, ids, 0)
    held = rollout(layers[:joint])[:, -l:]  # (b l patches+words)
    through = torch.einsum("bl,blt->bt", row[:, :l], held)
    return by_source(torch.cat([through, row[:, -1:]], 1), ids, PATCHES)


def test_what_the_variants_can_reach() -> None:
    shares = {name: recorded(model := build_model(CONFIGS[name](), seed=0).eval(), words(model)) for name in FUSIONS}
    assert (shares["vme"].direct[..., 0] > 0).all()
    for name in ("cme", "ime"):
        assert (shares[name].direct[..., 0] == 0).all()
    assert (shares["cme"].effective[:, 0] > 0).all() and (shares["ime"].effective[:, 0] == 0).all()
    uniform = shares["vme"].direct_uniform[0]  # two words and three of padding
    torch.testing.assert_close(uniform, torch.tensor([PATCHES, 2.0, 1.0]) / (PATCHES + 3))


def test_recording_changes_nothing_and_ends() -> None:
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
