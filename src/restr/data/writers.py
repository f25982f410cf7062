"""A dataset written in another layout: pictures copied, masks pixel by pixel the same.

Each writer gets samples (any layout's, see ``restr.data.catalog``) and a folder that must be free, and leaves what the reader of that
layout opens. A picture that EXIF data turns is written upright, as its masks are.
"""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from restr.data.entry import Entry
from restr.data.opener import Opener
from restr.data.sample import Sample
from restr.errors import ConfigError, DatasetError
from restr.files import write_whole, written_whole
from restr.masks import box_of, box_xywh, rle_encode
from restr.pictures import open_picture, orientation_of

PER_SHARD = 1000  # samples in a WebDataset shard or a parquet file
PER_GROUP = 32  # rows that a reader of a parquet file has to fetch at once
Progress = Callable[[int], None]


class Source(Protocol):
    """What can be written: entries, what opens their images, and their samples."""

    @property
    def files(self) -> Opener: ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Sample: ...

    def entry(self, number: int, /) -> Entry: ...


def convert(samples: Source, form: str, folder: Path, *, progress: Progress = lambda count: None) -> Path:
    """Write ``samples`` as ``form``; returns what to open. Raises ``DatasetError`` where the folder is not free."""
    if form not in WRITERS:
        raise ConfigError(f"there is no form {form!r} to write; choose one of {', '.join(WRITERS)}")
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder} is not empty; name a new folder, so that nothing there is lost")
    folder.mkdir(parents=True, exist_ok=True)
    return WRITERS[form](samples, folder, progress)


def _read(samples: Source, progress: Progress) -> Iterator[tuple[Entry, Sample]]:
    for number in range(len(samples)):
        yield samples.entry(number), samples[number]
        progress(1)


def _picture_bytes(samples: Source, entry: Entry, sample: Sample) -> tuple[bytes, str]:
    """The picture's file as it is, and its suffix; turned ones are encoded again, upright, as PNG."""
    with samples.files.open(entry.image) as file:
        content = file.read()
    with open_picture(content, samples.files.where(entry.image)) as picture:
        as_stored = (picture.height, picture.width) == sample.image.shape[:2] and orientation_of(picture) == 1
    if as_stored:
        return content, Path(entry.image).suffix.lower()
    buffer = io.BytesIO()
    Image.fromarray(sample.image).save(buffer, "PNG")
    return buffer.getvalue(), ".png"


class _Pictures:
    """Copies each picture once, into ``folder/images``, under a name that is free."""

    def __init__(self, samples: Source, folder: Path) -> None:
        self.samples, self.folder = samples, folder
        self.names: dict[str, str] = {}
        (folder / "images").mkdir()

    def name(self, entry: Entry, sample: Sample) -> str:
        if entry.image not in self.names:
            content, suffix = _picture_bytes(self.samples, entry, sample)
            name = Path(entry.image).stem + suffix
            if name in self.names.values():
                name = f"{len(self.names)}-{name}"
            write_whole(self.folder / "images" / name, content)
            self.names[entry.image] = name
        return self.names[entry.image]


def write_jsonl(samples: Source, folder: Path, progress: Progress) -> Path:
    """``samples.jsonl`` and ``images/``."""
    pictures, lines = _Pictures(samples, folder), []
    for entry, sample in _read(samples, progress):
        height, width = sample.mask.shape
        row = {
            "id": f"{entry.split}/{entry.id}" if entry.split else entry.id,
            "image": f"images/{pictures.name(entry, sample)}",
        }
        row |= {"text": entry.text, "mask": rle_encode(sample.mask) if entry.regions else "none"}
        row |= {"split": entry.split or "all", "kind": entry.kind, "height": height, "width": width}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_whole(folder / "samples.jsonl", "".join(lines))
    return folder / "samples.jsonl"


def write_coco(samples: Source, folder: Path, progress: Progress) -> Path:
    """``instances.json`` whose annotations have ``expressions``, and ``images/``. Sentences that mean nothing are left out."""
    content, _ = _coco(samples, folder, progress)
    write_whole(folder / "instances.json", json.dumps(content))
    return folder / "instances.json"


def write_refer(samples: Source, folder: Path, progress: Progress) -> Path:
    """``own/refs(own).p``, ``own/instances.json`` and ``images/``: the layout that the field's programs read."""
    content, refs = _coco(samples, folder, progress)
    (folder / "own").mkdir()
    write_whole(folder / "own" / "instances.json", json.dumps(content))
    write_whole(folder / "own" / "refs(own).p", pickle.dumps(refs, protocol=2))
    return folder / "own" / "refs(own).p"


