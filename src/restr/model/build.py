"""Builds a model from its config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from restr.config import ModelConfig
from restr.model.restr import ReSTR


def build_model(config: ModelConfig, *, seed: int | None = None) -> ReSTR:
    """An untrained ReSTR; with ``seed``, the same weights every time and the caller's random state untouched."""
    if seed is None:
        return ReSTR(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ReSTR(config)


class Unfilled(TorchFunctionMode):
    """Within, new models get memory but no random weights, because loading follows; each page is then touched once.

    PyTorch's meta device would do the same, but imports its compiler, which takes seconds.
    """

    DRAWN = frozenset({Tensor.normal_, Tensor.uniform_, Tensor.erfinv_, Tensor.mul_, Tensor.add_, Tensor.clamp_})

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in self.DRAWN:
            return args[0]
        return (torch.empty if func is torch.randn else func)(*args, **(kwargs or {}))
