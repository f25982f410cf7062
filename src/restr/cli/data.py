"""``restr data VERB``: look a dataset over."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from restr.files import write_whole

USAGE = """usage: restr data VERB ...

  check     count a dataset and find what is wrong with it
  convert   write it in another layout

  restr data VERB --help"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convert:
    """Write a dataset in another layout: pictures copied, masks the same pixel by pixel.

    Example: restr data convert coco:instances.json --to refer --out mine
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH[:SPLIT]; without a split, all of them."""

    to: Literal["jsonl", "coco", "refer", "webdataset", "parquet"]
    """The layout."""

    out: Path
    """A new folder."""

    root: Path = Path(".")
    """The folder that holds the dataset."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """Count a dataset's splits and find what is wrong with them: missing pictures, empty masks, sizes that differ, turned
    pictures, splits that share pictures (by name and by look), sentences that name two things or are not English.

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
    """Run ``restr data check ...``; returns the exit code."""
    verbs: dict[str, Callable[[Sequence[str]], int]] = {"check": check, "convert": convert}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] not in verbs:
        print(f"restr data: there is no verb {arguments[0]!r}; choose from {', '.join(verbs)}", file=sys.stderr)
        return 2
    return verbs[arguments[0]](arguments[1:])


def check(arguments: Sequence[str]) -> int:
    """``restr data check``."""
    settings = tyro.cli(Check, prog="restr data check", args=list(arguments))
    from importlib import resources

    from restr.cli.progress import progress_bar
    from restr.data import check as checks
    from restr.data.catalog import LAYOUTS, open_dataset
    from restr.data.check_page import page
    from restr.text.vocabulary import Vocabulary

    name, *rest = settings.data.split(":")
    samples = open_dataset(f"{name}:{(rest or [''])[0]}:" if name in LAYOUTS else settings.data, settings.root)
    words = Vocabulary.from_file(Path(str(resources.files("restr") / "assets" / "restr_small" / "vocab.txt")))
    with progress_bar() as progress:
        task = progress.add_task("checking", total=len(samples))
        report = checks.check(samples, words, progress=lambda count: progress.advance(task, count))
    settings.out.mkdir(parents=True, exist_ok=True)
    write_whole(settings.out / "check.json", json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n")
    write_whole(settings.out / "check.html", page(report, samples, f"{settings.data}, checked"))
    for split, values in report.splits.items():
        print(f"{split or 'all'}: {values['pictures']:,.0f} pictures, {values['expressions']:,.0f} expressions")
    for kind, count in report.counts().items():
        print(f"  {count:6,}  {kind}: {checks.KINDS[kind]}")
    print(
        f"{'no problems' if not report.problems else f'{len(report.problems):,} problems'}; {settings.out / 'check.html'}"
    )
    return 1 if report.problems else 0


def convert(arguments: Sequence[str]) -> int:
    """``restr data convert``."""
    settings = tyro.cli(Convert, prog="restr data convert", args=list(arguments))
    from restr.cli.progress import progress_bar
    from restr.data import writers
    from restr.data.catalog import open_dataset

    samples = open_dataset(settings.data, settings.root)
    with progress_bar() as progress:
        task = progress.add_task("converting", total=len(samples))
        made = writers.convert(samples, settings.to, settings.out, progress=lambda count: progress.advance(task, count))
    print(f"{len(samples):,} expressions in {made}")
    return 0