def _coco(samples: Source, folder: Path, progress: Progress) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """COCO's form, and REFER's refs; equal regions of a picture and split are one annotation."""
    pictures = _Pictures(samples, folder)
    images: dict[str, dict[str, Any]] = {}
    annotations: dict[tuple[str, str, str], dict[str, Any]] = {}
    refs: dict[int, dict[str, Any]] = {}
    sentence = 0
    for entry, sample in _read(samples, progress):
        if not entry.regions:
            continue
        name, (height, width) = pictures.name(entry, sample), sample.mask.shape
        image = images.setdefault(name, {"id": len(images) + 1, "file_name": name, "height": height, "width": width})
        image.setdefault("split", entry.split or "all")
        rle = rle_encode(sample.mask)
        box = box_of(sample.mask)
        annotation = annotations.setdefault(
            (entry.split, name, rle["counts"]),
            {
                "id": len(annotations) + 1, "image_id": image["id"], "category_id": 1, "iscrowd": 0, "segmentation": rle,
                "area": int(np.count_nonzero(sample.mask)), "bbox": box_xywh(box) if box else [0, 0, 0, 0], "expressions": [],
            },
        )  # fmt: skip
        annotation["expressions"].append(entry.text)
        sentence += 1
        ref = refs.setdefault(
            annotation["id"],
            {"ref_id": annotation["id"], "ann_id": annotation["id"], "image_id": image["id"], "category_id": 1,
             "split": entry.split or "all", "file_name": name, "sentences": []},
        )  # fmt: skip
        ref["sentences"].append(
            {
                "sent_id": sentence,
                "sent": entry.text,
                "raw": entry.text,
                "tokens": entry.text.split(),
                "kind": entry.kind,
            }
        )
    content = {
        "images": list(images.values()),
        "annotations": list(annotations.values()),
        "categories": [{"id": 1, "name": "referent"}],
    }
    return content, list(refs.values())


def write_webdataset(samples: Source, folder: Path, progress: Progress) -> Path:
    """``SPLIT-000000.tar`` and on: for each sample a picture and a ``.json`` with text, mask and the rest."""
    archive: tarfile.TarFile | None = None
    counts: dict[str, int] = {}
    split = None
    try:
        for entry, sample in _read(samples, progress):
            number = counts.get(entry.split, 0)
            if archive is None or split != entry.split or number % PER_SHARD == 0:
                if archive is not None:
                    archive.close()
                split = entry.split
                archive = tarfile.open(folder / f"{split or 'all'}-{number // PER_SHARD:06d}.tar", "a")
            content, suffix = _picture_bytes(samples, entry, sample)
            facts: dict[str, Any] = {"id": entry.id, "text": entry.text, "kind": entry.kind, "image_id": entry.image_id}
            facts["mask"] = rle_encode(sample.mask) if entry.regions else "none"
            for ending, data in ((suffix, content), (".json", json.dumps(facts, ensure_ascii=False).encode())):
                member = tarfile.TarInfo(f"{number:08d}{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            counts[entry.split] = number + 1
    finally:
        if archive is not None:
            archive.close()
    return folder


def write_parquet(samples: Source, folder: Path, progress: Progress) -> Path:
    """``SPLIT-00000.parquet`` and on, with a column each for picture, text, mask and the rest. Needs pyarrow."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[data]'") from error
    rows: dict[str, list[dict[str, Any]]] = {}
    shards: dict[str, int] = {}

    def flush(split: str) -> None:
        if rows.get(split):
            number = shards.get(split, 0)
            with written_whole(folder / f"{split or 'all'}-{number:05d}.parquet") as partial:
                parquet.write_table(arrow.Table.from_pylist(rows[split]), partial, row_group_size=PER_GROUP)
            shards[split], rows[split] = number + 1, []

    for entry, sample in _read(samples, progress):
        content, suffix = _picture_bytes(samples, entry, sample)
        row = {"question_id": entry.id, "image": {"bytes": content, "path": Path(entry.image).stem + suffix}}
        row |= {"answer": [entry.text], "rle": json.dumps(rle_encode(sample.mask)) if entry.regions else "none"}
        row |= {"file_name": Path(entry.image).stem + suffix, "kind": entry.kind}
        rows.setdefault(entry.split, []).append(row)
        if len(rows[entry.split]) == PER_SHARD:
            flush(entry.split)
    for split in list(rows):
        flush(split)
    return folder


WRITERS: dict[str, Callable[[Source, Path, Progress], Path]] = {
    "jsonl": write_jsonl,
    "coco": write_coco,
    "refer": write_refer,
    "webdataset": write_webdataset,
    "parquet": write_parquet,
}
