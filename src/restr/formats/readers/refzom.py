"""Ref-ZOM: the REFER layout; a ref has several annotations, one, or (``source`` "zero") none, on COCO's train2014 and
val2014.

Published as ``Ref-ZOM(final).p`` beside ``instances.json``; its authors rename it to ``refs(final).p``, others to
``ref_zom.p``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from restr.data.entries.entry import Entry
from restr.errors import DatasetError
from restr.formats.readers.refer import IMAGE_FOLDERS, read_refs

_FOLDERS = ("refzom", "ref-zom")
_NAMES = ("refs(final).p", "Ref-ZOM(final).p", "ref_zom.p", "Ref_ZOM.p")
_COCO_FOLDERS = (
    *IMAGE_FOLDERS,
    "images/mscoco/images/val2014",
    "images/val2014",
    "val2014",
    "trainval2014",
    "images/trainval2014",
)


def read_refzom(root: Path) -> Iterator[Entry]:
    """The entries of all splits (train, test). root: the folder that holds ``refzom/`` and the images."""
    for folder in _FOLDERS:
        for name in _NAMES:
            if (root / folder / name).is_file():
                yield from read_refs(root, root / folder / name, root / folder / "instances.json", _COCO_FOLDERS)
                return
    raise DatasetError(
        f"{root / _FOLDERS[0]} has no {' nor '.join(_NAMES)}; restr data prepare says which files to put where"
    )
