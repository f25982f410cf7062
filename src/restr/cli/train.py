"""``restr train``: train a preset, on drawn scenes that need no file."""

from __future__ import annotations

import dataclasses
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr.errors import DataError
from restr.files import write_whole
from restr.presets import preset
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.training.trainer import TrainResult

logger = logging.getLogger("restr")

SETTINGS = TrainConfig(steps=6_000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", evaluate_every=1000, ema=0.998)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model and save it as a folder that ``restr predict --model`` and ``Segmenter.from_pretrained`` read.

    Photographs are trained by recipes/restr_small.
    """

    out: Path
    """Folder for checkpoints, log, curves and, at the end, the model (DIR/model)."""

    data: Literal["generated"] = "generated"
    """What to train on; "generated" draws shapes and sentences as they are used."""

    preset: str = "restr_tiny"
    """Which model."""

    scenes: int = 20_000
    """How many different scenes to train on."""

    per_scene: int = 8
    """Sentences a scene."""

    batch: int = 32
    """Sentences a step, a multiple of per-scene."""

    grammar: Literal["plain", "everyday"] = "plain"
    """The words: "plain" is about 70 words, "everyday" the photographs' grammar with synonyms and typos."""

    validation_scenes: int = 256
    """How many unseen scenes to measure on."""

    overfit: bool = False
    """Measure on the training scenes, not on unseen ones."""

    resume: bool = False
    """Continue the run in DIR."""

    dice_weight: float = 1.0
    """Weight of the Dice term of the loss."""

    patch_weight: float = 0.1
    """Weight of the loss on patches (0.1 in the paper)."""

    patch_share: float | None = 0.8
    """A patch is foreground where more than this share of it is; None takes the share itself as its label."""

    threads: int = 0
    """For torch; 0 leaves the choice to it."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = SETTINGS


def main(arguments: Sequence[str]) -> int:
    """Parse, train, report; 0 when finished or out of time, 128 + n when stopped by signal n."""
    settings = tyro.cli(Train, prog="restr train", args=list(arguments))
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
    from restr.data.generated import UNSEEN_SEED, GeneratedScenes, vocabulary
    from restr.losses import segmentation_loss
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.text.tokenizer import Tokenizer
    from restr.training.curves import plot_curves
    from restr.training.trainer import Trainer
    from restr.training.validate import measure, measure_swaps

    if settings.threads:
        torch.set_num_threads(settings.threads)
    words = vocabulary(settings.grammar)
    config = preset(settings.preset, vocab=len(words))
    seed = settings.train.seed
    side = config.preprocess.size
    scenes, unseen = (
        GeneratedScenes(count, first, size=side, per_scene=settings.per_scene, grammar=settings.grammar)
        for count, first in ((settings.scenes, seed), (settings.validation_scenes, UNSEEN_SEED))
    )
    measured = scenes if settings.overfit else unseen
    tokenizer = Tokenizer.of(words, config)
    trainer = Trainer(
        build_model(config, seed=seed),
        SampleBatches(scenes, tokenizer, config, size=settings.batch, seed=seed, together=settings.per_scene),
        settings.train,
        settings.out,
        resume=settings.resume,
        loss=functools.partial(
            segmentation_loss,
            dice_weight=settings.dice_weight,
            patch_weight=settings.patch_weight,
            patch_share=settings.patch_share,
        ),
        evaluate=functools.partial(measure, samples=measured, tokenizer=tokenizer),
    )
    result = trainer.fit()
    model = trainer.load_averaged()
    save_pretrained(model, words, settings.out / "model")
    if result.stopped is None and settings.grammar == "plain":
        result = dataclasses.replace(result, metrics=result.metrics | measure_swaps(model, measured, tokenizer))
    write_whole(settings.out / "metrics.json", json.dumps(result.metrics, indent=2) + "\n")
    try:
        plot_curves(settings.out / "log.jsonl", settings.out / "curves.png")
    except DataError as error:  # matplotlib comes with an extra; a finished run is not to fail for a picture
        logger.warning("no curves: %s", error)
    return result
