"""The files of ``restr data check``, which ``restr data browse`` shows too: ``check.html`` and ``check.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from restr.cli.progress import progress_bar
from restr.files import write_atomically

if TYPE_CHECKING:
    from restr.data.dataset import IndexedSamples
    from restr.inspection.check import CheckReport
    from restr.published.completeness import SplitCount


def write_check(samples: IndexedSamples, data: str, out: Path) -> tuple[CheckReport, list[SplitCount]]:
    """Check a dataset, with a bar, and write both files. data: the dataset's spec.

    Returns the report, and the copy beside the published size (``sizes_of_copy``). ``complete`` in ``check.json`` says
    whether a published benchmark has that size; null where none is known.
    """
    from restr.inference.locate import model_folder
    from restr.inspection.check import INCOMPLETE, DatasetProblem, check
    from restr.inspection.check_page import check_html
    from restr.published.completeness import sizes_of_copy
    from restr.text.vocabulary import Vocabulary

    words = Vocabulary.from_file(model_folder(None) / "vocab.txt")
    with progress_bar() as progress:
        task = progress.add_task("checking", total=len(samples))
        report = check(samples, words, progress=lambda count: progress.advance(task, count))
    sizes = sizes_of_copy(samples, data)
    report.problems[:0] = [
        DatasetProblem(kind=INCOMPLETE, split=each.split, entry="", image="", detail=told)
        for each in sizes
        for told in each.differences()
    ]
    complete = not any(each.differences() for each in sizes) if sizes else None
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "check.html", check_html(report, samples, f"{data}, checked"))
    content = {"data": data, "root": str(samples.root.absolute()), "complete": complete, **report.to_dict()}
    write_atomically(out / "check.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return report, sizes


def is_checked(samples: IndexedSamples, data: str, out: Path) -> bool:
    """Whether a folder holds the report of this dataset, newer than its index."""
    try:
        with open(out / "check.json", encoding="utf-8") as file:
            report = json.load(file)
        newer = (out / "check.html").stat().st_mtime >= samples.entries.path.stat().st_mtime
    except (OSError, ValueError):
        return False
    known = (report.get("data"), report.get("root")) if isinstance(report, dict) else None
    return newer and known == (data, str(samples.root.absolute()))
