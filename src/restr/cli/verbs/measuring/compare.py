"""``restr compare``: two evaluations, sentence by sentence."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import DataOptions, parse_options
from restr.errors import DataError

if TYPE_CHECKING:
    from restr.data.sample import SampleSource
    from restr.evaluation.comparison import Comparison
    from restr.evaluation.evaluate import Record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """Show what a second evaluation does better than the first, with paired intervals, and where they differ most.

    Example: restr compare results/old results/new
    """

    first: Annotated[Path, tyro.conf.Positional]
    """A folder that restr eval --out or restr score --out wrote."""

    second: Annotated[Path, tyro.conf.Positional]
    """Another one, of the same samples."""

    show: int = 8
    """How many of the largest gains and losses to list, and to draw."""

    out: Path | None = None
    """Folder for compare.json and compare.png, the pictures where they differ most (default: print only)."""

    root: Path | None = None
    """The folder that holds the dataset, if it is not where it was."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Compare, "restr compare", arguments)
    from restr.evaluation.comparison import compare_records
    from restr.evaluation.predictions import read_records

    one, two = read_records(settings.first), read_records(settings.second)
    found = compare_records(one, two)
    print(f"{settings.second} against {settings.first}: {found.n} samples", end="")
    print(f" ({found.left_out} that only one of them has are left out)" if found.left_out else "")
    for name, value, interval in (
        ("oIoU", found.oiou, found.oiou_interval),
        ("mIoU", found.miou, found.miou_interval),
    ):
        print(
            f"  {name} {100 * value:+.2f} (95%: {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}, paired, "
            "bootstrap over images)"
        )
    print(f"  better by more than a tenth: {found.better}; worse: {found.worse}")
    for title, order in (("largest gains", found.order), ("largest losses", found.order[::-1])):
        print(f"{title}:")
        for identity in order[: settings.show]:
            change = two[identity].iou - one[identity].iou
            print(f"  {100 * change:+6.1f}  {one[identity].text!r} ({identity})")
    if settings.out:
        print(*write(settings, settings.out, found, one, two), sep="\n")
    return 0


def write(
    settings: Compare, folder: Path, found: Comparison, one: Mapping[str, Record], two: Mapping[str, Record]
) -> tuple[Path, Path]:
    """Write the numbers and the pictures into ``folder``; returns their paths."""
    import io

    from restr.evaluation.comparison import draw_comparison
    from restr.files import write_atomically

    sheet = draw_comparison(found, one, two, samples_of(settings), each=settings.show)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {"first": str(settings.first), "second": str(settings.second), **dataclasses.asdict(found)}
    write_atomically(folder / "compare.json", json.dumps(numbers, indent=2, ensure_ascii=False) + "\n")
    write_atomically(folder / "compare.png", buffer.getvalue())
    return folder / "compare.json", folder / "compare.png"


def samples_of(settings: Compare) -> SampleSource:
    """The samples of the second evaluation, opened again. Raises ``DataError`` if its folder does not name them."""
    from restr.data.entries.entry import read_json

    path = settings.second / "metrics.json"
    facts = read_json(path).get("facts") or {}
    if "data" not in facts:
        raise DataError(f"{path} does not name its dataset; evaluate again with this version, or leave out --out")
    root = settings.root or Path(facts["root"])
    given = {name: facts[name] for name in ("split", "n", "seed") if name in facts}
    return DataOptions(data=facts["data"], root=root, **given).open(size=facts.get("size", 64))
