"""``restr train``: train a preset, on drawn scenes that need no file."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr.errors import ConfigError, DataError
from restr.presets import PRESETS, preset
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.training.trainer import TrainResult

logger = logging.getLogger("restr")

VALIDATION_SEED = 1_000_003  # scenes that no training seed below it draws
SETTINGS = TrainConfig(steps=6_000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", evaluate_every=1000, ema=0.998)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model and save it as a folder that ``Segmenter.from_pretrained`` reads.

    data: "generated" draws shapes and sentences (photographs are trained by recipes/restr_small). out: checkpoints,
    log, curves and, at the end, the model under out/model. scenes: how many different ones to train on. overfit:
    measure on the training scenes, not on unseen ones. grammar: "plain" is 70 words, "everyday" the photographs'
    grammar with synonyms and typos. resume: continue the run in out. threads: for torch, 0 leaves it the choice.
    """

    out: Path
    data: Literal["generated"] = "generated"
    preset: str = "restr_tiny"
    scenes: int = 20_000
    per_scene: int = 8
    batch: int = 32
    grammar: Literal["plain", "everyday"] = "plain"
    validation_scenes: int = 256
    overfit: bool = False
    resume: bool = False
    dice_weight: float = 1.0
    threads: int = 0
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = SETTINGS


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, report; 0 when finished or out of time, 128 + n when stopped by signal n."""
    settings = tyro.cli(Train, args=None if argv is None else list(argv), prog="restr train", description=Train.__doc__)
    result = train(settings)
    if result.stopped and result.stopped.startswith("SIG"):
        print(f"stopped by {result.stopped} after step {result.step}; add --resume to continue in {settings.out}")
        return 128 + signal.Signals[result.stopped].value
    for name, value in result.metrics.items():
        print(f"{name:16} {value:.4f}")
    print(f"model, metrics.json, log.jsonl and curves.png in {settings.out}")
    return 0


def train(settings: Train) -> TrainResult:
    """Run the training that ``settings`` describe, save the model and measure whether it obeys side words."""
    import functools
    import json

    import torch

    from restr.data.batch import SampleBatches
    from restr.data.generated import GeneratedScenes, vocabulary
    from restr.losses import segmentation_loss
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.text.tokenizer import Tokenizer
    from restr.training.curves import plot_curves
    from restr.training.trainer import Trainer
    from restr.training.validate import measure, measure_swaps

    if settings.preset not in PRESETS:
        raise ConfigError(f"no preset {settings.preset!r}; choose one of {', '.join(PRESETS)}")
    if settings.batch % settings.per_scene:
        raise ConfigError(f"batch {settings.batch} must be a multiple of per_scene {settings.per_scene}")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    words = vocabulary(settings.grammar)
    config = preset(settings.preset, vocab=len(words))
    seed = settings.train.seed
    side = config.preprocess.size
    scenes, unseen = (
        GeneratedScenes(count, first, size=side, per_scene=settings.per_scene, grammar=settings.grammar)
        for count, first in ((settings.scenes, seed), (settings.validation_scenes, VALIDATION_SEED))
    )
    measured = scenes if settings.overfit else unseen
    tokenizer = Tokenizer(words, config.language.max_words)
    trainer = Trainer(
        build_model(config, seed=seed),
        SampleBatches(scenes, tokenizer, config, size=settings.batch, seed=seed, together=settings.per_scene),
        settings.train,
        settings.out,
        resume=settings.resume,
        loss=functools.partial(segmentation_loss, dice_weight=settings.dice_weight),
        evaluate=functools.partial(measure, samples=measured, tokenizer=tokenizer),
    )
    result = trainer.fit()
    model = trainer.load_averaged()
    save_pretrained(model, words, settings.out / "model")
    if result.stopped is None and settings.grammar == "plain":
        result = dataclasses.replace(result, metrics=result.metrics | measure_swaps(model, measured, tokenizer))
    write_atomically(settings.out / "metrics.json", json.dumps(result.metrics, indent=2) + "\n")
    try:
        plot_curves(settings.out / "log.jsonl", settings.out / "curves.png")
    except DataError as error:  # matplotlib comes with an extra; a finished run is not to fail for a picture
        logger.warning("no curves: %s", error)
    return result


def write_atomically(path: Path, text: str) -> None:
    """Write beside the target, then move."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
