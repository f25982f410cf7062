"""How to train: everything that a run's result depends on, and how it is watched and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from restr.errors import ConfigError
from restr.fields import at_least, one_of


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of one training run: schedule, optimiser, compute, watching, saving, and what a run tolerates."""

    # --- schedule ---

    steps: int = 10_000
    """Length of the run and of the learning-rate schedule."""

    lr: float = 3e-4
    """Highest learning rate."""

    vision_lr_scale: float = 0.1
    """Learning rate of the vision encoder, as a share of --lr: 0.1 in the paper, 1 from scratch."""

    layer_decay: float = 1.0
    """Learning rate of a vision block, as a share of that of the block above (BEiT, Bao et al. 2022); 1: all alike."""

    weight_decay: float = 0.01
    """Weight decay of AdamW; norms, biases, embeddings and learnt tokens are not decayed."""

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of AdamW's running means of the gradient and of its square."""

    warmup: float = 0.05
    """Share of the steps in which the learning rate rises linearly from 0."""

    schedule: Literal["poly", "cosine"] = "poly"
    """How the learning rate falls after the warm-up."""

    power: float = 0.9
    """Exponent of the poly schedule."""

    final_lr: float = 0.0
    """Learning rate at the end, as a share of --lr."""

    clip: float = 1.0
    """Largest norm of the gradient; longer gradients are scaled down to it. 0 for no limit."""

    ema: float = 0.999
    """Decay of the running mean of the weights, which is evaluated and saved as the model; 0 for none."""

    # --- compute ---

    accumulate: int = 0
    """Batches in one step, over all processes together, so that a run is the same on any number of processes; 0 for one
    batch per process."""

    strategy: Literal["ddp", "fsdp"] = "ddp"
    """How the processes started by torchrun share the model: each holds all of it (ddp), or a part (fsdp)."""

    autocast: Literal["off", "bf16", "fp16"] = "off"
    """Compute in half precision where that is safe."""

    compile: bool = False
    """Fuse the model's operations first (torch.compile)."""

    recompute: bool = False
    """Recompute the activations of Transformer blocks for the gradient instead of keeping them: slower, less memory."""

    device: str = "auto"
    """Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:1 ..."""

    seed: int = 0
    """Seed of the weights that start at random, of the order of the samples, and of dropout."""

    workers: int = 0
    """Processes that prepare batches, for each process that trains; 0 prepares them in the training process."""

    # --- watching ---

    log_every: int = 50
    """Steps between two lines of the log."""

    loggers: tuple[str, ...] = ()
    """Where the log goes besides log.jsonl: tensorboard, wandb, mlflow, trackio."""

    evaluate_every: int = 0
    """Steps between two evaluations; 0 for one at the end."""

    best: str = "miou"
    """The evaluation's metric whose highest value decides which weights become the model (and best.pt)."""

    patience: int = 0
    """Stop after this many evaluations without a new best; 0 for never."""

    # --- saving ---

    save_every: int = 1000
    """Steps between two checkpoints."""

    save_minutes: float = 5.0
    """Longest time between two checkpoints, in minutes."""

    keep: int = 2
    """How many of the newest checkpoints to keep."""

    max_minutes: float = 0.0
    """Stop this call after this many minutes; --resume continues the same schedule. 0 for no limit."""

    # --- tolerance ---

    skips: int = 3
    """Steps in a row that may be skipped for a non-finite loss or gradient; one more, and the run rolls back."""

    rollbacks: int = 1
    """How often a run may roll back to its last checkpoint, each time with half the learning rate."""

    unreadable: int = 20
    """How many samples of a run may be unreadable; each is replaced by another one of its batch."""

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


# Settings that may differ between a run and its continuation without changing the learnt weights.
WITHOUT_EFFECT = frozenset({"device", "workers", "log_every", "loggers", "evaluate_every", "save_every", "save_minutes",
                            "keep", "best", "max_minutes", "strategy", "compile", "recompute", "skips", "rollbacks",
                            "unreadable"})  # fmt: skip
