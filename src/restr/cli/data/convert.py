"""``restr data convert``: write a dataset in another layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from restr.cli.options import RootOptions, parse_options
from restr.errors import DatasetError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convert(RootOptions):
    """Write a dataset in another layout: pictures are copied, masks stay the same pixel by pixel, and all is read back
    and compared.

    Example: restr data convert coco:instances.json --to refer --out mine
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH[:SPLIT]; without a split, all of them.
    "photos:DIR": photographs with masks (images/ and instances.json), for which sentences are generated."""

    to: Literal["jsonl", "csv", "coco", "refer", "webdataset", "parquet"]
    """The layout."""

    out: Path
    """A new folder."""

    split: str | None = None
    """Which photographs (photos, default: val; everyday, default: all)."""

    n: int = 600
    """How many sentences to generate (photos only)."""

    seed: int = 0
    """Draws the sentences (photos only)."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Convert, "restr data convert", arguments)
    from restr.cli.notices import announce
    from restr.cli.progress import progress_bar
    from restr.evaluation.samples import open_samples
    from restr.formats import writers

    samples = announce(
        open_samples(settings.data, settings.root, split=settings.split, n=settings.n, seed=settings.seed),
        settings.data,
    )
    if not isinstance(samples, writers.Source):
        raise DatasetError(f"{settings.data} has no files to convert; name a dataset, or photos:DIR")
    with progress_bar() as progress:
        writing = progress.add_task("converting", total=len(samples))
        reading = progress.add_task("reading back", total=len(samples))
        made = writers.convert(
            samples,
            settings.to,
            settings.out,
            progress=lambda count: progress.advance(writing, count),
            read_back=lambda count: progress.advance(reading, count),
        )
    print(f"{len(samples):,} expressions in {made}")
    print("read back: the same sentences, masks and pictures")
    return 0
