"""``restr robustness``: what is left of a model's accuracy when sentences and pictures are changed."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr.cli.options import parsed

if TYPE_CHECKING:
    from restr.data.sample import SampleSource
    from restr.evaluation.evaluate import Record
    from restr.evaluation.protocol import EvalProtocol
    from restr.evaluation.robustness.measure import RobustnessResult
    from restr.evaluation.robustness.store import Measured


@dataclasses.dataclass(frozen=True, kw_only=True)
class Robustness:
    """Measure a model on samples as they are and with other words, mirrored, in worse pictures, and with sentences for
    nothing.

    Stop it when you like; the same command goes on after the last perturbation that was done. The table has all that the
    folder has.

    Example: restr robustness --data jsonl:mine.jsonl --out results/robustness --only typo blur
    """

    data: str
    """What to measure on, as for restr eval: NAME[:SPLITTER]:SPLIT, FORM:PATH, "photos:DIR" or "generated"."""

    out: Path
    """Folder for table.md, robustness.json, robustness.png, examples.png, and what is measured so far."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Of word-shuffle, word-drop, synonym, typo, mirror, side-swap, blur, noise, jpeg, dark, blank, unrelated (default:
    all)."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    protocol: Literal["own", "restr", "lavt", "cris", "rela", "lisa"] = "own"
    """How to measure, as for restr eval."""

    split: str = "val"
    """Which photographs (photos only)."""

    n: int = 600
    """How many sentences to generate (photos and generated)."""

    seed: int = 0
    """Draws the sentences and all changes; state it with the numbers."""

    model: Path | None = None
    """A model folder, or the model.safetensors in one (default: the bundled model)."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU if there is one."""

    threads: int = 0
    """For torch, in all; 0 leaves the choice to it."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Robustness, "restr robustness", arguments)
    _run(settings, command=shlex.join(["restr", "robustness", *arguments]))
    return 0


def _run(settings: Robustness, *, command: str = "") -> RobustnessResult:
    """Measure what the folder does not have yet, print the table and write the report."""
    from restr.cli.verbs.eval import Eval, prepared
    from restr.evaluation.robustness.measure import summarise_robustness
    from restr.evaluation.robustness.perturbations import PERTURBATIONS, chosen
    from restr.evaluation.robustness.report import markdown, write_robustness
    from restr.evaluation.robustness.store import Measured

    names = chosen(settings.only)
    shared = ("data", "root", "protocol", "split", "n", "seed", "model")
    ready = prepared(Eval(**{name: getattr(settings, name) for name in shared}))
    store = Measured(settings.out / "measured", ready.facts)
    names = [name for name in PERTURBATIONS if name in {*names, *store.names()}]
    records = _measured(settings, names, ready.samples, ready.protocol, store)
    result = summarise_robustness(records, ready.conditions, seed=settings.seed)
    written = write_robustness(
        result, records, settings.out, title=ready.title, samples=ready.samples, command=command, facts=ready.facts
    )
    print(markdown(result, title=ready.title, command=command))
    print(*written.values(), sep="\n")
    return result


def _measured(
    settings: Robustness, names: Sequence[str], samples: SampleSource, protocol: EvalProtocol, store: Measured
) -> dict[str, list[Record]]:
    """The records of all perturbations; loads the model and shows a bar."""
    import torch

    from restr.cli.progress import progress_bar
    from restr.evaluation.robustness.measure import measure_robustness, passes
    from restr.evaluation.robustness.perturbations import CLEAN
    from restr.inference.segmenter import Segmenter

    if settings.threads:
        torch.set_num_threads(settings.threads)
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device)
    left = passes(names, [name for name in (CLEAN, *names) if store.has(name)])
    with progress_bar() as progress:
        task = progress.add_task("measuring", total=len(left) * len(samples.image_groups()))

        def one_more(together: Sequence[str]) -> None:
            label = together[0] if len(together) == 1 else f"{together[0]} and {len(together) - 1} with it"
            progress.update(task, advance=1, description=label)

        return measure_robustness(
            segmenter,
            samples,
            names,
            protocol=protocol,
            seed=settings.seed,
            store=store,
            progress=one_more,
        )
