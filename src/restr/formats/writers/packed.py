"""Datasets that hold their pictures: WebDataset's tar files and parquet."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from restr.data.entries.identity import Names, digest_of
from restr.errors import DatasetError
from restr.files import atomic_path
from restr.formats.readers.parquet import DIGEST
from restr.formats.shards.tar import PICTURES
from restr.formats.writers.pictures import PictureWriter, Reading
from restr.masks import rle_encode

PER_SHARD = 1000  # samples in a WebDataset shard or a parquet file
PER_GROUP = 32  # rows of a parquet file's row group, which is read as a whole


def write_webdataset(reading: Reading, folder: Path) -> Path:
    """``SPLIT-000000.tar`` and so on: for each sample a picture and a ``.json`` with text, mask and the rest."""
    pictures, shards = PictureWriter(reading, [f".{ending}" for ending in PICTURES]), Names()
    archive: tarfile.TarFile | None = None
    counts: dict[str, int] = {}
    split = None
    try:
        for entry, sample in reading:
            number = counts.get(entry.split, 0)
            if archive is None or split != entry.split or number % PER_SHARD == 0:
                if archive is not None:
                    archive.close()
                split = entry.split
                path = folder / f"{shards.of(split or 'all')}-{number // PER_SHARD:06d}.tar"
                archive = tarfile.open(path, "a")
            file = pictures.file(entry, sample)
            facts: dict[str, Any] = {"id": entry.id, "text": entry.text, "kind": entry.kind, "split": split or "all"}
            facts["image_id"] = pictures.image_id(entry, file)
            facts["mask"] = rle_encode(sample.mask) if entry.regions else "none"
            for ending, data in ((file.suffix, file.content), (".json", json.dumps(facts).encode())):
                member = tarfile.TarInfo(f"{number:08d}{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
            counts[entry.split] = number + 1
    finally:
        if archive is not None:
            archive.close()
    return folder


def write_parquet(reading: Reading, folder: Path) -> Path:
    """``SPLIT-00000.parquet`` and so on, with columns for picture, text, mask and the rest. Needs pyarrow."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DatasetError("parquet files need pyarrow; run: pip install 'restr[data]'") from error
    pictures, names = PictureWriter(reading), Names()
    rows: dict[str, list[dict[str, Any]]] = {}
    shards: dict[str, int] = {}

    def flush(split: str) -> None:
        if rows.get(split):
            number = shards.get(split, 0)
            path = folder / f"{names.of(split or 'all')}-{number:05d}.parquet"
            with atomic_path(path) as partial:
                parquet.write_table(arrow.Table.from_pylist(rows[split]), partial, row_group_size=PER_GROUP)
            shards[split], rows[split] = number + 1, []

    for entry, sample in reading:
        file = pictures.file(entry, sample)
        row = {
            "question_id": entry.id,
            "image": {"bytes": file.content, "path": file.name},
            DIGEST: digest_of(file.content),
        }
        row |= {"answer": [entry.text], "rle": json.dumps(rle_encode(sample.mask)) if entry.regions else "none"}
        row |= {"file_name": file.name, "image_id": pictures.image_id(entry, file)}
        row |= {"kind": entry.kind, "split": entry.split or "all"}
        rows.setdefault(entry.split, []).append(row)
        if len(rows[entry.split]) == PER_SHARD:
            flush(entry.split)
    for split in list(rows):
        flush(split)
    return folder
