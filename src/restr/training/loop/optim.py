"""The optimiser's parameter groups and the learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from restr.errors import ConfigError
from restr.training.config import TrainConfig
from restr.training.loop.distributed import here

NEVER_DECAYED = (
    "pos_embed",
    "cls_token",
    "reg_token",
    "positions",
    "seed",
    "unknown",
)  # learnt tokens and positions, not maps


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) over ``parameter_groups``, all of a group's parameters in one fused pass."""
    return torch.optim.AdamW(parameter_groups(model, config), lr=config.lr, betas=config.betas, fused=True)


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Every trainable parameter in exactly one group: vision or the rest, with or without weight decay.

    A group carries ``scale``, its share of the learning rate; with ``layer_decay`` each vision block is a group, as is what lies
    below the first. Norms, biases, layer scales, embeddings and learnt tokens are not decayed: decay pulls them towards a value
    that means nothing. Raises ``ConfigError`` where the model has nothing to train.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    depths = _depths(model) if config.layer_decay < 1 else {}
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decayed = (
            parameter.ndim > 1 and id(parameter) not in embeddings and name.rpartition(".")[2] not in NEVER_DECAYED
        )
        part = "vision" if name.startswith("vision.") else "rest"
        if name in depths:
            part = f"vision {depths[name]}"
        groups.setdefault((part, decayed), []).append(parameter)
    grouped = [id(parameter) for parameters in groups.values() for parameter in parameters]
    trainable = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    if not trainable:
        raise ConfigError("the model has no trainable parameter; unfreeze at least one part of it")
    if len(grouped) != len(set(grouped)) or set(grouped) != trainable:
        raise ConfigError("a trainable parameter is in no group or in two; parameter_groups must cover each once")
    deepest = max(depths.values(), default=0)
    return [
        {
            "params": parameters,
            "name": part + ("" if decayed else ", not decayed"),
            "scale": 1.0
            if part == "rest"
            else config.vision_lr_scale * config.layer_decay ** (deepest - int(part.removeprefix("vision") or deepest)),
            "weight_decay": config.weight_decay if decayed else 0.0,
        }
        for (part, decayed), parameters in groups.items()
    ]


def _depths(model: nn.Module) -> dict[str, int]:
    """How deep in the vision encoder each of its parameters lies: 0 below the blocks, the last norm beside the last of them."""
    words = {name: name.split(".") for name, _ in model.named_parameters() if name.startswith("vision.")}
    deep = {name: int(parts[2]) + 1 for name, parts in words.items() if parts[1] == "blocks"}
    last = max(deep.values(), default=0)
    return {name: deep.get(name, last if parts[1] == "norm" else 0) for name, parts in words.items()}


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up over the first ``warmup`` share of the steps, then poly or cosine decay to ``final_lr`` x lr.

    A pure function of the step: resuming needs no scheduler state.
    """
    warm = round(config.warmup * config.steps)
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    done = min((step - warm) / max(config.steps - warm, 1), 1.0)
    left = (1 - done) ** config.power if config.schedule == "poly" else (1 + math.cos(math.pi * done)) / 2
    return config.lr * (config.final_lr + (1 - config.final_lr) * left)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """``lr`` times each group's ``scale``."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


class Ema:
    """The running mean of the trained weights: a smoother model than the last step's.

    The decay grows with the steps, (1 + step) / (10 + step) at most ``decay``, so that the random start is
    forgotten early.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.clone() for name, value in trained(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mean, new = ([here(value) for value in weights.values()] for weights in (self.weights, trained(model)))
        torch._foreach_lerp_(mean, new, 1 - decay)  # type: ignore[attr-defined]  # one pass, not one each


def trained(model: nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name; frozen parts come from the files that they were built from."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}
