"""A trained model fitted to another patch size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from restr import Segmenter
from restr.ablation.cost import parameters_of
from restr.config import ModelConfig
from restr.data.generated import vocabulary
from restr.errors import ConfigError
from restr.model.build import build_model
from restr.model.resampling import (
    config_with_patch,
    features_before_head,
    fit_head,
    resample_patches,
    shorter_head,
    sum_of_enlarged,
)
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.weights import save_pretrained
from restr.presets import restr_tiny

WORDS = vocabulary()
IDS = torch.tensor([[5, 9, 12], [7, 0, 0]])


def config_of(**decoder: float) -> ModelConfig:
    """restr_tiny with a presence head."""
    config = restr_tiny(vocab=len(WORDS))
    return dataclasses.replace(
        config,
        decoder=dataclasses.replace(config.decoder, **decoder),
        presence=dataclasses.replace(config.presence, kind="region"),
    )


def model_of(**decoder: float) -> ReSTR:
    """Random weights, biases of the decoder included."""
    model = build_model(config_of(**decoder), seed=0).eval()
    torch.manual_seed(1)
    for name, value in model.named_parameters():
        if name.startswith("decoder.") and name.endswith("bias"):
            torch.nn.init.normal_(value, std=0.1)
    return model


def halved(model: ReSTR, **options: str) -> ReSTR:
    return resample_patches(model, config_with_patch(model.config, model.config.vision.patch // 2), **options)  # type: ignore[arg-type]


def answer(model: ReSTR, image: torch.Tensor) -> ReSTROutput:
    """The model's output for both sentences about one image."""
    return model.segment(model.encode_image(image), IDS)


def image_and_enlarged() -> tuple[torch.Tensor, torch.Tensor]:
    """A random input, and the same with every pixel as four."""
    image = torch.randn(1, 3, 64, 64)
    return image, image.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_the_same_patch_changes_nothing() -> None:
    model = model_of()
    same = resample_patches(model, config_with_patch(model.config, model.config.vision.patch))
    assert same.config == model.config
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in same.state_dict().items())


@torch.no_grad()
def test_half_the_patch_sees_what_the_model_sees_in_the_picture_enlarged_twice() -> None:
    model = model_of()
    image, enlarged = image_and_enlarged()
    found, expected = answer(halved(model), image), answer(model, enlarged)
    assert found.grid == expected.grid
    torch.testing.assert_close(found.patch_logits, expected.patch_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.presence, expected.presence, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False], ids=["biases", "none, as released"])
def test_a_linear_decoder_is_shortened_exactly(bias: bool) -> None:
    model = model_of(negative_slope=1.0, bias=bias, head_bias=bias)
    image, enlarged = image_and_enlarged()
    found = answer(halved(model), image).logits
    model.decoder.coarse = 1
    torch.testing.assert_close(found, answer(model, enlarged).logits, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_fitted_head_is_closer_to_the_blocks_that_went() -> None:
    model = model_of()
    start, fitted = halved(model), halved(model)
    explained = fit_head(model, fitted, [(torch.randn(1, 3, 64, 64), IDS) for _ in range(2)])
    assert 0.0 < explained <= 1.0
    image, enlarged = image_and_enlarged()
    model.decoder.coarse = 1
    expected = answer(model, enlarged).logits
    errors = [float((answer(each, image).logits - expected).square().mean()) for each in (start, fitted)]
    assert errors[1] < 0.8 * errors[0]


def test_a_head_is_fitted_to_pictures_only() -> None:
    model = model_of()
    with pytest.raises(ConfigError, match="no picture"):
        fit_head(model, halved(model), [])
    flat = dataclasses.replace(model.config, decoder=dataclasses.replace(model.config.decoder, kind="none"))
    other = build_model(flat, seed=0)
    with pytest.raises(ConfigError, match="coarse_to_fine"):
        fit_head(other, other, [])
    with pytest.raises(ConfigError, match="coarse_to_fine"):
        list(features_before_head(other, image_and_enlarged()[0], IDS))


@torch.no_grad()
def test_features_before_the_head_are_what_it_reads() -> None:
    model = model_of()
    image, _ = image_and_enlarged()
    found = list(features_before_head(model, image, IDS))
    head = model.decoder.get_submodule("head")
    assert len(found) == len(IDS)
    logits = answer(model, image).logits
    torch.testing.assert_close(head(torch.cat(found)).permute(0, 3, 1, 2), logits, atol=1e-4, rtol=1e-4)
    assert not head._forward_pre_hooks


def test_a_decoder_without_head_stays_as_it_is() -> None:
    state = {"vision.norm.bias": torch.ones(3)}
    assert shorter_head(state, 4, 3, 0.01) == state


@torch.no_grad()
def test_the_token_of_a_patch_is_that_of_the_enlarged_patch() -> None:
    weight, patch = torch.randn(6, 3, 8, 8), torch.randn(3, 4, 4)
    small = torch.einsum("dcyx,cyx->d", sum_of_enlarged(weight, 4), patch)
    large = torch.einsum("dcyx,cyx->d", weight, patch.repeat_interleave(2, 1).repeat_interleave(2, 2))
    torch.testing.assert_close(small, large)
    with pytest.raises(ConfigError, match="divisor"):
        sum_of_enlarged(weight, 3)


@pytest.mark.parametrize("rule", ["enlarged", "flexivit"])
def test_a_windowed_model_has_the_parameters_of_its_config_and_predicts(tmp_path: Path, rule: str) -> None:
    model = model_of()
    config = config_with_patch(model.config, model.config.vision.patch // 2, vision="windowed", fusion="windowed")
    assert config.vision.blocks.attention == config.fusion.visual_linguistic.attention == "windowed"
    assert config.fusion.linguistic_seed == model.config.fusion.linguistic_seed
    resampled = resample_patches(model, config, rule=rule)  # type: ignore[arg-type]
    assert sum(value.numel() for value in resampled.parameters()) == parameters_of(config)
    save_pretrained(resampled, WORDS, tmp_path)
    picture = np.random.default_rng(0).integers(0, 255, (50, 40, 3), np.uint8)
    result = Segmenter.from_pretrained(tmp_path)(picture, "red circle")
    assert result.prob.shape == (50, 40) and np.isfinite(result.prob).all()


@pytest.mark.parametrize(("patch", "message"), [(12, "choose 2, 4"), (1, "choose 2, 4"), (0, "choose 2, 4")])
def test_a_patch_that_does_not_fit_is_refused(patch: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_with_patch(config_of(), patch)


def test_a_larger_patch_needs_a_longer_decoder() -> None:
    model = model_of()
    larger = 2 * model.config.vision.patch
    if model.config.vision.grid % 2 == 0:
        with pytest.raises(ConfigError, match="decoder blocks"):
            resample_patches(model, config_with_patch(model.config, larger))
    odd = dataclasses.replace(model.config, vision=dataclasses.replace(model.config.vision, grid=7))
    with pytest.raises(ConfigError, match="no whole patches"):
        config_with_patch(odd, larger)
