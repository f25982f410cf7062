"""Equations of ``docs/equations.md`` one by one, against NumPy in float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

import reference
from restr.config import ClassifierConfig, DecoderConfig
from restr.losses import presence_loss, segmentation_loss
from restr.model.build import build_model
from restr.model.decoder import AdaptiveClassifier, Decoder, PatchScores, Upsample
from restr.model.fusion import ImageTokens
from restr.model.presence import PresenceHead
from restr.model.restr import ReSTROutput
from restr.model.vision import PatchFeatures
from restr.nn.positions import FOURIER_BANDS, fourier_positions
from restr.presets import restr_base, restr_tiny

D, GRID = 16, (2, 3)
N = GRID[0] * GRID[1]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def equal(ours: Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normalise", [False, True])
def test_tokens_are_scaled_to_unit_length_and_mapped(normalise: bool) -> None:
    config = restr_tiny(vocab=16)
    fusion = dataclasses.replace(config.fusion, normalise=normalise, patch_positions=False)
    module = build_model(dataclasses.replace(config, fusion=fusion), seed=0).fusion.double()
    z_v = drawn(1, N, config.vision.width_out) * 5
    w = module.proj_vision.weight.detach().numpy()
    x = z_v[0].numpy() / np.sqrt((z_v[0].numpy() ** 2).sum(1, keepdims=True)) if normalise else z_v[0].numpy()
    equal(module.project(PatchFeatures(z_v, GRID)).patches[0], x @ w.T + module.proj_vision.bias.detach().numpy())


@pytest.mark.parametrize("kind", ["dot", "maps"])
def test_patches_are_scored_by_the_seed_over_the_root_of_the_width(kind: str) -> None:
    classifier = AdaptiveClassifier(ClassifierConfig(kind=kind), D).double()  # type: ignore[arg-type]
    z_v, e_s = drawn(1, N, D), drawn(1, 1, D, seed=1)
    scores = classifier(z_v, e_s)
    if kind == "dot":
        expected = np.array(
            [sum(z_v[0, i, c].item() * e_s[0, 0, c].item() for c in range(D)) / D**0.5 for i in range(N)]
        )
        equal(scores.patches, z_v.numpy())
    else:
        a, b = (getattr(classifier, name).weight.detach().numpy().T for name in ("proj_patch", "proj_seed"))
        expected = ((z_v[0].numpy() @ a) @ (e_s[0].numpy() @ b).T)[:, 0]
        equal(scores.patches[0], z_v[0].numpy() @ a)
    equal(scores.logits[0], expected)


@pytest.mark.parametrize("mask_by", ["probability", "logit"])
@pytest.mark.parametrize("beside", ["input", "fused"])
def test_the_decoder_gets_the_patches_and_the_masked_ones(mask_by: str, beside: str) -> None:
    decoder = Decoder(DecoderConfig(mask_by=mask_by, beside=beside), D, 2).double()  # type: ignore[arg-type]
    before, after, logits = drawn(1, N, D), drawn(1, N, D, seed=1), drawn(1, N, seed=2)
    found = decoder.first_map(ImageTokens(before, GRID), after, PatchScores(logits, after))
    y = logits.numpy() if mask_by == "logit" else 1 / (1 + np.exp(-logits.numpy()))
    masked = after.numpy() * y[..., None]
    both = np.concatenate([(before if beside == "input" else after).numpy(), masked], axis=2)
    equal(found, both.reshape(1, *GRID, 2 * D))


def maps(decoder: Decoder) -> list[tuple[int, int]]:
    """(channels before, channels after) of each block."""
    return [(b.proj.in_features, b.proj.out_features) for b in decoder.blocks if isinstance(b, Upsample)]


@pytest.mark.parametrize(("patch", "channels"), [(16, [1536, 768, 384, 192, 96]), (8, [1536, 768, 384, 192])])
def test_the_decoder_has_log2_p_blocks_that_halve_the_channels(patch: int, channels: list[int]) -> None:
    config = restr_base(vocab=16)
    config = dataclasses.replace(config, vision=dataclasses.replace(config.vision, patch=patch))
    decoder = Decoder(config.decoder, config.fusion.width, config.decoder_blocks)
    assert maps(decoder) == list(zip(channels, channels[1:], strict=False))
    assert decoder.head.weight.shape == (1, channels[-1])
    small = Decoder(DecoderConfig(), D, 4)  # never below the least number of channels
    assert maps(small) == [(32, 16), (16, 8), (8, 8), (8, 8)]


@pytest.mark.parametrize("align_corners", [False, True])
def test_projecting_commutes_with_enlarging(align_corners: bool) -> None:
    first, last = (
        Upsample(6, 3, DecoderConfig(order=order, align_corners=align_corners)).double()  # type: ignore[arg-type]
        for order in ("project_first", "enlarge_first")
    )
    last.load_state_dict(first.state_dict())
    x = drawn(1, 3, 4, 6)
    w, b = first.proj.weight.detach().numpy(), first.proj.bias.detach().numpy()
    expected = reference.enlarge(x[0].numpy(), align_corners) @ w.T + b
    expected = np.where(expected > 0, expected, 0.01 * expected)
    for block in (first, last):
        equal(block(x)[0], expected)


@pytest.mark.parametrize(
    ("share", "labels"), [(0.8, [0, 0, 1, 1]), (0.0, [0, 1, 1, 1]), (None, [0.0, 0.79, 0.81, 1.0])], ids=str
)
def test_a_patch_is_foreground_above_the_share(share: float | None, labels: list[float]) -> None:
    mask = torch.zeros(1, 1, 10, 40)  # four patches of 100 pixels: none, 79, 81, all of them foreground
    for patch, count in enumerate((0, 79, 81, 100)):
        mask[0, 0, :, 10 * patch : 10 * patch + 10].view(10, 10)[np.unravel_index(np.arange(count), (10, 10))] = 1
    logits = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    found = segmentation_loss(ReSTROutput(torch.zeros(1, 1, 10, 40), logits, (1, 4)), mask, patch_share=share).patch
    expected = reference.bce(logits[0].double().numpy(), np.array(labels, np.float64))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_presence_compares_the_seed_with_the_found_patches() -> None:
    head = PresenceHead(D).double()
    logits, patches, e_s = drawn(2, N), drawn(2, N, D, seed=1), drawn(2, 1, D, seed=2)
    w = {name: value.detach().numpy() for name, value in head.state_dict().items()}
    for row, found in enumerate(head(PatchScores(logits, patches), e_s)):
        y = 1 / (1 + np.exp(-logits[row].numpy()))
        f = (y[:, None] * patches[row].numpy()).sum(0) / (y.sum() + 0.001)
        both = reference.layer_norm(w, "norm", np.concatenate([e_s[row, 0].numpy(), f]), 1e-5)
        equal(found, reference.linear(w, "fc2", reference.gelu(reference.linear(w, "fc1", both)))[0])


def test_the_presence_loss_needs_an_empty_mask() -> None:
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, 0, 1, 1] = 1
    logits = torch.tensor([0.3, 1.5], dtype=torch.float64)
    expected = reference.bce(logits.numpy(), np.array([1.0, 0.0]))
    assert presence_loss(logits, masks).item() == pytest.approx(expected, rel=1e-12)
    assert presence_loss(logits[:1], masks[:1]).item() == 0


def test_places_are_sinusoids_of_the_centres() -> None:
    found = fourier_positions(GRID).double().numpy()
    for patch, row in enumerate(found):
        centre = [2 * (patch // GRID[1] + 0.5) / GRID[0] - 1, 2 * (patch % GRID[1] + 0.5) / GRID[1] - 1]  # row, column
        angles = [np.pi * 2.0**j * u for u in centre for j in range(-1, FOURIER_BANDS - 1)]
        np.testing.assert_allclose(row, [*centre, *np.sin(angles), *np.cos(angles)], atol=1e-5)
