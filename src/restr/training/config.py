"""How to train: everything that a run's result depends on, and how it is watched and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restr.errors import ConfigError
from restr.fields import at_least, one_of


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of one training run.

    steps: length of the run and of the learning-rate schedule. warmup: share of the steps. vision_lr_scale: the
    vision encoder's share of the learning rate (0.1 in the paper, 1 from scratch). layer_decay: each vision block gets this
    share of the learning rate of the block above it (BEiT, Bao et al. 2022); 1 for all alike. clip: largest gradient
    norm, 0 for none. ema: decay of the running mean of the weights, 0 for none. max_minutes: stop this call after so long,
    0 for no limit; the schedule's horizon stays ``steps``. best: the metric of ``evaluate`` whose highest value is kept as
    best.pt. patience: stop after so many evaluations without a new best, 0 for never. evaluate_every: steps between
    evaluations, 0 for one at the end. keep: newest checkpoints that are not deleted. workers: processes that prepare
    batches, for each process that trains; 0 for none. loggers: where else the log goes (tensorboard, wandb, mlflow, trackio).

    accumulate: batches that make up one step, over all processes together, so that a run is the same however many
    processes share it; 0 for one batch a process. strategy: how the processes that torchrun starts share the work: each
    holds the whole model (ddp), or a part of it (fsdp). autocast: compute in bf16 or fp16 where that is safe.
    compile: fuse the model's operations first (torch.compile). recompute: keep no activations of Transformer blocks, compute them
    again for the gradient: slower, in less memory.

    What may go wrong: skips: steps in a row that are left out because loss or gradient is no number; then back to the last
    checkpoint with half the learning rate, at most rollbacks times. unreadable: samples that may be unreadable in a run, each
    replaced by another of its batch.
    """

    steps: int = 10_000
    lr: float = 3e-4
    vision_lr_scale: float = 0.1
    layer_decay: float = 1.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.05
    schedule: Literal["poly", "cosine"] = "poly"
    power: float = 0.9
    final_lr: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    accumulate: int = 0
    strategy: Literal["ddp", "fsdp"] = "ddp"
    autocast: Literal["off", "bf16", "fp16"] = "off"
    compile: bool = False
    recompute: bool = False
    device: str = "auto"
    seed: int = 0
    workers: int = 0
    log_every: int = 50
    loggers: tuple[str, ...] = ()
    evaluate_every: int = 0
    save_every: int = 1000
    save_minutes: float = 5.0
    keep: int = 2
    best: str = "miou"
    patience: int = 0
    max_minutes: float = 0.0
    skips: int = 3
    rollbacks: int = 1
    unreadable: int = 20

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "save_every", "keep"):
            at_least(self, name, 1)
        for name in ("evaluate_every", "workers", "patience", "accumulate", "skips", "rollbacks", "unreadable", "seed"):
            at_least(self, name, 0)
        for name in ("weight_decay", "clip", "max_minutes", "vision_lr_scale"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in ("ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        if not 0 < self.layer_decay <= 1:
            raise ConfigError(f"layer_decay is {self.layer_decay}; it must be in (0, 1], 1 for no decay")
        one_of(self, "schedule", "autocast", "strategy")
        if self.strategy == "fsdp" and self.autocast == "fp16":
            raise ConfigError("autocast is fp16 with strategy fsdp; choose bf16, whose range needs no loss scaling")
        if self.lr <= 0 or self.save_minutes <= 0:
            raise ConfigError(f"lr is {self.lr}, save_minutes {self.save_minutes}; both must be above 0")


# Settings that may change between a run and its continuation without changing what is learnt.
WATCHING = frozenset({"device", "workers", "log_every", "loggers", "evaluate_every", "save_every", "save_minutes", "keep",
                      "best", "max_minutes", "strategy", "compile", "recompute", "skips", "rollbacks", "unreadable"})  # fmt: skip
