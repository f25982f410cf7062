"""``restr eval``: measure a model on photographs with generated sentences, drawn scenes, or a list of one's own."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from restr import __version__
from restr.cli.options import parsed
from restr.errors import ConfigError

if TYPE_CHECKING:
    from restr.config import PresenceConfig
    from restr.data.sample import SampleSource
    from restr.evaluation.evaluate import EvaluationResult
    from restr.evaluation.protocol import EvalProtocol
    from restr.preprocess import Framing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eval:
    """Measure oIoU, mIoU and Pr@X of a model, by kind of sentence, with the shuffled-sentence control beside.

    Where some sentences mean nothing, also whether the model says so (N-acc, T-acc, the AUC of its presence).

    Example: restr eval --data jsonl:mine.jsonl --out results
    """

    data: str
    """A published dataset, NAME[:SPLITTER]:SPLIT ("refcoco:unc:testA"), or one's own, FORM:PATH ("jsonl:mine.jsonl"), both
    below --root; "shards:PATTERN" of tar or parquet files, here or behind an address;
    "photos:DIR" (images/ and instances.json; sentences are generated); "everyday:DIR" (photos/, photos_more/, photos_boxes/ and
    expressions/); "generated" (drawn scenes)."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    protocol: Literal["own", "restr", "lavt", "cris", "rela", "lisa"] = "own"
    """How to measure: "own" is the model's own preprocessing, at the photographs' size; the others are those of the
    named projects."""

    split: str = "val"
    """Which photographs (photos and everyday; of everyday: train, val or all)."""

    n: int = 600
    """How many sentences to generate (photos and generated)."""

    seed: int = 0
    """Draws the sentences and the control's pairs; state it with the numbers."""

    model: Path | None = None
    """A model folder or an export's, or a file in one (default: the bundled model)."""

    out: Path | None = None
    """Folder for report.html, table.md, row.tex, metrics.json, records.jsonl and pictures (default: print the table only).
    An evaluation that was stopped goes on with the same command."""

    threshold: float | None = None
    """The least probability of a pixel of the mask, instead of the protocol's."""

    presence: float | None = None
    """The least probability that the picture shows what is meant, below which the mask is empty, instead of the model's own;
    0 never empties a mask."""

    empty_iou: Literal[0, 1] | None = None
    """The IoU of an empty mask where nothing was to be found, instead of the protocol's."""

    control: bool = True
    """Also match each region with a sentence for another target of the same image."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""

    backend: Literal["auto", "torch", "onnx", "openvino", "torch-export", "aoti"] = "auto"
    """What computes: an export's own runtime; an ONNX export leaves the choice of onnx and openvino."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of a model folder's matrix products; an export has its own."""

    processes: int = 1
    """How many processes measure, an image at a time; the numbers are the same."""

    threads: int = 0
    """Of the processor, in all; 0 leaves the choice to what computes."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Eval, "restr eval", arguments)
    run(settings, command=shlex.join(["restr", "eval", *arguments]))
    return 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the settings mean: a model's folder, framing and presence threshold, how to measure, on what; facts: all that
    a number depends on."""

    folder: Path
    framing: Framing
    presence: PresenceConfig
    protocol: EvalProtocol
    samples: SampleSource
    title: str
    facts: dict[str, Any]

    @property
    def conditions(self) -> str:
        """The protocol's sentence."""
        return self.protocol.describe(self.framing, self.presence)


def prepared(settings: Eval) -> Prepared:
    """Open everything but the weights. Raises ``RestrError`` for what is not there or cannot be."""
    from restr.inference.locate import described, model_folder

    if settings.n < 1:
        raise ConfigError(f"n is {settings.n}; ask for at least one sentence")
    folder = model_folder(settings.model)
    found = described(folder)
    framing, protocol = found.config.framing, chosen_protocol(settings)
    samples = open_samples(settings, size=framing.size)
    return Prepared(
        folder=folder,
        framing=framing,
        presence=found.config.presence,
        protocol=protocol,
        samples=samples,
        title=title_of(settings),
        facts={
            "restr": __version__,
            "data": settings.data,
            "root": str(settings.root),
            "split": settings.split,
            "n": settings.n,
            "seed": settings.seed,
            "samples": len(samples),
            "size": framing.size,
            "model": found.hash,
            "precision": found.precision or settings.precision.replace("auto", "fp32"),
            "protocol": protocol.describe(framing, found.config.presence),
        },
    )


