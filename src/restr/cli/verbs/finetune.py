"""``restr finetune``: improve a trained model on your own pictures."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restr import __version__
from restr.cli.options import ComputeOptions, DatasetOptions, parse_options
from restr.errors import ConfigError

if TYPE_CHECKING:
    from restr.data.dataset import IndexedSamples
    from restr.model.restr import ReSTR
    from restr.training.cached.features import FeatureStore
    from restr.training.config import TrainConfig
    from restr.training.finetune import OwnPicture, PictureSplit

_ROUNDS = 60  # over the pictures, unless --steps says otherwise


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetune(DatasetOptions, ComputeOptions):
    """Train the bundled model further on your own pictures and sentences, on a CPU too, and measure the gain.

    The vision encoder is not trained, so each picture goes through it once; fusion, language encoder and decoder are
    trained. New words are learnt. Against forgetting, every second batch asks ordinary sentences about your pictures
    and trains the model to give its old answers. If the data has the splits "train" and "val", they are used; else
    every 8th picture is held out to measure with. Training stops when the held-out pictures no longer improve. The same
    command resumes an interrupted run.

    Example: restr finetune jsonl:mine.jsonl --out runs/mine
    """

    out: Path
    """Folder for model/, report/, log.jsonl, curves.png, the encoded pictures and checkpoints."""

    model: Path | None = None
    """A model to start from, as for restr predict (default: the bundled model)."""

    steps: int = 0
    """Longest run, in steps; 0 for 60 rounds over the pictures, but between 100 and 2000 steps."""

    lr: float = 2e-4
    """Highest learning rate."""

    batch: int = 16
    """Sentences per step, two for each picture."""

    rehearse: bool = True
    """Make every second batch of ordinary sentences, against forgetting; --no-rehearse if only your own data counts."""

    patience: int = 5
    """Stop after this many measurements without a new best; 0 for never."""

    max_minutes: float = 0.0
    """Stop training after this many minutes; 0 for no limit."""

    seed: int = 0
    """Seed of the order of the pictures."""

    autocast: Literal["off", "bf16"] = "off"
    """"bf16" computes in bfloat16: faster on processors and GPUs that have it."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns 0, or 128 + n if signal n stopped it. Raises ``RestrError``."""
    settings = parse_options(Finetune, "restr finetune", arguments)
    from restr.training.loop.state import exit_code

    return exit_code(finetune(settings, command=shlex.join(["restr", "finetune", *arguments])))


def finetune(settings: Finetune, *, command: str = "") -> str | None:
    """Encode, train, measure before and after, save; returns why training stopped early, if it did."""
    from restr.cli.finetune_report import measure_pictures, print_new_words, write_finetune_report
    from restr.cli.notices import announce
    from restr.inference.segmenter import Segmenter
    from restr.model.weights import save_pretrained
    from restr.training.finetune import split_pictures
    from restr.training.loop import checkpoint
    from restr.training.loop.trainer import Trainer
    from restr.training.new_words import merge_learnt_rows
    from restr.training.run import record
    from restr.training.tasks import own_pictures

    settings.limit_torch()
    samples = announce(settings.open(), settings.data)
    split = split_pictures(samples)
    # Without a cache of encoded images: training changes the model.
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device, backend="own", cache_bytes=0)
    train, val, store = _encoded(segmenter.model, samples, split, settings.out / "features")
    before = measure_pictures(segmenter, val, store)
    known = segmenter.tokenizer.vocabulary
    task = own_pictures(
        segmenter.model,
        known,
        [picture.photograph for picture in train],
        [picture.photograph for picture in val],
        store,
        batch=settings.batch,
        rehearse=settings.rehearse,
        seed=settings.seed,
    )
    config = train_config(settings, pictures=len(train))
    trainer = Trainer(task, config, settings.out, resume=bool(checkpoint.list_checkpoints(settings.out)))
    print_new_words(known, task.words)
    record.begin(settings.out, "finetune", settings, version=__version__, command=command)
    result = trainer.fit()
    model, chosen = trainer.load_chosen()
    record.end(
        settings.out,
        step=result.step,
        stopped=result.stopped,
        metrics=chosen.metrics,
        model_step=chosen.step,
        best_by=chosen.best_by,
    )
    if result.stopped and result.stopped.startswith("SIG"):
        print(f"stopped by {result.stopped} after step {result.step}; the same command resumes it")
        return result.stopped
    print(f"{settings.out / 'model'} has {chosen}")
    merge_learnt_rows(model)
    model.decoder.coarse = 0
    save_pretrained(model, task.words, settings.out / "model", int8=True)
    numbers = [number for group in split.val for number in group]
    tuned = Segmenter.from_pretrained(settings.out / "model", device=settings.device, backend="own")
    after = measure_pictures(tuned, val, store)
    write_finetune_report(settings.data, samples, numbers, before, after, settings.out, command)
    return result.stopped


def _encoded(
    model: ReSTR, samples: IndexedSamples, split: PictureSplit, folder: Path
) -> tuple[list[OwnPicture], list[OwnPicture], FeatureStore]:
    """The pictures to train on and to measure with, and the store of their features in ``folder``."""
    from restr.cli.progress import progress_bar
    from restr.training.finetune import open_pictures

    train, val = len(split.train), len(split.val)
    sentences = sum(map(len, split.train)), sum(map(len, split.val))
    print(f"{train} pictures with {sentences[0]} sentences to train on, {val} with {sentences[1]} to measure with")
    with progress_bar() as bar:
        task = bar.add_task("encoding pictures", total=train + val)
        pictures, store = open_pictures(
            model, samples, (*split.train, *split.val), folder, progress=lambda done: bar.advance(task, done)
        )
    return pictures[:train], pictures[train:], store


def train_config(settings: Finetune, *, pictures: int) -> TrainConfig:
    """The settings of the training; it is evaluated about every two rounds over the pictures."""
    from restr.training.config import TrainConfig

    if settings.batch < 2 or settings.batch % 2:
        raise ConfigError(f"batch is {settings.batch}; it must be even, as each picture gives two sentences")
    round_ = -(-pictures // (settings.batch // 2))
    steps = settings.steps or min(max(_ROUNDS * round_, 100), 2000)
    return TrainConfig(
        steps=steps,
        lr=settings.lr,
        betas=(0.9, 0.98),
        weight_decay=0.02,
        clip=0.5,
        ema=0.99,
        best="miou",  # less noisy than oIoU on few pictures, where large masks outvote all others
        patience=settings.patience,
        evaluate_every=min(max(2 * round_, 25), steps),
        log_every=10,
        save_every=max(steps // 4, 1),
        max_minutes=settings.max_minutes,
        seed=settings.seed,
        device=settings.device,
        autocast=settings.autocast,
        accumulate=2 if settings.rehearse else 1,
    )
