"""The model agrees with the equations written out in NumPy, to 1e-10 in float64, in every variant."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_variants import CONFIGS, WINDOWED, words

import reference
from restr.losses import segmentation_loss
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.nn.positions import sinusoidal_positions
from restr.text.vocabulary import PADDING

GRID = (4, 6)
TEXT = ["red cat right dog left"]


def random_model(name: str) -> ReSTR:
    """Every weight random, norms and biases too, so that none can be forgotten."""
    model = build_model(CONFIGS[name](), seed=0).double().eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model


def arrays(module: torch.nn.Module) -> reference.Weights:
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def near(ours: torch.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in {"no-decoder", *WINDOWED}])
def test_every_part_agrees(name: str) -> None:
    model = random_model(name)
    config = model.config
    fusion = config.fusion
    image = torch.randn(1, 3, 4 * GRID[0], 4 * GRID[1], dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ids = words(model, TEXT)
    padding = ids == PADDING
    real = ~padding[0].numpy()
    keep = real | config.language.attend_padding

    features = model.vision(image)
    projected = model.project(features)
    encoded = model.language(ids, padding)
    fused = model.fusion(projected, encoded, padding)
    scores = model.classifier(fused.patches, fused.classifier)
    output = model(image, ids)

    # vision: the places at this grid are a resized picture, tested in test_nn
    w = arrays(model.vision)
    blocks = config.vision.blocks
    expected = reference.vision(
        w,
        image[0].numpy(),
        model.vision.positions(GRID)[0].detach().numpy(),
        depth=blocks.depth,
        heads=blocks.heads,
        taps=config.vision.taps,
        eps=blocks.norm_eps,
    )
    near(features.patches[0], expected)

    # words: positions count from the first column, padding included
    w = arrays(model.language)
    unknown = (ids[0].numpy() == config.language.unknown_row)[:, None]
    vectors = np.where(unknown, w["unknown"], w["vectors.weight"][ids[0].numpy()])
    table = model.language.positions.detach().numpy()
    tokens = (reference.linear(w, "proj_in", vectors) if "proj_in.weight" in w else vectors) + table[: len(keep)]
    blocks = config.language.blocks
    tokens = reference.transformer(
        reference.under(w, "encoder."), tokens[keep], blocks.depth, blocks.heads, blocks.norm, blocks.norm_eps
    )
    tokens = reference.layer_norm(w, "norm", reference.linear(w, "proj_out", tokens), 1e-5)
    near(encoded[0][torch.from_numpy(keep)], tokens)

    # fusion, from the model's own inputs so that each part is tested alone
    w = arrays(model.fusion)
    patches, words_in = features.patches[0].detach().numpy(), encoded[0].detach().numpy()
    if fusion.normalise:
        patches, words_in = reference.unit(patches), reference.unit(words_in)
    z_v, z_l = reference.linear(w, "proj_vision", patches), reference.linear(w, "proj_words", words_in)
    z_l = z_l * real[:, None] if fusion.attend_padding else z_l[real]
    z_v = projected.patches[0].detach().numpy() if fusion.patch_positions else z_v
    seen, seed = reference.fuse(
        w,
        z_v,
        z_l,
        variant=fusion.variant,
        depths=(fusion.visual_linguistic.depth, fusion.linguistic_seed.depth),
        heads=fusion.visual_linguistic.heads,
        eps=fusion.visual_linguistic.norm_eps,
    )
    near(fused.patches[0], seen)
    near(fused.classifier[0], seed)

    logits, of = reference.classify(arrays(model.classifier), seen, seed)
    near(scores.logits[0], logits)
    pixels = reference.decode(
        arrays(model.decoder),
        z_v if config.decoder.beside == "input" else seen,
        of,
        logits,
        features.grid,
        mask_by=config.decoder.mask_by,
        slope=config.decoder.negative_slope,
        align_corners=config.decoder.align_corners,
    )
    np.testing.assert_allclose(output.logits[0, 0].detach().numpy(), pixels, rtol=1e-10, atol=1e-10)


def test_the_sinusoids_agree() -> None:
    np.testing.assert_allclose(sinusoidal_positions(20, 32).numpy(), reference.sinusoids(20, 32), rtol=0, atol=1e-6)


@pytest.mark.parametrize("share", [0.8, 0.0])
def test_the_loss_agrees(share: float) -> None:
    model = random_model("cme")
    image = torch.randn(1, 3, 4 * GRID[0], 4 * GRID[1], dtype=torch.float64)
    output = model(image, words(model, TEXT))
    mask = (torch.rand(image.shape[-2:], generator=torch.Generator().manual_seed(3)) > 0.3).double()
    mask[:8, :8] = 1
    # the loss computes in float32: its inputs are brought there first, so that only rounding is left
    small = output._replace(logits=output.logits.float(), patch_logits=output.patch_logits.float())
    ours = segmentation_loss(small, mask[None, None].float(), patch_share=share).total.item()
    expected = reference.loss(
        small.logits[0, 0].double().detach().numpy(),
        small.patch_logits[0].double().detach().numpy(),
        mask.numpy(),
        GRID,
        weight=0.1,
        share=share,
    )
    assert ours == pytest.approx(expected, rel=1e-5)
