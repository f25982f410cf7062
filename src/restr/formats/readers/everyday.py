"""The everyday sentences: a folder of three sets of photographs with masks, and one file of sentences about them.

``photos/``, ``photos_more/`` and ``photos_boxes/`` each hold ``images/`` and ``instances.json`` in COCO's form.
``expressions/everyday_train.jsonl`` has a line per sentence: ``{"photos": set, "image": file name, "instances":
[annotation ids], "text": ..., "kind": "one" | "group" | "absent"}``. A sentence names all the annotations that it
lists, together.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from restr.data.entries.entry import Entry, JsonRecord
from restr.data.entries.left_out import LeftOut, Read, count_notes
from restr.errors import DatasetError
from restr.formats.readers.own import json_lines
from restr.formats.readers.refer import instances, segmentation

SETS = ("photos", "photos_more", "photos_boxes")
DRAWN = "photos_boxes"  # its masks were drawn by a network, so nothing is measured on them
_SENTENCES = Path("expressions", "everyday_train.jsonl")
SENTENCE_KINDS = ("one", "group", "absent")
ALL_SPLITS = "all"  # train and val
_HELD_OUT = 33  # every 33rd photograph, by a hash of its name


@dataclass(frozen=True, kw_only=True)
class EverydaySentence:
    """A sentence with its photograph and the annotations that it names."""

    photos: str
    """The photograph's set, one of ``SETS``."""

    image: JsonRecord
    """The photograph's record in ``instances.json``."""

    file_name: str
    """The photograph's file name."""

    annotations: tuple[JsonRecord, ...]
    """The records of the annotations; none if ``kind`` is "absent"."""

    text: str
    """The sentence."""

    kind: str
    """One of ``SENTENCE_KINDS``."""

    @property
    def split(self) -> str:
        """ "train" or "val"."""
        return split_of(self.photos, self.file_name)


def split_of(photos: str, file_name: str) -> str:
    """The split of a photograph, only by its name. "val" was never trained on, and people drew its masks."""
    held_out = photos != DRAWN and zlib.crc32(file_name.encode(errors="replace")) % _HELD_OUT == 0
    return "val" if held_out else "train"


def sources(folder: Path) -> list[Path]:
    """All files but the pictures. Raises ``DatasetError`` naming missing ones."""
    files = [*(folder / name / "instances.json" for name in SETS), folder / _SENTENCES]
    missing = [path.relative_to(folder).as_posix() for path in files if not path.is_file()]
    if missing:
        raise DatasetError(
            f"{folder} has no {', '.join(missing)}; expected a folder with {', '.join(SETS)} (each images/ and "
            f"instances.json) and {_SENTENCES.as_posix()}"
        )
    return files


def read_everyday(root: Path, folder: Path) -> Iterator[Read]:
    """The entries of both splits, paths relative to ``root``. Leaves out sentences about annotations without a mask."""
    return count_notes(_entries(root, folder))


def _entries(root: Path, folder: Path) -> Iterator[Read]:
    within = folder.relative_to(root)
    counts: Counter[str] = Counter()
    for sentence in read_sentences(folder):
        path = (within / sentence.photos / "images" / sentence.file_name).as_posix()
        counts[path] += 1
        bare = [annotation for annotation in sentence.annotations if "segmentation" not in annotation]
        if bare:
            detail = f"{sentence.file_name}, {sentence.text!r}: {bare[0].where}"
            yield LeftOut(what="sentence about an annotation without a mask", detail=detail)
            continue
        yield Entry(
            id=f"{sentence.photos}/{sentence.file_name}/{counts[path]}",
            image=path,
            text=sentence.text,
            regions=tuple(segmentation(annotation) for annotation in sentence.annotations),
            size=sentence.image.size(),
            split=sentence.split,
            kind=sentence.kind,
            image_id=f"{sentence.photos}/{sentence.file_name}",
        )


def read_sentences(folder: Path) -> Iterator[EverydaySentence]:
    """All sentences, in the file's order. Raises ``DatasetError`` naming a line that does not fit."""
    images: dict[str, dict[str, JsonRecord]] = {}
    annotations: dict[str, dict[int, JsonRecord]] = {}
    for name in SETS:
        by_id, annotations[name] = instances(folder / name / "instances.json")
        images[name] = {image.text("file_name"): image for image in by_id.values()}
    for line in json_lines(folder / _SENTENCES):
        photos, file_name, kind = line.text("photos"), line.text("image"), line.text("kind")
        if photos not in SETS:
            raise line.wrong("photos", photos, f"one of {', '.join(SETS)}")
        image = images[photos].get(file_name)
        if image is None:
            raise line.wrong("image", file_name, f"an image in {folder / photos / 'instances.json'}")
        named = tuple(_annotation(line, each, image, annotations[photos]) for each in line.items("instances"))
        if kind not in SENTENCE_KINDS:
            raise line.wrong("kind", kind, f"one of {', '.join(SENTENCE_KINDS)}")
        if (kind == "absent") == bool(named):
            raise line.wrong("instances", line.values["instances"], "none where the kind is absent, else at least one")
        yield EverydaySentence(
            photos=photos,
            image=image,
            file_name=file_name,
            annotations=named,
            text=line.text("text"),
            kind=kind,
        )


def _annotation(
    line: JsonRecord, identity: object, image: JsonRecord, annotations: dict[int, JsonRecord]
) -> JsonRecord:
    """The annotation with an id, which must be on the sentence's photograph."""
    found = annotations.get(identity) if isinstance(identity, int) and not isinstance(identity, bool) else None
    if found is None or found.integer("image_id") != image.integer("id"):
        raise line.wrong("instances", identity, f"the id of an annotation of {image.text('file_name')}")
    return found
