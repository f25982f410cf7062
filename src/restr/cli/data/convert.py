"""``restr data convert``: write a dataset in another layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr.cli.options import parsed

if TYPE_CHECKING:
    from restr.formats.writers import Source


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convert:
    """Write a dataset in another layout: pictures copied, masks the same pixel by pixel, all of it read back and compared.

    Example: restr data convert coco:instances.json --to refer --out mine
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval: NAME[:SPLITTER]:SPLIT or FORM:PATH[:SPLIT]; without a split, all of them. "photos:DIR":
    photographs with masks (images/ and instances.json), for which sentences are generated."""

    to: Literal["jsonl", "csv", "coco", "refer", "webdataset", "parquet"]
    """The layout."""

    out: Path
    """A new folder."""

    root: Path = Path(".")
    """The folder that holds the dataset."""

    split: str = "val"
    """Which photographs (photos only)."""

    n: int = 600
    """How many sentences to generate (photos only)."""

    seed: int = 0
    """Draws the sentences (photos only)."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Convert, "restr data convert", arguments)
    from restr.cli.progress import progress_bar
    from restr.formats import writers

    samples = source_of(settings)
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


def source_of(settings: Convert) -> Source:
    """What to write."""
    from restr.cli.notices import announce
    from restr.formats.catalog import open_dataset

    if settings.data.startswith("photos:"):
        from restr.data.photos import load_photos
        from restr.evaluation.datasets import PhotoExpressions

        photos = load_photos(settings.data.partition(":")[2], split=settings.split)
        return PhotoExpressions(photos, settings.n, settings.seed)
    return announce(open_dataset(settings.data, settings.root), settings.data)
