"""``restr finetune``: a trained model made better on data of one's own."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr import __version__
from restr.errors import ConfigError
from restr.files import write_whole

if TYPE_CHECKING:
    from restr.data.dataset import Samples
    from restr.evaluation.evaluate import EvaluationResult
    from restr.inference.segmenter import Segmenter
    from restr.training.config import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train the bundled model further on your own pictures and sentences, on a CPU too, and say what it gained.

    The vision encoder stays as it is, so each picture goes through it once; fusion, language encoder and decoder are
    trained. With the splits "train" and "val" in the data these are used, else every eighth picture is held out to measure
    with. Stops when the held-out pictures gain no more. The same command goes on with a run that was stopped.

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
    """Longest run in steps; 0 for thirty rounds over the pictures, between 100 and 2000 steps."""

    lr: float = 1e-4
    """Highest learning rate."""

    batch: int = 16
    """Sentences a step, two of each picture."""

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

    settings = tyro.cli(Finetune, prog="restr finetune", args=list(arguments))
    stopped = finetune(settings, command=shlex.join(["restr", "finetune", *arguments]))
    return 128 + signal.Signals[stopped].value if stopped and stopped.startswith("SIG") else 0


def finetune(settings: Finetune, *, command: str = "") -> str | None:
    """Encode, train, measure before and after, save; returns why training stopped early, if it did."""
    import torch

    from restr.cli.data.check import open_whole
    from restr.cli.progress import progress_bar
    from restr.inference.segmenter import Segmenter
    from restr.model.weights import save_pretrained
    from restr.training import checkpoint, record
    from restr.training.finetune import cache_patches, divide, finetuner, photographs

    if settings.threads:
        torch.set_num_threads(settings.threads)
    samples = open_whole(settings.data, settings.root)
    parts = divide(samples)
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device)
    count = sum(map(len, parts.train)), sum(map(len, parts.val))
    print(
        f"{len(parts.train)} pictures with {count[0]} sentences to train on, {len(parts.val)} with {count[1]} to measure with"
    )
    say_unknown_words(segmenter, samples)
    with progress_bar() as bar:
        task = bar.add_task("encoding pictures", total=len(parts.train) + len(parts.val))
        groups = (*parts.train, *parts.val)
        store = cache_patches(
            segmenter.model, samples, groups, settings.out / "features", lambda done: bar.advance(task, done)
        )
    numbers = [number for group in parts.val for number in group]
    before = measured(segmenter, samples, numbers)
    train, val = photographs(samples, parts.train), photographs(samples, parts.val)
    trainer = finetuner(
        segmenter.model,
        segmenter.tokenizer,
        train,
        val,
        store,
        train_config(settings, pictures=len(train)),
        settings.out,
        batch=settings.batch,
        resume=bool(checkpoint.saved(settings.out)),
    )
    record.begin(settings.out, "finetune", settings, version=__version__, command=command)
    result = trainer.fit()
    record.end(settings.out, step=result.step, stopped=result.stopped, metrics=result.metrics)
    if result.stopped and result.stopped.startswith("SIG"):
        print(f"stopped by {result.stopped} after step {result.step}; the same command goes on")
        return result.stopped
    segmenter.model = trainer.load_best()
    segmenter.model.decoder.coarse = 0
    save_pretrained(segmenter.model, segmenter.tokenizer.vocabulary, settings.out / "model", int8=True)
    report(settings, samples, numbers, before, measured(segmenter, samples, numbers), command)
    return result.stopped


def train_config(settings: Finetune, *, pictures: int) -> TrainConfig:
    """The trainer's settings: measured about every two rounds over the pictures."""
    from restr.training.config import TrainConfig

    if settings.batch < 2 or settings.batch % 2:
        raise ConfigError(f"batch is {settings.batch}; it must be even, as each picture gives two sentences")
    round_ = -(-pictures // (settings.batch // 2))
    steps = settings.steps or min(max(30 * round_, 100), 2000)
    return TrainConfig(
        steps=steps,
        lr=settings.lr,
        betas=(0.9, 0.98),
        weight_decay=0.02,
        clip=0.5,
        ema=0.99,
        best="oiou",
        patience=settings.patience,
        evaluate_every=min(max(2 * round_, 25), steps),
        log_every=10,
        save_every=max(steps // 4, 1),
        max_minutes=settings.max_minutes,
        seed=settings.seed,
        device=settings.device,
        autocast=settings.autocast,
    )


def say_unknown_words(segmenter: Segmenter, samples: Samples) -> None:
    """Name the words that the model has no vector for, not even by another spelling."""
    from collections import Counter

    from restr.text.vocabulary import UNKNOWN

    counts: Counter[str] = Counter()
    for number in range(len(samples)):
        counts.update(set(segmenter.tokenizer.words(samples.entry(number).text)))
    words = list(counts)
    unknown = [word for word in words if segmenter.tokenizer.vocabulary.row(word) == UNKNOWN]
    if unknown:
        most = sorted(unknown, key=lambda word: -counts[word])[:8]
        print(f"{len(unknown)} of {len(words)} words are unknown to the model and share one vector: {', '.join(most)}")


def measured(segmenter: Segmenter, samples: Samples, numbers: Sequence[int]) -> EvaluationResult:
    """The model as it is used: its own protocol, at the pictures' own size."""
    from restr.cli.progress import progress_bar
    from restr.evaluation.evaluate import evaluate

    with progress_bar() as bar:
        task = bar.add_task("measuring", total=len(numbers))
        return evaluate(
            segmenter,
            (samples[number] for number in numbers),
            preprocess=segmenter.config.preprocess,
            patch=segmenter.config.vision.patch,
            progress=lambda count: bar.advance(task, count),
        )


def report(
    settings: Finetune,
    samples: Samples,
    numbers: Sequence[int],
    before: EvaluationResult,
    after: EvaluationResult,
    command: str,
) -> None:
    """Write the report of the held-out pictures, and what changed; print it."""
    from restr.errors import DataError
    from restr.evaluation.comparison import compare
    from restr.evaluation.report import markdown, write_report
    from restr.training.curves import plot_curves

    title = f"{settings.data}, held-out pictures, after fine-tuning"
    held_out = (samples[number] for number in numbers)
    write_report(after, settings.out / "report", title=title, samples=held_out, command=command)
    gain = compare(*({record.id: record for record in result.records} for result in (before, after)))
    write_whole(settings.out / "gain.json", json.dumps(dataclasses.asdict(gain), indent=2) + "\n")
    try:
        plot_curves(settings.out / "log.jsonl", settings.out / "curves.png")
    except DataError as error:  # matplotlib comes with an extra
        print(f"no curves: {error}")
    print(markdown(after, title=title, command=command))
    low, high = (100 * bound for bound in gain.oiou_interval)
    print(
        f"oIoU on the {len({r.image_id for r in after.records})} held-out pictures: {100 * before.overall['oiou']:.1f} before, "
        f"{100 * after.overall['oiou']:.1f} after ({100 * gain.oiou:+.1f}; 95%: {low:+.1f} to {high:+.1f}, paired)"
    )
    print(f"the model: {settings.out / 'model'}, the report: {settings.out / 'report' / 'report.html'}")
