"""The learning rate is the equation's, at every step and in every group."""

from __future__ import annotations

import pytest
import torch

from restr.model.build import build_model
from restr.presets import restr_tiny
from restr.training.config import TrainConfig
from restr.training.loop.optim import build_optimizer, learning_rate, set_learning_rate

PAPER = TrainConfig(steps=400_000, lr=1e-5, warmup=0.1, vision_lr_scale=0.1, weight_decay=5e-4)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 1e-5 / 40_001),
        (19_999, 1e-5 * 20_000 / 40_001),
        (39_999, 1e-5 * 40_000 / 40_001),
        (40_000, 1e-5),
        (220_000, 1e-5 * 0.5**0.9),
        (399_999, 1e-5 * (1 / 360_000) ** 0.9),
        (400_000, 0.0),
    ],
)
def test_the_schedule_is_that_of_the_equation(step: int, rate: float) -> None:
    assert learning_rate(step, PAPER) == pytest.approx(rate, rel=1e-9)


def test_the_vision_encoder_learns_at_a_tenth() -> None:
    model = build_model(restr_tiny(vocab=16), seed=0)
    optimizer = build_optimizer(model, PAPER)
    assert isinstance(optimizer, torch.optim.AdamW)
    set_learning_rate(optimizer, 1e-5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            vision = names[id(parameter)].startswith("vision.")
            assert group["lr"] == pytest.approx(1e-6 if vision else 1e-5)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 5e-4}
