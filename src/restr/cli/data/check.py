"""``restr data check``: count a dataset and find what is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from restr.cli.check_files import write_check
from restr.cli.options import DatasetOptions, parse_options

_LISTED = 20  # bad annotations to print; the report has all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check(DatasetOptions):
    """Count a dataset's splits and find what is wrong with them: missing pictures, empty masks, sizes that differ,
    turned pictures, splits that share pictures (by name and by look), sentences that name two things or are not
    English, annotations that cannot be read. Annotations that mark no region, such as key points, are counted, but are
    not problems.

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

    report = write_check(settings.open(), settings.data, settings.out)
    for split, values in report.splits.items():
        print(f"{split or 'all'}: {values['pictures']:,.0f} pictures, {values['expressions']:,.0f} expressions")
    for kind, count in report.counts().items():
        print(f"  {count:6,}  {kind}: {PROBLEM_KINDS[kind]}")
    for problem in [each for each in report.problems if each.kind == BAD][:_LISTED]:
        print(f"          {problem.detail}")
    if report.left_out:
        print(f"left out, which is not a problem: {summary(report.left_out)}")
    found = f"{len(report.problems):,} problems" if report.problems else "no problems"
    print(f"{found}; {settings.out / 'check.html'}")
    return 1 if report.problems else 0
