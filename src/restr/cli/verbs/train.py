"""``restr train``: train a model, on a dataset or on drawn scenes that need no file."""

from __future__ import annotations

import dataclasses
import logging
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr import __version__
from restr.cli.options import parsed
from restr.errors import ConfigError, DataError
from restr.files import write_whole
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.model.restr import ReSTR
    from restr.training.run.run_state import TrainResult
    from restr.training.tasks import Setup

logger = logging.getLogger("restr")

_SETTINGS = TrainConfig(steps=6_000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", evaluate_every=1000, ema=0.998)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """Train a model and save it as a folder that ``restr predict --model`` and ``Segmenter.from_pretrained`` read.

    Without --data, shapes and sentences are drawn as they are used. To make the bundled model better on own data, see
    restr finetune, which a CPU can do.

    Example: restr train --data refcoco:unc:train --val refcoco:unc:val --root DATA --preset restr_base --vision vit.npz
    --vectors glove.txt --out runs/refcoco

    With several processes: torchrun --nproc-per-node 4 -m restr train ...
    """

    out: Path
    """Folder for checkpoints, log, curves and, at the end, the model (DIR/model)."""

    data: str = "generated"
    """What to train on: "generated", or a dataset as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH:SPLIT."""

    val: str | None = None
    """What to measure on while training (datasets only)."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    preset: str = "restr_tiny"
    """Which model."""

    model: Path | None = None
    """A trained model to start from, instead of a preset."""

    vision: Path | None = None
    """Weights for the preset's vision encoder: a ViT of timm, DINOv2, Hugging Face or the JAX release."""

    vectors: Path | None = None
    """Word vectors for the preset: a file of GloVe, word2vec or NumPy."""

    scenes: int = 20_000
    """How many different scenes to train on."""

    per_scene: int = 8
    """Sentences a scene."""

    batch: int = 32
    """Sentences a batch, a multiple of per-scene; --accumulate batches make up a step."""

    grammar: Literal["plain", "everyday"] = "plain"
    """The words: "plain" is about 70 words, "everyday" the photographs' grammar with synonyms and typos."""

    validation_scenes: int = 256
    """How many unseen scenes to measure on."""

    validation_samples: int = 512
    """How many samples of --val to measure on; a whole evaluation is restr eval's."""

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

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = _SETTINGS


def main(arguments: Sequence[str]) -> int:
    """Parse, train, report; 0 when finished or out of time, 128 + n when stopped by signal n."""
    settings = parsed(Train, "restr train", arguments)
    from restr.training.loop import distributed

    with distributed.joined(settings.train.device):
        result = train(settings, command=shlex.join(["restr", "train", *arguments]))
        first = distributed.is_first()
    if result.stopped and result.stopped.startswith("SIG"):
        if first:
            print(f"stopped by {result.stopped} after step {result.step}; add --resume to continue in {settings.out}")
        return 128 + signal.Signals[result.stopped].value
    if first:
        for name, value in result.metrics.items():
            print(f"{name:16} {value:.4f}")
        print(f"model, metrics.json, log.jsonl, curves.png, sheets and report.html in {settings.out}")
    return 0


def train(settings: Train, *, command: str = "") -> TrainResult:
    """Run the training that ``settings`` describe, save the model and measure it once more."""
    import functools

    import torch

    from restr.losses import segmentation_loss
    from restr.training.loop import distributed
    from restr.training.loop.trainer import Trainer
    from restr.training.run import record

    if settings.threads:
        torch.set_num_threads(settings.threads)
    setup = setup_of(settings)
    trainer = Trainer(
        setup.model,
        setup.batches,
        settings.train,
        settings.out,
        resume=settings.resume,
        loss=functools.partial(
            segmentation_loss,
            dice_weight=settings.dice_weight,
            patch_weight=settings.patch_weight,
            patch_share=settings.patch_share,
        ),
        evaluate=setup.evaluate,
        draw=setup.draw,
    )
    if distributed.is_first():
        record.begin(settings.out, "train", settings, version=__version__, command=command)
    result = trainer.fit()
    model = trainer.load_averaged()
    if result.stopped is None and setup.at_end:
        result = dataclasses.replace(result, metrics=result.metrics | setup.at_end(model))
    if distributed.is_first():
        keep(settings.out, model, setup, result)
    return result


def keep(folder: Path, model: ReSTR, setup: Setup, result: TrainResult) -> None:
    """Leave what a run has come to: the model, its measures, its curves."""
    import json

    from restr.model.weights import save_pretrained
    from restr.training.run import record
    from restr.training.run.curves import plot_curves
    from restr.training.run.report import write_run_report

    save_pretrained(model, setup.words, folder / "model")
    record.end(folder, step=result.step, stopped=result.stopped, metrics=result.metrics)
    write_whole(folder / "metrics.json", json.dumps(result.metrics, indent=2) + "\n")
    try:
        plot_curves(folder / "log.jsonl", folder / "curves.png")
    except DataError as error:  # matplotlib comes with an extra; a finished run is not to fail for a picture
        logger.warning("no curves: %s", error)
    write_run_report(folder)


def setup_of(settings: Train) -> Setup:
    """What to train on, and from where."""
    from restr.cli.notices import announce
    from restr.formats.catalog import open_dataset
    from restr.training.tasks import Start, on_dataset, on_scenes

    start = Start(preset=settings.preset, folder=settings.model, vision=settings.vision, vectors=settings.vectors)
    if settings.data == "generated":
        return on_scenes(
            start,
            scenes=settings.scenes,
            unseen=settings.validation_scenes,
            per_scene=settings.per_scene,
            batch=settings.batch,
            grammar=settings.grammar,
            overfit=settings.overfit,
            seed=settings.train.seed,
        )
    if settings.val is None:
        raise ConfigError(f"--data {settings.data} needs --val, what to measure on while training (refcoco:unc:val)")
    return on_dataset(
        start,
        announce(open_dataset(settings.data, settings.root), settings.data),
        announce(open_dataset(settings.val, settings.root), settings.val),
        batch=settings.batch,
        measured=settings.validation_samples,
        seed=settings.train.seed,
    )
