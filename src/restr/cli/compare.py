"""``restr compare``: two evaluations, sentence by sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """What a second evaluation does better than the first, with paired intervals, and where they differ most.

    Example: restr compare results/old results/new
    """

    first: Annotated[Path, tyro.conf.Positional]
    """A folder that restr eval --out or restr score --out wrote."""

    second: Annotated[Path, tyro.conf.Positional]
    """Another one, of the same samples."""

    show: int = 8
    """How many of the largest gains and losses to list."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = tyro.cli(Compare, prog="restr compare", args=list(arguments))
    from restr.evaluation.predictions import compare, read_records

    one, two = read_records(settings.first), read_records(settings.second)
    found = compare(one, two)
    print(f"{settings.second} against {settings.first}: {found.n} samples", end="")
    print(f" ({found.left_out} that only one of them has are left out)" if found.left_out else "")
    for name, value, interval in (
        ("oIoU", found.oiou, found.oiou_interval),
        ("mIoU", found.miou, found.miou_interval),
    ):
        print(
            f"  {name} {100 * value:+.2f} (95%: {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}, paired, bootstrap over images)"
        )
    print(f"  better by more than a tenth: {found.better}; worse: {found.worse}")
    for title, order in (("largest gains", found.order), ("largest losses", found.order[::-1])):
        print(f"{title}:")
        for identity in order[: settings.show]:
            change = two[identity].iou - one[identity].iou
            print(f"  {100 * change:+6.1f}  {one[identity].text!r} ({identity})")
    return 0
