"""``restr robustness``: what is left of a model's accuracy when sentences and pictures are changed."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import ComputeOptions, DataOptions, ModelOptions, ProtocolOptions, parse_options

if TYPE_CHECKING:
    from restr.data.sample import SampleSource
    from restr.evaluation.evaluate import Record
    from restr.evaluation.protocol import EvalProtocol
    from restr.evaluation.robustness.measure import RobustnessResult
    from restr.evaluation.robustness.store import Measured


@dataclasses.dataclass(frozen=True, kw_only=True)
class Robustness(ComputeOptions, ModelOptions, ProtocolOptions, DataOptions):
    """Measure a model on samples as they are, and with other words, mirrored, in worse pictures, and with sentences
    that name nothing.

    An interrupted run is resumed by the same command, after the last finished perturbation. The table shows everything
    that the folder holds.

    Example: restr robustness --data jsonl:mine.jsonl --out results/robustness --only typo blur
    """

    out: Path
    """Folder for table.md, robustness.json, robustness.png, examples.png, and the measurements so far."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Changes to measure, of word-shuffle, word-drop, synonym, typo, mirror, side-swap, blur, noise, jpeg, dark, blank, unrelated (default:
    all)."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Robustness, "restr robustness", arguments)
    _run(settings, command=shlex.join(["restr", "robustness", *arguments]))
    return 0


def _run(settings: Robustness, *, command: str = "") -> RobustnessResult:
    """Measure what the folder lacks, print the table and write the report."""
    from restr.cli.evaluation_plan import plan_evaluation
    from restr.evaluation.protocol import protocol
    from restr.evaluation.robustness.measure import summarise_robustness
    from restr.evaluation.robustness.perturbations import PERTURBATIONS, select_perturbations
    from restr.evaluation.robustness.report import robustness_table, write_robustness
    from restr.evaluation.robustness.store import Measured

    names = select_perturbations(settings.only)
    plan = plan_evaluation(settings, settings.model, protocol(settings.protocol))
    store = Measured(settings.out / "measured", plan.facts)
    names = [name for name in PERTURBATIONS if name in {*names, *store.names()}]
    records = _measured(settings, names, plan.samples, plan.protocol, store)
    result = summarise_robustness(records, plan.conditions, seed=settings.seed)
    written = write_robustness(
        result, records, settings.out, title=plan.title, samples=plan.samples, command=command, facts=plan.facts
    )
    print(robustness_table(result, title=plan.title, command=command))
    print(*written.values(), sep="\n")
    return result


def _measured(
    settings: Robustness, names: Sequence[str], samples: SampleSource, protocol: EvalProtocol, store: Measured
) -> dict[str, list[Record]]:
    """The records of all perturbations; loads the model and shows a bar."""
    from restr.cli.progress import progress_bar
    from restr.evaluation.robustness.measure import measure_robustness, passes
    from restr.evaluation.robustness.perturbations import CLEAN
    from restr.inference.segmenter import Segmenter

    settings.limit_torch()
    segmenter = Segmenter.from_pretrained(settings.model, device=settings.device, backend="own")
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
