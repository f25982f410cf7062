"""A program for torchrun: trains one small model in several ways, in one group of processes; see
test_distributed.py."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch

from restr.model.weights import save_pretrained
from restr.training.config import TrainConfig
from restr.training.loop import distributed
from restr.training.loop.task import Task
from restr.training.loop.trainer import Trainer
from restr.training.loop.validate import validate
from small_runs import WORDS, batches, samples, seeded, small_config, steady

STEPS = 50
SETTINGS = TrainConfig(
    steps=STEPS, lr=3e-3, ema=0.9, log_every=1, save_every=20, keep=9, evaluate_every=25, accumulate=2, clip=0.5
)


def evaluate(model) -> dict[str, float]:
    return validate(model, samples(), batches(model.config).tokenizer)


def run(folder: Path, settings: TrainConfig, *, resume: bool = False) -> Trainer:
    """Train, and leave the model's averaged weights in ``folder/model``."""
    config = steady(small_config())
    task = Task(model=seeded(config), words=WORDS, batches=batches(config), evaluate=evaluate)
    trainer = Trainer(task, settings, folder, resume=resume)
    trainer.fit()
    model = trainer.load_averaged()
    if distributed.is_first():
        save_pretrained(model, WORDS, folder / "model")
    return trainer


def main(root: Path) -> None:
    torch.set_num_threads(1)
    with distributed.process_group("cpu"):
        run(root / "ddp", SETTINGS)
        sharded = run(root / "fsdp", dataclasses.replace(SETTINGS, strategy="fsdp"))
        model, _ = sharded.load_chosen()
        if distributed.is_first():
            save_pretrained(model, WORDS, root / "fsdp" / "chosen")
        # interrupted with one strategy, resumed with the other
        half = dataclasses.replace(SETTINGS, max_minutes=1e-9)
        run(root / "mixed", dataclasses.replace(half, strategy="fsdp"))
        run(root / "mixed", SETTINGS, resume=True)
        # each process accumulates batches before gradients are exchanged
        run(root / "four", dataclasses.replace(SETTINGS, steps=3, accumulate=4, strategy="fsdp"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
