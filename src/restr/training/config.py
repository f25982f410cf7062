"""How to train: everything that a run's result depends on, and how it is watched and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restr.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of one training run.

    steps: length of the run and of the learning-rate schedule. warmup: share of the steps. vision_lr_scale: the
    vision encoder's share of the learning rate (0.1 in the paper, 1 from scratch). clip: largest gradient norm, 0
    for none. ema: decay of the running mean of the weights, 0 for none. autocast: "bf16" computes in bfloat16
    where that is safe, on CPU and GPU. accumulate: batches that make up one step. max_minutes: stop this call
    after so long, 0 for no limit; the schedule's horizon stays ``steps``. best: the metric of ``evaluate`` whose
    highest value is kept as best.pt. patience: stop after so many evaluations without a new best, 0 for never.
    evaluate_every: steps between evaluations, 0 for one at the end. keep: newest checkpoints that are not deleted.
    workers: processes that prepare batches, 0 for none.
    """

    steps: int = 10_000
    lr: float = 3e-4
    vision_lr_scale: float = 0.1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.05
    schedule: Literal["poly", "cosine"] = "poly"
    power: float = 0.9
    final_lr: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    accumulate: int = 1
    autocast: Literal["off", "bf16"] = "off"
    device: str = "auto"
    seed: int = 0
    workers: int = 0
    log_every: int = 50
    evaluate_every: int = 0
    save_every: int = 1000
    save_minutes: float = 5.0
    keep: int = 2
    best: str = "miou"
    patience: int = 0
    max_minutes: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("accumulate", 1), ("log_every", 1), ("save_every", 1), ("keep", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("weight_decay", "clip", "max_minutes", "evaluate_every", "workers", "vision_lr_scale", "patience"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in ("ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        for name, known in (("schedule", ("poly", "cosine")), ("autocast", ("off", "bf16"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")
        if self.lr <= 0 or self.save_minutes <= 0:
            raise ConfigError(f"lr is {self.lr}, save_minutes {self.save_minutes}; both must be above 0")


# Settings that may change between a run and its continuation without changing what is learnt.
WATCHING = frozenset({"device", "workers", "log_every", "evaluate_every", "save_every", "save_minutes", "keep",
                      "best", "max_minutes"})  # fmt: skip
