"""``restr data check``: count a dataset and find what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import parsed
from restr.files import write_whole

if TYPE_CHECKING:
    from restr.data.dataset import IndexedSamples
    from restr.inspection.check import CheckReport

LISTED = 20  # bad annotations that are printed; the report has all


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """Count a dataset's splits and find what is wrong with them: missing pictures, empty masks, sizes that differ, turned
    pictures, splits that share pictures (by name and by look), sentences that name two things or are not English, annotations that
    cannot be read. What marks no region, such as a key point, is counted and is no problem.

    Writes check.html, with thumbnails, and check.json. The exit code is 1 if there are problems.

    Example: restr data check refcoco:unc --root DATA
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval but without a split: NAME[:SPLITTER] or FORM:PATH."""

    root: Path = Path(".")
    """The folder that holds it."""

    out: Path = Path("check")
    """Folder for the report."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Check, "restr data check", arguments)
    from restr.data.entries.left_out import BAD, summary
    from restr.inspection.check import PROBLEM_KINDS

    report = write_check(open_whole(settings.data, settings.root), settings.data, settings.out)
    for split, values in report.splits.items():
        print(f"{split or 'all'}: {values['pictures']:,.0f} pictures, {values['expressions']:,.0f} expressions")
    for kind, count in report.counts().items():
        print(f"  {count:6,}  {kind}: {PROBLEM_KINDS[kind]}")
    for problem in [each for each in report.problems if each.kind == BAD][:LISTED]:
        print(f"          {problem.detail}")
    if report.left_out:
        print(f"left out, which is no problem: {summary(report.left_out)}")
    found = f"{len(report.problems):,} problems" if report.problems else "no problems"
    print(f"{found}; {settings.out / 'check.html'}")
    return 1 if report.problems else 0


def open_whole(data: str, root: Path) -> IndexedSamples:
    """A dataset with all its splits: NAME[:SPLITTER] or FORM:PATH."""
    from restr.formats.catalog import LAYOUTS, open_dataset

    name, *rest = data.split(":")
    return open_dataset(f"{name}:{(rest or [''])[0]}:" if name in LAYOUTS else data, root)


def write_check(samples: IndexedSamples, data: str, out: Path) -> CheckReport:
    """Check a dataset, with a bar, and write ``check.json`` and ``check.html``."""
    from importlib import resources

    from restr.cli.progress import progress_bar
    from restr.inspection.check import check
    from restr.inspection.check_page import check_html
    from restr.text.vocabulary import Vocabulary

    words = Vocabulary.from_file(Path(str(resources.files("restr") / "assets" / "restr_small" / "vocab.txt")))
    with progress_bar() as progress:
        task = progress.add_task("checking", total=len(samples))
        report = check(samples, words, progress=lambda count: progress.advance(task, count))
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "check.html", check_html(report, samples, f"{data}, checked"))
    content = {"data": data, "root": str(samples.root.absolute()), **report.to_dict()}
    write_whole(out / "check.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return report
