"""Building a model from its config."""

from __future__ import annotations

import torch

from restr.config import ModelConfig
from restr.model.restr import ReSTR


def build_model(config: ModelConfig, *, seed: int | None = None) -> ReSTR:
    """An untrained ReSTR; with ``seed``, the same weights every time and the caller's random state untouched."""
    if seed is None:
        return ReSTR(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ReSTR(config)