def run(settings: Eval, *, command: str = "") -> EvaluationResult:
    """Evaluate as the settings say, write the report where ``out`` is given, and print the table."""
    from restr.cli.progress import progress_bar
    from restr.evaluation.evaluate import summarise
    from restr.evaluation.journal import Journal
    from restr.evaluation.report import markdown, write_report
    from restr.evaluation.run import EvalSetup, measure_all

    ready = prepared(settings)
    facts = ready.facts | {"control": settings.control}
    journal = Journal(settings.out, facts) if settings.out else None
    setup = EvalSetup(
        samples=ready.samples,
        model=ready.folder,
        protocol=ready.protocol,
        seed=settings.seed if settings.control else None,
        device=settings.device,
        backend=settings.backend,
        precision=settings.precision,
        threads=settings.threads,
    )
    try:
        with progress_bar() as progress:
            task = progress.add_task("evaluating", total=len(ready.samples))
            records = measure_all(
                setup,
                processes=settings.processes,
                journal=journal,
                progress=lambda count: progress.advance(task, count),
            )
    finally:
        if journal:
            journal.close()
    result = summarise(records, ready.conditions, ready.protocol)
    written = {}
    if settings.out:  # before anything is printed: whoever reads our output may have gone
        written = write_report(
            result, settings.out, title=ready.title, samples=ready.samples, command=command, facts=facts
        )
    if journal:
        journal.remove()
    print(markdown(result, title=ready.title, command=command))
    print(*written.values(), sep="\n")
    return result


def title_of(settings: Eval) -> str:
    """What was measured on, in a few words."""
    split = _split_of(settings)
    return {
        "photos": f"photos {split}, generated expressions (seed {settings.seed})",
        "everyday": f"everyday {split}, sentences written by a language model that saw the photographs",
        "generated": f"generated scenes, unseen (seed {settings.seed})",
    }.get(settings.data.partition(":")[0], settings.data)


def _split_of(settings: Eval) -> str:
    """The split that ``data`` names as everyday:DIR:SPLIT, else ``split``."""
    source, _, where = settings.data.partition(":")
    return (where.partition(":")[2] if source == "everyday" else "") or settings.split


def chosen_protocol(settings: Eval) -> EvalProtocol:
    """The protocol, with what was asked for instead of its own; its name says so."""
    from restr.evaluation.protocol import protocol

    found = protocol(settings.protocol)
    changes = {"threshold": settings.threshold, "presence": settings.presence, "empty_iou": settings.empty_iou}
    changes = {name: float(value) for name, value in changes.items() if value is not None}
    return dataclasses.replace(found, name=f"{found.name}, changed", **changes) if changes else found


def open_samples(settings: Eval, *, size: int) -> SampleSource:
    """The samples that ``settings.data`` names. size: of drawn scenes, in pixels. Raises ``DatasetError``."""
    from restr.cli.notices import announce
    from restr.evaluation.datasets import PhotoExpressions, drawn_scenes
    from restr.formats.catalog import open_dataset

    source, _, where = settings.data.partition(":")
    if source == "photos" and where:
        from restr.data.photos import load_photos

        return PhotoExpressions(load_photos(Path(where), split=settings.split), settings.n, settings.seed)
    if source == "everyday" and where:
        return open_dataset(f"everyday:{where.partition(':')[0]}:{_split_of(settings)}", settings.root)
    if settings.data == "generated":
        return drawn_scenes(settings.n, settings.seed, size=size)
    return announce(open_dataset(settings.data, settings.root), settings.data)
