"""Datasets by name: how each is read, and from which files.

A new reader is a file in ``restr.formats.readers`` and a row of ``PUBLISHED_LAYOUTS`` or ``OWN_LAYOUTS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from restr.data.dataset import IndexedSamples, index_dataset
from restr.data.entries.index import index_name
from restr.data.entries.left_out import Read
from restr.errors import DatasetError
from restr.formats.annotations import pictures
from restr.formats.readers import (
    coco,
    cvat,
    everyday,
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
class PublishedLayout:
    """How a published dataset is read: by the REFER reader, or by one of its own."""

    splitters: tuple[str, ...] = ()
    """The splitters of the REFER layout, the usual one first; empty for a dataset with a reader of its own."""

    read: Callable[[Path], Iterable[Read]] | None = None
    """Its own reader, which gets the root."""

    files: str = ""
    """The files that this reader reads, as a glob below the root."""


def _beside(root: Path, path: Path) -> Path:
    return path.parent


def _root(root: Path, path: Path) -> Path:
    return root


def _annotation_files(path: Path) -> list[Path]:
    """The file itself, or the JSON and parquet files in a folder."""
    return sorted(p for p in path.rglob("*") if p.suffix in (".json", ".parquet")) if path.is_dir() else [path]


@dataclass(frozen=True, kw_only=True)
class OwnLayout:
    """How a file or folder of your own is read."""

    read: Callable[[Path, Path], Iterable[Read]]
    """Its reader, which gets the base and the path."""

    base: Callable[[Path, Path], Path] = _beside
    """The folder that the file's own paths are relative to, from the root and the path; usually the file's."""

    sources: Callable[[Path], list[Path]] = _annotation_files
    """The files whose change makes the index old."""

    searched: bool = False
    """Whether pictures are searched for in many folders, see ``restr.formats.annotations.pictures``."""

    all_splits: str = ""
    """The name of a split that means all of them."""


def _searched(read: Callable[[Path, Path], Iterable[Read]]) -> OwnLayout:
    return OwnLayout(read=read, base=lambda root, path: pictures.root_of(path), searched=True)


PUBLISHED_LAYOUTS: dict[str, PublishedLayout] = {
    "refcoco": PublishedLayout(splitters=("unc", "google")),
    "refcoco+": PublishedLayout(splitters=("unc",)),
    "refcocog": PublishedLayout(splitters=("umd", "google")),
    "refclef": PublishedLayout(splitters=("unc", "berkeley")),
    "grefcoco": PublishedLayout(splitters=("unc",)),
    "refzom": PublishedLayout(read=refzom.read_refzom, files="ref*zom/*.*"),
    "referit": PublishedLayout(read=referit.read_referit, files="referit_*.json"),
    "phrasecut": PublishedLayout(read=phrasecut.read_phrasecut, files="refer_*.json"),
    "reasonseg": PublishedLayout(read=reasonseg.read_reasonseg, files="*/*.json"),
}
OWN_LAYOUTS: dict[str, OwnLayout] = {
    "jsonl": OwnLayout(read=own.read_jsonl),
    "csv": OwnLayout(read=own.read_csv),
    "coco": _searched(coco.read_coco),
    "refer": OwnLayout(
        read=refer.read_refs_file, base=lambda root, path: path.parent.parent, sources=refer.sources_of_refs
    ),
    "labelstudio": _searched(label_studio.read_label_studio),
    "cvat": _searched(cvat.read_cvat),
    "lists": OwnLayout(read=listed.read_lists, base=_root),
    "grouped": OwnLayout(read=listed.read_grouped, base=_root),
    "parquet": OwnLayout(read=parquet.read_parquet, base=_root),
    "everyday": OwnLayout(
        read=everyday.read_everyday,
        base=lambda root, path: path,
        sources=everyday.sources,
        all_splits=everyday.ALL_SPLITS,
    ),
}
_SHARDS = "shards"


def open_dataset(spec: str, root: str | Path = ".", *, summed: bool = False) -> IndexedSamples:
    """The samples that a spec names.

    spec: ``NAME[:SPLITTER]:SPLIT`` of a published dataset ("refcoco:unc:testA", "refcocog:val" with the usual splitter,
    "referit:test"), or ``FORM:PATH[:SPLIT]`` of your own ("jsonl:mine.jsonl", "coco:instances.json:val"), or
    ``shards:PATTERN[:SPLIT]`` of tar or parquet files, here or behind an address
    ("shards:s3://bucket/train-{000..099}.tar"). Without a split: all of them. root: the folder that holds the dataset;
    own paths are relative to it. summed: overlapping polygons as the REFER toolkit draws them, see
    ``restr.data.entries.regions.mask_of``. Raises ``DatasetError``.
    """
    root = Path(root)
    name, _, where = spec.partition(":")
    if where and not where.startswith(":"):
        if name == _SHARDS:
            return open_shards(where, root, summed=summed)
        if name in OWN_LAYOUTS:
            return _open_own(name, where, root, summed)
    if name in PUBLISHED_LAYOUTS and 1 <= spec.count(":") <= 2:
        return _open_published(name, where, root, summed)
    raise DatasetError(
        f"the dataset is {spec!r}; expected NAME:SPLIT with one of {', '.join(PUBLISHED_LAYOUTS)} (refcoco:unc:testA), "
        "or FORM:PATH "
        f"with one of {', '.join(OWN_LAYOUTS)} (jsonl:mine.jsonl), or shards:PATTERN"
    )


def open_all_splits(spec: str, root: str | Path = ".") -> IndexedSamples:
    """A dataset with all its splits, from ``NAME[:SPLITTER]`` or ``FORM:PATH``. Raises ``DatasetError``."""
    name, *rest = spec.split(":")
    return open_dataset(f"{name}:{rest[0] if rest else ''}:" if name in PUBLISHED_LAYOUTS else spec, root)


def _open_own(name: str, where: str, root: Path, summed: bool) -> IndexedSamples:
    layout = OWN_LAYOUTS[name]
    where, split = path_and_split(where, root)
    path = root / where
    base = layout.base(root, path)
    index = index_dataset(
        base,
        index_name(name, base, path),
        layout.sources(path),
        lambda: layout.read(base, path),
        searched=pictures.folders(base, path, pictures.subset_of(path)) if layout.searched else None,
    )
    return IndexedSamples(base, index, None if split == layout.all_splits else split, summed=summed)


def _open_published(name: str, where: str, root: Path, summed: bool) -> IndexedSamples:
    layout = PUBLISHED_LAYOUTS[name]
    splitter, _, split = where.rpartition(":")
    splitter = splitter or (layout.splitters or ("",))[0]
    if splitter and splitter not in layout.splitters:
        raise DatasetError(
            f"{name} has no splitter {splitter!r}; choose from {', '.join(layout.splitters) or 'none at all'}"
        )
    if layout.read is not None:
        read = layout.read
        index = index_dataset(root, name, sorted(root.glob(layout.files)), lambda: read(root))
    else:
        files = [refer.refs_file(root / name, splitter), root / name / "instances.json"]
        index = index_dataset(root, f"{name}-{splitter}", files, lambda: refer.read_refer(root, name, splitter))
    return IndexedSamples(root, index, split or None, summed=summed)


def path_and_split(text: str, root: Path) -> tuple[str, str | None]:
    """``PATH[:SPLIT]``, where the path may hold colons of its own, such as a drive's (C:\\data\\mine.jsonl)."""
    path, colon, split = text.rpartition(":")
    if not colon or is_drive(path) or os.path.exists(root / text):
        return text, None
    return path, split or None
