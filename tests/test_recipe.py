"""The steps of recipes/restr_small that are more than calls into restr."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import pytest
import torch

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.presets import restr_tiny
from scripts import load_script


@pytest.fixture(scope="module")
def train() -> ModuleType:
    return load_script("recipes/restr_small/train.py")


def grown(**settings: int) -> ModelConfig:
    """restr_tiny with a tap and another visual-linguistic block."""
    config = restr_tiny(vocab=8)
    blocks = dataclasses.replace(config.fusion.visual_linguistic, depth=config.fusion.visual_linguistic.depth + 1)
    return dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, taps=(1,)),
        fusion=dataclasses.replace(config.fusion, visual_linguistic=blocks, **settings),
    )


def same_vision(model: ReSTR, other: ReSTR) -> None:
    model.vision.load_state_dict(other.vision.state_dict())
    model.language.vectors.load_state_dict(other.language.vectors.state_dict())


def test_a_grown_model_begins_as_the_smaller_one(train: ModuleType) -> None:
    smaller = build_model(restr_tiny(vocab=8), seed=1).eval()
    model = build_model(grown(), seed=2).eval()
    same_vision(model, smaller)
    arguments = (torch.randn(2, 3, 16, 24), torch.tensor([[3, 4], [5, 0]]), torch.tensor([[0, 0], [0, 1]]).bool())
    assert not torch.allclose(model(*arguments).logits, smaller(*arguments).logits)
    train.grow_from(model, smaller)
    torch.testing.assert_close(model(*arguments).logits, smaller(*arguments).logits)
    model(*arguments).logits.mean().backward()
    last = restr_tiny().fusion.visual_linguistic.depth
    new = model.get_parameter(f"fusion.visual_linguistic.blocks.{last}.mlp.fc2.weight").grad  # what was added can learn
    assert new is not None and new.abs().sum() > 0


def test_growing_keeps_the_parts(train: ModuleType) -> None:
    model, smaller = build_model(grown(), seed=2), build_model(restr_tiny(vocab=8), seed=1)
    names = ("language.vectors.weight", "vision.blocks.0.attn.qkv.weight")
    before = [model.get_parameter(name).clone() for name in names]
    train.grow_from(model, smaller)
    assert all(torch.equal(model.get_parameter(name), was) for name, was in zip(names, before, strict=True))


def test_what_cannot_grow_is_refused(train: ModuleType) -> None:
    model, smaller = build_model(grown(), seed=2), build_model(restr_tiny(vocab=8), seed=1)
    with pytest.raises(WeightsError, match="which this one lacks"):
        train.grow_from(smaller, model)
    with pytest.raises(WeightsError, match="lacks fusion.proj_place.weight"):
        config = restr_tiny(vocab=8)
        bare = dataclasses.replace(config, fusion=dataclasses.replace(config.fusion, patch_positions=False))
        train.grow_from(model, build_model(bare, seed=1))
