"""Datasets by name: how each is read, and from which files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from restr.data.dataset import IndexedSamples, indexed
from restr.data.entries.index import index_name
from restr.data.entries.left_out import Read
from restr.errors import DatasetError
from restr.formats.readers import (
    coco,
    cvat,
    everyday,
    found,
    label_studio,
    listed,
    own,
    parquet,
    phrasecut,
    reasonseg,
    refer,
    referit,
    refzom,
)
from restr.formats.shards.address import is_drive
from restr.formats.shards.samples import open_shards


@dataclass(frozen=True, kw_only=True)
class DatasetForm:
    """A published dataset. splitters: those of the REFER layout, the usual one first; without any, ``read`` reads it, and
    ``files`` says from what (a glob below the root)."""

    splitters: tuple[str, ...] = ()
    read: Callable[[Path], Iterable[Read]] | None = None
    files: str = ""


LAYOUTS: dict[str, DatasetForm] = {
    "refcoco": DatasetForm(splitters=("unc", "google")),
    "refcoco+": DatasetForm(splitters=("unc",)),
    "refcocog": DatasetForm(splitters=("umd", "google")),
    "refclef": DatasetForm(splitters=("unc", "berkeley")),
    "grefcoco": DatasetForm(splitters=("unc",)),
    "refzom": DatasetForm(read=refzom.read_refzom, files="ref*zom/*.*"),
    "referit": DatasetForm(read=referit.read_referit, files="referit_*.json"),
    "phrasecut": DatasetForm(read=phrasecut.read_phrasecut, files="refer_*.json"),
    "reasonseg": DatasetForm(read=reasonseg.read_reasonseg, files="*/*.json"),
}
OWN: dict[str, Callable[[Path, Path], Iterable[Read]]] = {
    "jsonl": own.read_jsonl,
    "csv": own.read_csv,
    "coco": coco.read_coco,
    "refer": refer.read_refs_file,
    "labelstudio": label_studio.read_label_studio,
    "cvat": cvat.read_cvat,
    "lists": listed.read_lists,
    "grouped": listed.read_grouped,
    "parquet": parquet.read_parquet,
    "everyday": everyday.read_everyday,
}

SEARCHED = (
    "coco",
    "labelstudio",
    "cvat",
)  # forms of tools that put pictures in many places, see ``restr.formats.readers.found``


def open_dataset(spec: str, root: str | Path = ".", *, summed: bool = False) -> IndexedSamples:
    """The samples that a name means.

    spec: ``NAME[:SPLITTER]:SPLIT`` of a published dataset ("refcoco:unc:testA", "refcocog:val" with the usual splitter,
    "referit:test"), or ``FORM:PATH[:SPLIT]`` of one's own ("jsonl:mine.jsonl", "coco:instances.json:val"), or ``shards:PATTERN[:SPLIT]``
    of tar or parquet files, here or behind an address ("shards:s3://bucket/train-{000..099}.tar"). root: the folder that holds the
    dataset; own paths are relative to it. Raises ``DatasetError``.
    """
    root = Path(root)
    name, *rest = spec.split(":")
    if name == "shards" and rest and rest[0]:
        return open_shards(spec.partition(":")[2], root, summed=summed)
    if name in OWN and rest and rest[0]:
        where, part = path_and_split(spec.partition(":")[2], root)
        path = root / where
        base = _base(name, root, path)
        searched = found.folders(base, path, found.subset_of(path)) if name in SEARCHED else None
        index = indexed(
            base,
            index_name(name, base, path),
            _sources(name, path),
            lambda: OWN[name](base, path),
            searched=searched,
        )
        return IndexedSamples(base, index, None if (name, part) == ("everyday", everyday.ALL) else part, summed=summed)
    if name not in LAYOUTS or not 1 <= len(rest) <= 2:
        raise DatasetError(
            f"the dataset is {spec!r}; expected NAME:SPLIT with one of {', '.join(LAYOUTS)} (refcoco:unc:testA), or FORM:PATH "
            f"with one of {', '.join(OWN)} (jsonl:mine.jsonl), or shards:PATTERN"
        )
    layout = LAYOUTS[name]
    splitter, split = (rest[0], rest[1]) if len(rest) > 1 else ("", rest[0])
    splitter = splitter or (layout.splitters or ("",))[0]
    if splitter and splitter not in layout.splitters:
        raise DatasetError(
            f"{name} has no splitter {splitter!r}; choose from {', '.join(layout.splitters) or 'none at all'}"
        )
    if layout.read is not None:
        own_reader = layout.read
        index = indexed(root, name, sorted(root.glob(layout.files)), lambda: own_reader(root))
    else:
        files = [refer.refs_file(root / name, splitter), root / name / "instances.json"]
        index = indexed(root, f"{name}-{splitter}", files, lambda: refer.read_refer(root, name, splitter))
    return IndexedSamples(root, index, split or None, summed=summed)


def path_and_split(text: str, root: Path) -> tuple[str, str | None]:
    """``PATH[:SPLIT]``, where the path may hold colons of its own, such as a drive's (C:\\data\\mine.jsonl)."""
    path, colon, split = text.rpartition(":")
    if not colon or is_drive(path) or os.path.exists(root / text):
        return text, None
    return path, split or None


def _base(name: str, root: Path, path: Path) -> Path:
    """The folder that a form's paths are relative to."""
    if name == "everyday":
        return path
    if name in ("lists", "grouped", "parquet"):
        return root
    if name in SEARCHED:
        return found.root_of(path)
    return path.parent.parent if name == "refer" else path.parent


def _sources(name: str, path: Path) -> list[Path]:
    """The files whose change makes a form's index old."""
    if name == "everyday":
        return everyday.sources(path)
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix in (".json", ".parquet"))
    beside = path.parent / "instances.json"
    return [path, beside] if path.suffix == ".p" and beside.is_file() else [path]
