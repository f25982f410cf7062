"""``restr data check``: count a dataset and find what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from restr.cli.check_files import write_check
from restr.cli.options import DatasetOptions, parse_options

if TYPE_CHECKING:
    from restr.published.completeness import SplitCount

_LISTED = 20  # bad annotations to print; the report has all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check(DatasetOptions):
    """Count a dataset's splits and find what is wrong with them: missing pictures, empty masks, sizes that differ,
    turned pictures, splits that share pictures (by name and by look), sentences that name two things or are not
    English, annotations that cannot be read. Annotations that mark no region, such as key points, are counted, but are
    not problems. A published benchmark is compared with its published size, split by split: what is missing is a
    problem too.

    Writes check.html, with thumbnails, and check.json. The exit code is 1 if there are problems.

    Example: restr data check refcoco:unc --root DATA
    """

    out: Path = Path("check")
    """Folder for the report."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Check, "restr data check", arguments)
    from restr.data.entries.left_out import BAD, summary
    from restr.inspection.check import PROBLEM_KINDS

    report, sizes = write_check(settings.open(), settings.data, settings.out)
    for split, values in report.splits.items():
        counts = f"{values['pictures']:,.0f} pictures, {values['expressions']:,.0f} expressions"
        print(f"{split or 'all'}: {counts}" + (f", {values['unusable']:,.0f} unusable" if values["unusable"] else ""))
    unusable = sum(int(values["unusable"]) for values in report.splits.values())
    for line in _completeness(sizes, settings, unusable):
        print(line)
    for kind, count in report.counts().items():
        print(f"  {count:6,}  {kind}: {PROBLEM_KINDS[kind]}")
    for problem in [each for each in report.problems if each.kind == BAD][:_LISTED]:
        print(f"          {problem.detail}")
    if report.left_out:
        print(f"left out, which is not a problem: {summary(report.left_out)}")
    found = f"{len(report.problems):,} problems" if report.problems else "no problems"
    print(f"{found}; {settings.out / 'check.html'}")
    return 1 if report.problems else 0


def _completeness(sizes: Sequence[SplitCount], settings: Check, unusable: int) -> list[str]:
    """Whether a published benchmark is complete, in lines to print; none for data of one's own.

    sizes: the copy beside the published size. unusable: sentences that are there and cannot be used, which is told apart.
    """
    from restr.published.completeness import benchmark_of

    name = benchmark_of(settings.data)
    if not sizes:
        return [f"{name}: no published size is known, so nothing says whether it is complete"] if name else []
    wrong = any(each.differences() for each in sizes)
    but = f", but {unusable:,} expressions are unusable: pictures or masks, see below" if unusable else ""
    lines = [f"{name} is {'not complete' if wrong else 'complete, as published'}{but}"]
    for each in sizes:
        told = "; ".join(each.differences()) or each.agreements()
        lines.append(f"  {each.split or 'all splits'}: {told}")
    if wrong or unusable:
        dataset = name.partition(":")[0]
        lines.append(
            f"  next: restr data prepare {dataset} --root {settings.root} says which files are missing or differ"
        )
    return lines
