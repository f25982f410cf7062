"""ReasonSeg: a folder per split, with ``NAME.jpg`` beside ``NAME.json``, which has questions and labelled outlines.

Outlines labelled ``target`` are the region. Outlines labelled ``ignore`` should count neither way; a mask has no third
value, so they are background here: evaluate with care.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from restr.data.entries.entry import Entry, JsonRecord, read_json
from restr.errors import DatasetError
from restr.formats.readers.phrasecut import flat_polygons


def read_reasonseg(root: Path) -> Iterator[Entry]:
    """The entries of every folder of ``root``."""
    found = False
    for path in sorted(root.glob("*/*.json")):
        found = True
        record = JsonRecord(read_json(path), str(path))
        polygons = []
        for shape in record.records("shapes"):
            if shape.text("label") == "target":
                polygons += flat_polygons(shape, [shape.items("points")])
        image = path.with_suffix(".jpg")
        texts = record.values.get("text")
        texts = [texts] if isinstance(texts, str) else record.texts("text")
        for number, text in enumerate(texts):
            yield Entry(
                id=f"{path.stem}/{number}",
                image=image.relative_to(root).as_posix(),
                text=text,
                regions=({"polygons": polygons},) if polygons else (),
                split=path.parent.name,
                kind="sentence" if record.values.get("is_sentence") else "phrase",
                image_id=path.stem,
            )
    if not found:
        raise DatasetError(f"{root} has no SPLIT/NAME.json; expected the folders train, val and test of ReasonSeg")
