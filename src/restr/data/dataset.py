"""A dataset as samples: one sequence for every layout of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from restr.data.entries.entry import Entry
from restr.data.entries.identity import distinct_images
from restr.data.entries.index import Index, index_paths, key_of, open_index
from restr.data.entries.left_out import LeftOut, Read
from restr.data.entries.regions import mask_of
from restr.data.opener import Folder, Opener
from restr.data.order import Order
from restr.data.pictures import entry_picture
from restr.data.sample import Sample, runs
from restr.errors import DatasetError


class IndexedSamples(Sequence[Sample]):
    """The samples of one split of an index, opened one by one; samples of the same image are neighbours.

    ``samples[i]`` reads the image and makes the mask; ``samples.entry(i)`` does neither. The last image is kept. Can be
    sent to other processes.
    """

    def __init__(
        self, root: Path, index: Index, split: str | None = None, *, summed: bool = False, files: Opener | None = None
    ) -> None:
        """files: opens pictures and masks; by default those below ``root``. summed: reproduce the REFER reader's bug
        for overlapping polygons, see ``restr.data.entries.regions.mask_of``."""
        self.root, self.entries, self.split, self.summed = root, index, split, summed
        self.files = files or Folder(root)
        self.rows = index.rows_of(split)
        self._last: tuple[str, tuple[int, int] | None, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Sample:  # type: ignore[override]
        return self.sample(self.entry(number))

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))

    def ids(self) -> list[str]:
        """Every sample's id, in order."""
        return self.entries.column("id", self.split)

    def texts(self) -> list[str]:
        """Every expression, in order."""
        return self.entries.column("text", self.split)

    def left_out(self) -> list[LeftOut]:
        """Parts of the files that became no sample, in all splits."""
        return self.entries.left_out()

    def image_groups(self) -> list[range]:
        """The numbers of each image's samples."""
        return runs(self.entries.column("image", self.split))

    def order(self, seed: int) -> Order | None:
        """The best order for training; None if any will do."""
        return None

    def entry(self, number: int) -> Entry:
        """The entry of a sample."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"there are {len(self)} samples; got number {number}")
        return self.entries.entry(self.rows[number])

    def sample(self, entry: Entry) -> Sample:
        """An entry with its image and its mask."""
        where = f"{entry.split or 'entry'} {entry.id}"
        if self._last is None or self._last[:2] != (entry.image, entry.size):
            self._last = (entry.image, entry.size, entry_picture(self.files, entry.image, entry.size, where))
        image = self._last[2]
        size = (image.shape[0], image.shape[1])
        return Sample(
            id=entry.id,
            image=image,
            text=entry.text,
            mask=mask_of(entry.regions, size, self.files, where, summed=self.summed),
            kind=entry.kind,
            image_id=entry.image_id,
        )


def index_dataset(
    root: Path,
    name: str,
    files: Sequence[Path],
    read: Callable[[], Iterable[Read]],
    *,
    searched: Sequence[str] | None = None,
) -> Index:
    """The index of a dataset; built first if there is none, or if the source files have changed.

    searched: the folders in which the reader looks for pictures, if it does. If they change, or the first picture is no
    longer there, the index is built again.
    """
    missing = [path for path in files if not path.exists()]
    if missing:
        raise DatasetError(f"there is no {missing[0]}; restr data prepare says which files to put where")
    key = key_of(files)
    if searched is not None:
        key += " ".join(["", *searched])

    def usable(index: Index) -> bool:
        return searched is None or (root / index.entry(1).image).is_file()

    return open_index(index_paths(root, name), key, lambda: distinct_images(read()), usable)
