"""The optimiser's parameter groups and the learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from restr.errors import ConfigError
from restr.training.config import TrainConfig
from restr.training.loop.distributed import local_part

# Learnt tokens and positions: vectors, although some have two dimensions or more.
NEVER_DECAYED = ("pos_embed", "cls_token", "reg_token", "positions", "seed", "unknown")


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) over ``parameter_groups``, each updated in one fused pass."""
    return torch.optim.AdamW(parameter_groups(model, config), lr=config.lr, betas=config.betas, fused=True)


def parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Every trainable parameter in exactly one group: vision or the rest, with or without weight decay.

    A group has a ``scale``, its share of the learning rate. With ``layer_decay`` each vision block is a group of its
    own, and so are the layers below the first block. Norms, biases, layer scales, embeddings and learnt tokens are not
    decayed: zero is not a meaningful value for them. Raises ``ConfigError`` if the model has nothing to train.
    """
    trainable = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not trainable:
        raise ConfigError("the model has no trainable parameter; unfreeze at least one part of it")
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    depths = _depths(model) if config.layer_decay < 1 else {}
    deepest = max(depths.values(), default=0)
    groups: dict[tuple[str, bool], dict[str, Any]] = {}
    for name, parameter in trainable.items():
        part, scale = "rest", 1.0
        if name.startswith("vision."):
            part = f"vision {depths[name]}" if depths else "vision"
            scale = config.vision_lr_scale * config.layer_decay ** (deepest - depths.get(name, deepest))
        learnt_token = name.rpartition(".")[2] in NEVER_DECAYED
        decayed = parameter.ndim > 1 and id(parameter) not in embeddings and not learnt_token
        group = {
            "params": [],
            "name": part if decayed else f"{part}, not decayed",
            "scale": scale,
            "weight_decay": config.weight_decay if decayed else 0.0,
        }
        groups.setdefault((part, decayed), group)["params"].append(parameter)
    return list(groups.values())


def _depths(model: nn.Module) -> dict[str, int]:
    """The depth of each vision parameter: 0 below the blocks, 1 in the first; the last norm is as deep as the last."""
    parts = {name: name.split(".") for name, _ in model.named_parameters() if name.startswith("vision.")}
    blocks = {name: int(part[2]) + 1 for name, part in parts.items() if part[1] == "blocks"}
    last = max(blocks.values(), default=0)
    return {name: blocks.get(name, last if part[1] == "norm" else 0) for name, part in parts.items()}


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
    """Set each group to ``lr`` times its ``scale``."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"]


class Ema:
    """The running mean of the trained weights (exponential moving average), smoother than those of the last step.

    The decay is (1 + step) / (10 + step), and at most ``decay``, so that the random start is forgotten early.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.clone() for name, value in trainable_weights(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the weights of the model after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mean, new = (
            [local_part(value) for value in weights.values()] for weights in (self.weights, trainable_weights(model))
        )
        torch._foreach_lerp_(mean, new, 1 - decay)  # type: ignore[attr-defined]  # one pass over all


def trainable_weights(model: nn.Module) -> dict[str, Tensor]:
    """The trainable parameters by name; frozen parts are built again from their own files."""
    return {name: value.detach() for name, value in model.named_parameters() if value.requires_grad}
