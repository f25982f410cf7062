"""``restr eval``: measure a model on a dataset, on photographs with generated sentences, or on drawn scenes."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from restr.cli.options import BackendName, ComputeOptions, DataOptions, ModelOptions, ProtocolOptions, parse_options

if TYPE_CHECKING:
    from restr.cli.evaluation_plan import EvalPlan
    from restr.evaluation.evaluate import EvaluationResult
    from restr.evaluation.protocol import EvalProtocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Eval(ComputeOptions, ModelOptions, ProtocolOptions, DataOptions):
    """Measure oIoU, mIoU and Pr@X of a model, by kind of sentence, with the shuffled-sentence control beside.

    If some sentences name nothing in their picture, also whether the model says so (N-acc, T-acc, the AUC of its
    presence).

    Example: restr eval --data jsonl:mine.jsonl --out results
    """

    out: Path | None = None
    """Folder for report.html, table.md, row.tex, metrics.json, records.jsonl and pictures (default: only print
    the table). An interrupted evaluation is resumed by the same command."""

    threshold: float | None = None
    """The least probability of a pixel of the mask, instead of the protocol's."""

    presence: float | None = None
    """The least probability that the picture shows what is named, instead of the model's own; below it the mask is
    empty. 0 never empties a mask."""

    empty_iou: Literal[0, 1] | None = None
    """The IoU of an empty mask for a sentence that names nothing, instead of the protocol's."""

    control: bool = True
    """Also match each region with a sentence for another target of the same image."""

    backend: BackendName = "own"
    """The runtime: "own" is PyTorch for a model folder and an export's own; "auto" takes the fastest one that restr doctor
    lists, whose numbers may differ; an ONNX export leaves the choice of onnx and openvino."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of a model folder's matrix products; an export has its own."""

    seed_attention: bool = False
    """Also measure how much of the class seed's attention goes to patches, to words and to itself, in a second pass over the
    samples; with --out, in seed_attention.json too."""

    processes: int = 1
    """How many processes measure, image by image; the numbers are the same."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Eval, "restr eval", arguments)
    evaluate_and_report(settings, command=shlex.join(["restr", "eval", *arguments]))
    return 0


def evaluate_and_report(settings: Eval, *, command: str = "") -> EvaluationResult:
    """Evaluate as the settings say, write the report if ``out`` is given, and print the table."""
    from restr.cli.evaluation_plan import plan_evaluation
    from restr.cli.progress import progress_bar
    from restr.evaluation.evaluate import summarise
    from restr.evaluation.journal import Journal
    from restr.evaluation.reports.report import evaluation_table, write_evaluation
    from restr.evaluation.run import EvalSetup, measure_all

    plan = plan_evaluation(settings, settings.model, _protocol_of(settings), precision=settings.precision)
    if settings.seed_attention:
        from restr.evaluation.seed_attention import refuse_export

        refuse_export(plan.folder)  # now, not after the evaluation
    facts = plan.facts | {"control": settings.control}
    journal = Journal(settings.out, facts) if settings.out else None
    setup = EvalSetup(
        samples=plan.samples,
        model=plan.folder,
        protocol=plan.protocol,
        seed=settings.seed if settings.control else None,
        device=settings.device,
        backend=settings.backend,
        precision=settings.precision,
        threads=settings.threads,
    )
    try:
        with progress_bar() as progress:
            task = progress.add_task("evaluating", total=len(plan.samples))
            records = measure_all(
                setup,
                processes=settings.processes,
                journal=journal,
                progress=lambda count: progress.advance(task, count),
            )
    finally:
        if journal:
            journal.close()
    result = summarise(records, plan.conditions, plan.protocol)
    written = {}
    if settings.out:  # before anything is printed: standard output may be closed
        written = write_evaluation(
            result, settings.out, title=plan.title, samples=plan.samples, command=command, facts=facts
        )
    if journal:
        journal.remove()
    print(evaluation_table(result, title=plan.title, command=command))
    print(*written.values(), sep="\n")
    if settings.seed_attention:
        _measure_seed_attention(settings, plan)
    return result


def _measure_seed_attention(settings: Eval, plan: EvalPlan) -> None:
    """The second pass: write the shares, then print them."""
    import json

    from restr.cli.progress import progress_bar
    from restr.evaluation.seed_attention import measure_seed_attention, seed_attention_lines
    from restr.files import write_atomically

    settings.limit_torch()
    with progress_bar() as progress:
        task = progress.add_task("recording attention", total=len(plan.samples))
        shares = measure_seed_attention(
            plan.folder,
            plan.samples,
            plan.protocol,
            device=settings.device,
            progress=lambda count: progress.advance(task, count),
        )
    if settings.out:
        write_atomically(settings.out / "seed_attention.json", json.dumps(shares, indent=2) + "\n")
    print(seed_attention_lines(shares))


def _protocol_of(settings: Eval) -> EvalProtocol:
    """The protocol with the settings that replace its own; its name then says so."""
    from restr.evaluation.protocol import protocol

    found = protocol(settings.protocol)
    changes = {"threshold": settings.threshold, "presence": settings.presence, "empty_iou": settings.empty_iou}
    changes = {name: float(value) for name, value in changes.items() if value is not None}
    return dataclasses.replace(found, name=f"{found.name}, changed", **changes) if changes else found
