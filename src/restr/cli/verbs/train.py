"""``restr train``: train a model, on a dataset or on drawn scenes that need no file."""

from __future__ import annotations

import dataclasses
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr import __version__
from restr.cli.options import RootOptions, SettingOptions, ThreadOptions, parse_options
from restr.errors import ConfigError, DataError
from restr.files import write_atomically
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.model.restr import ReSTR
    from restr.training.loop.state import ChosenWeights, TrainResult
    from restr.training.loop.task import Task

_logger = logging.getLogger("restr")

_SETTINGS = TrainConfig(steps=6_000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", evaluate_every=1000, ema=0.998)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train(RootOptions, SettingOptions, ThreadOptions):
    """Train a model and save it as a folder that ``restr predict --model`` and ``Segmenter.from_pretrained`` read.

    Without --data, scenes of shapes are drawn while training. To improve the bundled model on your own data, see restr
    finetune, which a CPU can do.

    Example: restr train --data refcoco:unc:train --val refcoco:unc:val --root DATA --preset restr_base --vision vit.npz
    --vectors glove.txt --lr 1e-5 --vision-lr-scale 0.1 --out runs/refcoco

    With all of the paper's settings: restr train --config recipes/refcoco/config.toml --root DATA --vision vit.npz
    --vectors glove.txt --out runs/refcoco

    With several processes: torchrun --nproc-per-node 4 -m restr train ...
    """

    out: Path
    """Folder for checkpoints, log, curves and, at the end, the model (OUT/model): the best weights by --best on what is
    measured while training, else the last."""

    data: str = "generated"
    """What to train on: "generated", or a dataset as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH:SPLIT."""

    val: str | None = None
    """What to measure on while training; needed with a dataset."""

    preset: str = "restr_tiny"
    """Which model to build."""

    model: Path | None = None
    """A trained model to start from, instead of a preset: as for restr predict."""

    vision: Path | None = None
    """Weights for the vision encoder, in place of --model's too: a ViT of timm, DINOv2, Hugging Face or the JAX release."""

    vectors: Path | None = None
    """Word vectors: a file of GloVe, word2vec or NumPy. With --model, for the words that it lacks."""

    scenes: int = 20_000
    """How many different scenes to train on."""

    per_scene: int = 8
    """Sentences per scene."""

    batch: int = 32
    """Sentences per batch, a multiple of --per-scene; a step has --accumulate batches."""

    grammar: Literal["plain", "everyday"] = "plain"
    """The words: "plain" is about 70 words, "everyday" the photographs' grammar with synonyms and typos."""

    validation_scenes: int = 256
    """How many unseen scenes to measure on."""

    validation_samples: int = 512
    """How many samples of --val to measure on, at the pictures' own sizes, to choose the best weights; 0 for all."""

    overfit: bool = False
    """Measure on the training scenes instead of unseen ones."""

    resume: bool = False
    """Continue the run in --out."""

    dice_weight: float = 1.0
    """Weight of the Dice term of the loss."""

    patch_weight: float = 0.1
    """Weight of the loss on patches (0.1 in the paper)."""

    patch_share: float | None = 0.8
    """A patch is foreground where more than this share of it is; None takes the share itself as its label."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = _SETTINGS
    """Settings of the run."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns 0, or 128 + n if signal n stopped it. Raises ``RestrError``."""
    settings = parse_options(Train, "restr train", arguments)
    from restr.training.loop import distributed
    from restr.training.loop.state import exit_code

    with distributed.process_group(settings.train.device):
        result, chosen = train(settings, command=shlex.join(["restr", "train", *arguments]))
        first = distributed.is_first()
    code = exit_code(result.stopped)
    if first and code:
        print(f"stopped by {result.stopped} after step {result.step}; add --resume to continue in {settings.out}")
    elif first:
        for name, value in chosen.metrics.items():
            print(f"{name:16} {value:.4f}")
        print(f"model, metrics.json, log.jsonl, curves.png, sheets and report.html in {settings.out}")
    if first:
        print(f"{settings.out / 'model'} has {chosen}; the run is at step {result.step:,}")
    return code


def train(settings: Train, *, command: str = "") -> tuple[TrainResult, ChosenWeights]:
    """Train as ``settings`` say, save the model and its metrics: the best weights by --best, else the last."""
    import functools

    from restr.losses import segmentation_loss
    from restr.training.loop import distributed
    from restr.training.loop.trainer import Trainer
    from restr.training.run import record

    settings.limit_torch()
    loss = functools.partial(
        segmentation_loss,
        dice_weight=settings.dice_weight,
        patch_weight=settings.patch_weight,
        patch_share=settings.patch_share,
    )
    task = dataclasses.replace(task_of(settings), loss=loss)
    trainer = Trainer(task, settings.train, settings.out, resume=settings.resume)
    if distributed.is_first():
        record.begin(settings.out, "train", settings, version=__version__, command=command)
    result = trainer.fit()
    model, chosen = trainer.load_chosen()
    if result.stopped is None and task.final:
        chosen = dataclasses.replace(chosen, metrics=chosen.metrics | task.final(model))
    if distributed.is_first():
        _save(settings.out, model, task, result, chosen)
    return result, chosen


def _save(folder: Path, model: ReSTR, task: Task, result: TrainResult, chosen: ChosenWeights) -> None:
    """Write the results of a run: the model, its metrics, curves and report."""
    import json

    from restr.model.weights import save_pretrained
    from restr.training.run import record
    from restr.training.run.curves import plot_curves
    from restr.training.run.report import write_run_report

    save_pretrained(model, task.words, folder / "model")
    _logger.info("%s has %s", folder / "model", chosen)
    record.end(
        folder,
        step=result.step,
        stopped=result.stopped,
        metrics=chosen.metrics,
        model_step=chosen.step,
        best_by=chosen.best_by,
    )
    measures = {"step": chosen.step, **chosen.metrics}
    write_atomically(folder / "metrics.json", json.dumps(measures, indent=2) + "\n")
    try:
        plot_curves(folder / "log.jsonl", folder / "curves.png")
    except DataError as error:  # matplotlib comes with an extra; a finished run must not fail for a picture
        _logger.warning("no curves: %s", error)
    write_run_report(folder)


def task_of(settings: Train) -> Task:
    """The task that the options describe. Raises ``ConfigError`` if --val is missing."""
    from restr.cli.notices import announce
    from restr.config.settings import parse_settings
    from restr.formats.catalog import open_dataset
    from restr.inference.locate import model_folder
    from restr.training import tasks
    from restr.training.start import Start

    start = Start(
        preset=settings.preset,
        settings=parse_settings(settings.set),
        folder=model_folder(settings.model) if settings.model else None,
        vision=settings.vision,
        vectors=settings.vectors,
    )
    if settings.data == "generated":
        return tasks.scenes(
            start,
            count=settings.scenes,
            unseen=settings.validation_scenes,
            per_scene=settings.per_scene,
            batch=settings.batch,
            grammar=settings.grammar,
            overfit=settings.overfit,
            seed=settings.train.seed,
        )
    if settings.val is None:
        raise ConfigError(f"--data {settings.data} needs --val, what to measure on while training (refcoco:unc:val)")
    return tasks.dataset(
        start,
        announce(open_dataset(settings.data, settings.root), settings.data),
        announce(open_dataset(settings.val, settings.root), settings.val),
        batch=settings.batch,
        measured=settings.validation_samples,
        seed=settings.train.seed,
    )
