"""``restr eval``: measure a model on photographs with generated sentences, drawn scenes, or a list of one's own."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from restr.errors import ConfigError

if TYPE_CHECKING:
    from restr.data.dataset import Samples
    from restr.data.sample import Sample
    from restr.evaluation.datasets import PhotoExpressions
    from restr.evaluation.evaluate import EvaluationResult
    from restr.protocol import Protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eval:
    """Measure oIoU, mIoU and Pr@X of a model, by kind of sentence, with the shuffled-sentence control beside.

    Example: restr eval --data jsonl:mine.jsonl --out results
    """

    data: str
    """A published dataset, NAME[:SPLITTER]:SPLIT ("refcoco:unc:testA"), or one's own, FORM:PATH ("jsonl:mine.jsonl"), both
    below --root; "photos:DIR" (images/ and instances.json; sentences are generated); "generated" (drawn scenes)."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    protocol: Literal["own", "restr", "lavt", "cris", "rela", "lisa"] = "own"
    """How to measure: "own" is the model's own preprocessing, at the photographs' size; the others are those of the
    named projects."""

    split: str = "val"
    """Which photographs (photos only)."""

    n: int = 600
    """How many sentences to generate (photos and generated)."""

    seed: int = 0
    """Draws the sentences and the control's pairs; state it with the numbers."""

    model: Path | None = None
    """A model folder, or the model.safetensors in one (default: the bundled model)."""

    out: Path | None = None
    """Folder for table.md, metrics.json, records.jsonl, by_kind.png and cases.png (default: print the table only)."""

    threshold: float | None = None
    """The least probability of a pixel of the mask, instead of the protocol's."""

    empty_iou: Literal[0, 1] | None = None
    """The IoU of an empty mask where nothing was to be found, instead of the protocol's."""

    control: bool = True
    """Also match each region with a sentence for another target of the same image."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""

    threads: int = 0
    """For torch; 0 leaves the choice to it."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = tyro.cli(Eval, prog="restr eval", args=list(arguments))
    run(settings, command=shlex.join(["restr", "eval", *arguments]))
    return 0


def run(settings: Eval, *, command: str = "") -> EvaluationResult:
    """Evaluate as the settings say, print the table, and write the report where ``out`` is given."""
    import torch

    from restr.cli.progress import progress_bar
    from restr.evaluation.evaluate import evaluate
    from restr.evaluation.report import markdown, write_report
    from restr.inference.segmenter import Segmenter

    if settings.n < 1:
        raise ConfigError(f"n is {settings.n}; ask for at least one sentence")
    source = settings.data.partition(":")[0]
    if settings.threads:
        torch.set_num_threads(settings.threads)
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device)
    protocol, own = chosen_protocol(settings), segmenter.config.preprocess
    segmenter = segmenter.with_preprocess(protocol.preprocess(own))
    samples = open_samples(settings, size=segmenter.config.preprocess.size)
    title = {
        "photos": f"photos {settings.split}, generated expressions (seed {settings.seed})",
        "generated": f"generated scenes, unseen (seed {settings.seed})",
    }.get(source, settings.data)
    with progress_bar() as progress:
        task = progress.add_task("evaluating", total=len(samples))
        result = evaluate(
            segmenter,
            samples,
            preprocess=own,
            protocol=protocol,
            patch=segmenter.config.vision.patch,
            control=settings.control,
            seed=settings.seed,
            progress=lambda count: progress.advance(task, count),
        )
    print(markdown(result, title=title, command=command))
    if settings.out:
        for path in write_report(result, settings.out, title=title, samples=samples, command=command).values():
            print(path)
    return result


def chosen_protocol(settings: Eval) -> Protocol:
    """The protocol, with what was asked for instead of its own; its name says so."""
    from restr.protocol import protocol

    found = protocol(settings.protocol)
    changes = {"threshold": settings.threshold, "empty_iou": settings.empty_iou}
    changes = {name: float(value) for name, value in changes.items() if value is not None}
    return dataclasses.replace(found, name=f"{found.name}, changed", **changes) if changes else found


def open_samples(settings: Eval, *, size: int) -> PhotoExpressions | Samples | list[Sample]:
    """The samples that ``settings.data`` names. size: of drawn scenes, in pixels. Raises ``DatasetError``."""
    from restr.data.catalog import open_dataset
    from restr.evaluation.datasets import PhotoExpressions, drawn_scenes

    source, _, where = settings.data.partition(":")
    if source == "photos" and where:
        from restr.data.photos import load_photos

        return PhotoExpressions(load_photos(Path(where), split=settings.split), settings.n, settings.seed)
    if settings.data == "generated":
        return drawn_scenes(settings.n, settings.seed, size=size)
    return open_dataset(settings.data, settings.root)
