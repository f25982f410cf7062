"""The cost of a model: parameters, multiplications, milliseconds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from restr.config import ModelConfig
from restr.model.build import build_model


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a model."""

    parameters: int
    """Weights, the word table included."""

    gmac: float
    """10^9 multiply-adds for one image and one sentence."""

    milliseconds: float
    """Median time of a forward pass on this machine's CPU."""


def cost_of(config: ModelConfig, *, rounds: int = 5) -> Cost:
    """The cost of a square image of the input size and a sentence of the maximum length."""
    return Cost(parameters=parameters_of(config), gmac=gmac_of(config), milliseconds=_milliseconds(config, rounds))


def parameters_of(config: ModelConfig) -> int:
    """The number of weights; shared weights count once."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(config).parameters())


def gmac_of(config: ModelConfig) -> float:
    """10^9 multiply-adds of the matrix products, counted by ``torch.utils.flop_counter``."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        build_model(config).eval()(*example_inputs(config))
    return counter.get_total_flops() / 2e9


def _milliseconds(config: ModelConfig, rounds: int) -> float:
    model, inputs = build_model(config, seed=0).eval(), example_inputs(config)
    taken = []
    with torch.inference_mode():
        for _ in range(1 + rounds):
            start = time.perf_counter()
            model(*inputs)
            taken.append(time.perf_counter() - start)
    return 1000 * statistics.median(taken[1:])


def example_inputs(config: ModelConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """One square image of the input size and one sentence of the longest length."""
    side, words = config.preprocess.size, config.language.max_words
    return torch.zeros(1, 3, side, side), torch.full((1, words), 2, dtype=torch.long)
