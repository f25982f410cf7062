"""``restr score``: judge the masks that any program predicted."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path

from restr.cli.options import ProtocolName, RootOptions, parse_options


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score(RootOptions):
    """Measure oIoU, mIoU, Pr@X and the other metrics of given masks, from any model.

    Example: restr score --predictions theirs.jsonl --data refcoco:unc:testA --root DATA
    """

    predictions: Path
    """A line {"id": of the sample, "prediction": COCO run lengths at the photograph's size, "score": ...} each."""

    data: str
    """The dataset, as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH."""

    protocol: ProtocolName = "own"
    """Whose rules: whether Pr@X counts an IoU of exactly X, and the IoU of two empty masks."""

    missing_is_empty: bool = False
    """Count samples without a prediction as empty masks."""

    out: Path | None = None
    """Folder for report.html, table.md, row.tex, metrics.json, records.jsonl and pictures (default: only print
    the table)."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Score, "restr score", arguments)
    from restr.cli.notices import announce
    from restr.evaluation.predictions import read_predictions, score
    from restr.evaluation.protocol import protocol
    from restr.evaluation.reports.report import evaluation_table, write_evaluation
    from restr.evaluation.samples import open_samples

    samples = announce(open_samples(settings.data, settings.root), settings.data)
    result = score(
        samples,
        read_predictions(settings.predictions),
        protocol(settings.protocol),
        missing_is_empty=settings.missing_is_empty,
    )
    command = shlex.join(["restr", "score", *arguments])
    title = f"{settings.predictions.name} on {settings.data}"
    written = {}
    if settings.out:
        facts = {"data": settings.data, "root": str(settings.root), "predictions": str(settings.predictions)}
        written = write_evaluation(result, settings.out, title=title, samples=samples, command=command, facts=facts)
    print(evaluation_table(result, title=title, command=command))
    print(*written.values(), sep="\n")
    return 0
