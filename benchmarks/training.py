"""The trainer's overhead over a bare loop, and its waiting time for data.

    python benchmarks/training.py
    python benchmarks/training.py --rounds 9 --json training.json

Overhead: ``restr_tiny`` on batches that lie ready in memory, one thread; a bare loop (zero_grad, forward, loss, backward,
clipping, AdamW) and ``Trainer.fit`` take turns at the same steps, and the median of each turn's own ratio is what counts. Once
with all that the trainer does by default (running mean, log every 50 steps, a checkpoint at the end), once without the running
mean, which the bare loop does not have either. Data wait: photographs in the REFER layout (``benchmarks/data.py``'s: 640 x 480,
three regions a picture) read, prepared and trained on at 480 by ``restr_small`` with a ViT at random, one worker beside one
training process; the share of the time that a step waited for its batch, as the run's log has it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from data import WORDS, make_dataset

from restr.data.batch import Batch, SampleBatches
from restr.data.fitted import FittedSamples
from restr.data.generated import GeneratedScenes, vocabulary
from restr.files import write_atomically
from restr.formats.catalog import open_dataset
from restr.losses import segmentation_loss
from restr.model.build import build_model
from restr.model.device import keep_freed_memory
from restr.presets import restr_small, restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.config import TrainConfig
from restr.training.loop.forward import forward_batch
from restr.training.loop.optim import build_optimizer, learning_rate, set_learning_rate
from restr.training.loop.task import Task
from restr.training.loop.trainer import Trainer
from restr.training.run.log import read

QUIET = {"save_every": 10**9, "save_minutes": 1e9, "evaluate_every": 10**9}


class Ready:
    """Batches that lie in memory, over and over."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches

    def batch(self, step: int) -> Batch:
        return self.batches[step % len(self.batches)]


def ready_batches() -> Ready:
    words = vocabulary()
    config = restr_tiny(vocab=len(words))
    scenes = GeneratedScenes(64, 0, size=config.preprocess.size, per_scene=4)
    source = SampleBatches(scenes, Tokenizer.of(words, config), config, size=32, together=4)
    return Ready([source.batch(step) for step in range(len(source))])


def bare(batches: Ready, config: TrainConfig) -> Callable[[], None]:
    """The least that trains the model."""
    model = build_model(restr_tiny(vocab=len(vocabulary())), seed=0).train()
    optimizer = build_optimizer(model, config)

    def loop() -> None:
        for step in range(config.steps):
            set_learning_rate(optimizer, learning_rate(step, config))
            batch = batches.batch(step)
            optimizer.zero_grad(set_to_none=True)
            loss = segmentation_loss(forward_batch(model, batch), batch.mask).total
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            loss.item()

    return loop


def trainer(batches: Ready, config: TrainConfig, root: Path) -> Callable[[], None]:
    """The same by ``Trainer``."""

    def loop() -> None:
        with tempfile.TemporaryDirectory(dir=root) as folder:
            model = build_model(restr_tiny(vocab=len(vocabulary())), seed=0)
            run = Trainer(Task(model=model, words=vocabulary(), batches=batches), config, folder)
            start = time.perf_counter()
            run.fit()
            taken.append(time.perf_counter() - start)

    taken: list[float] = []
    loop.taken = taken  # type: ignore[attr-defined]
    return loop


def overhead(rounds: int, steps: int, root: Path) -> dict[str, float]:
    """The trainer's extra time, as a share of the bare loop's time."""
    batches = ready_batches()
    settings = TrainConfig(steps=steps, lr=1e-4, **QUIET)
    plain = bare(batches, settings)
    ways = {
        "without the running mean": trainer(batches, dataclasses.replace(settings, ema=0.0), root),
        "with all defaults": trainer(batches, settings, root),
    }
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    plain()
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            plain()
            one = time.perf_counter() - start
            way()
            if number:  # the first turn warms up
                ratios[name].append(way.taken[-1] / one - 1)  # type: ignore[attr-defined]
    return {name: statistics.median(values) for name, values in ratios.items()}


def data_wait(steps: int, root: Path) -> dict[str, float]:
    """The mean share of a step's time spent waiting, after the first steps, and samples per second."""
    data = root / "data"
    data.mkdir()
    make_dataset(data, 900, 100)
    samples = open_dataset("refcoco:unc:train", data)
    words = Vocabulary(tuple(sorted(set(WORDS))))
    config = restr_small(vocab=len(words))
    config = dataclasses.replace(config, preprocess=dataclasses.replace(config.preprocess, fit="letterbox"))
    source = SampleBatches(FittedSamples(samples, config.framing), Tokenizer.of(words, config), config, size=8)
    settings = TrainConfig(steps=steps, workers=1, log_every=1, device="cpu", **QUIET)
    task = Task(model=build_model(config, seed=0), words=words, batches=source)
    Trainer(task, settings, root / "run").fit()
    lines = [line for line in read(root / "run" / "log.jsonl") if "data_wait" in line][2:]
    return {name: statistics.fmean(line[name] for line in lines) for name in ("data_wait", "samples_per_s")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100, help="steps of a turn")
    parser.add_argument("--data-steps", type=int, default=12)
    parser.add_argument("--json", type=Path, default=None, help="also write the report there")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "overhead": overhead(chosen.rounds, chosen.steps, Path(folder)),
            "data": data_wait(chosen.data_steps, Path(folder)),
        }
    for name, share in found["overhead"].items():
        print(f"the trainer over a bare loop, {name}: {100 * share:+.1f}%")
    data = found["data"]
    print(
        f"waiting for data: {100 * data['data_wait']:.1f}% of a step, at {data['samples_per_s']:.2f} samples a second"
    )
    if chosen.json:
        write_atomically(chosen.json, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
