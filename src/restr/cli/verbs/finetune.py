"""``restr finetune``: a trained model made better on data of one's own."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr import __version__
from restr.cli.options import parsed
from restr.errors import ConfigError

if TYPE_CHECKING:
    from restr.training.config import TrainConfig

_ROUNDS = 60  # over the pictures, at most


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train the bundled model further on your own pictures and sentences, on a CPU too, and say what it gained.

    The vision encoder stays as it is, so each picture goes through it once; fusion, language encoder and decoder are
    trained. Words that the model does not know are learnt; what it knew is kept, as every second batch asks ordinary
    sentences about your pictures and holds the model to its old answers. With the splits "train" and "val" in the data these
    are used, else every eighth picture is held out to measure with. Stops when the held-out pictures gain no more. The same
    command goes on with a run that was stopped.

    Example: restr finetune jsonl:mine.jsonl --out runs/mine
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval but without a split: FORM:PATH or NAME[:SPLITTER]."""

    out: Path
    """Folder for model/, report/, log.jsonl, curves.png, the encoded pictures and checkpoints."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    model: Path | None = None
    """A model folder to start from (default: the bundled model)."""

    steps: int = 0
    """Longest run in steps; 0 for sixty rounds over the pictures, between 100 and 2000 steps."""

    lr: float = 2e-4
    """Highest learning rate."""

    batch: int = 16
    """Sentences a step, two of each picture."""

    rehearse: bool = True
    """Every second batch on ordinary sentences, against forgetting; --no-rehearse where only your own data counts."""

    patience: int = 5
    """Stop after so many measurements without a new best; 0 for never."""

    max_minutes: float = 0.0
    """Stop training after so long, 0 for no limit."""

    seed: int = 0
    """Of the order of the pictures."""

    autocast: Literal["off", "bf16"] = "off"
    """"bf16" computes in bfloat16: faster on processors and GPUs that have it."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""

    threads: int = 0
    """For torch; 0 leaves the choice to it."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; 0 when finished, 128 + n when stopped by signal n. Raises ``RestrError``."""
    import signal

    settings = parsed(Finetune, "restr finetune", arguments)
    stopped = finetune(settings, command=shlex.join(["restr", "finetune", *arguments]))
    return 128 + signal.Signals[stopped].value if stopped and stopped.startswith("SIG") else 0


def finetune(settings: Finetune, *, command: str = "") -> str | None:
    """Encode, train, measure before and after, save; returns why training stopped early, if it did."""
    import torch

    from restr.cli.finetune_report import measure_pictures, print_new_words, write_finetune_report
    from restr.cli.notices import announce
    from restr.cli.progress import progress_bar
    from restr.formats.catalog import open_all_splits
    from restr.inference.segmenter import Segmenter
    from restr.model.weights import save_pretrained
    from restr.training.finetune import divide, finetuner, open_pictures
    from restr.training.loop import checkpoint
    from restr.training.new_words import settle
    from restr.training.run import record

    if settings.threads:
        torch.set_num_threads(settings.threads)
    samples = announce(open_all_splits(settings.data, settings.root), settings.data)
    parts = divide(samples)
    # Without a cache of encoded images, for the model will change.
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device, cache_bytes=0)
    count = sum(map(len, parts.train)), sum(map(len, parts.val))
    print(
        f"{len(parts.train)} pictures with {count[0]} sentences to train on, {len(parts.val)} with {count[1]} to measure with"
    )
    with progress_bar() as bar:
        task = bar.add_task("encoding pictures", total=len(parts.train) + len(parts.val))
        pictures, store = open_pictures(
            segmenter.model,
            samples,
            (*parts.train, *parts.val),
            settings.out / "features",
            progress=lambda done: bar.advance(task, done),
        )
    train, val = pictures[: len(parts.train)], pictures[len(parts.train) :]
    before = measure_pictures(segmenter, val, store)
    known = segmenter.tokenizer.vocabulary
    trainer, vocabulary = finetuner(
        segmenter.model,
        segmenter.tokenizer,
        [picture.photograph for picture in train],
        [picture.photograph for picture in val],
        store,
        train_config(settings, pictures=len(parts.train)),
        settings.out,
        batch=settings.batch,
        resume=bool(checkpoint.saved(settings.out)),
    )
    print_new_words(known, vocabulary)
    record.begin(settings.out, "finetune", settings, version=__version__, command=command)
    result = trainer.fit()
    record.end(settings.out, step=result.step, stopped=result.stopped, metrics=result.metrics)
    if result.stopped and result.stopped.startswith("SIG"):
        print(f"stopped by {result.stopped} after step {result.step}; the same command goes on")
        return result.stopped
    model = trainer.load_best()
    settle(model)
    model.decoder.coarse = 0
    save_pretrained(model, vocabulary, settings.out / "model", int8=True)
    numbers = [number for group in parts.val for number in group]
    after = measure_pictures(Segmenter.from_pretrained(settings.out / "model", device=settings.device), val, store)
    write_finetune_report(settings.data, samples, numbers, before, after, settings.out, command)
    return result.stopped


def train_config(settings: Finetune, *, pictures: int) -> TrainConfig:
    """The trainer's settings: measured about every two rounds over the pictures."""
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
        best="miou",  # of few pictures the less noisy one: large masks do not outvote all others
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
