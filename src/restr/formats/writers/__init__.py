"""A dataset written in another layout: pictures copied, masks pixel by pixel the same, and read back to prove it.

Each writer gets samples (any layout's, see ``restr.formats.catalog``) and a folder that must be free, and leaves what the reader of that
layout opens. A picture that EXIF data turns is written upright, as its masks are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from restr.data.entries.index import FOLDER
from restr.errors import ConfigError, DatasetError
from restr.formats.catalog import open_dataset
from restr.formats.writers.census import compare
from restr.formats.writers.folders import write_coco, write_csv, write_jsonl, write_refer
from restr.formats.writers.packed import write_parquet, write_webdataset
from restr.formats.writers.pictures import Progress, Reading, Source

WRITERS: dict[str, tuple[Callable[[Reading, Path], Path], str]] = {  # and how what they write is opened
    "jsonl": (write_jsonl, "jsonl:samples.jsonl"),
    "csv": (write_csv, "csv:samples.csv"),
    "coco": (write_coco, "coco:instances.json"),
    "refer": (write_refer, "refer:own/refs(own).p"),
    "webdataset": (write_webdataset, "shards:."),
    "parquet": (write_parquet, "shards:."),
}
STAGE = ".converting"  # where a folder's files lie until all of them are there


def convert(
    samples: Source,
    form: str,
    folder: Path,
    *,
    progress: Progress = lambda count: None,
    read_back: Progress = lambda count: None,
) -> Path:
    """Write ``samples`` as ``form``, read them back and compare; returns what to open. All of it is there afterwards, or nothing.

    progress, read_back: told of each sample that was written, or compared. Raises ``DatasetError`` where the folder is not
    free, or a sample's sentence, mask or picture is not what it was.
    """
    if form not in WRITERS:
        raise ConfigError(f"there is no form {form!r} to write; choose one of {', '.join(WRITERS)}")
    write, spec = WRITERS[form]
    with _stage(folder) as stage:
        reading = Reading(samples, progress)
        made = write(reading, stage).relative_to(stage)
        try:
            compare(samples, reading.census, open_dataset(spec, stage), read_back)
        finally:
            shutil.rmtree(stage / FOLDER, ignore_errors=True)  # whoever opens it next makes an index of its own
    return folder / made


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A folder within ``folder`` that only one process can have; what is in it moves up when the block ends, and is gone if it fails."""
    stage = folder / STAGE
    _refuse_others(folder)
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
    except FileExistsError as error:
        raise DatasetError(
            f"{folder} is being written to by another conversion, or one was stopped there; name a new folder, or delete {stage}"
        ) from error
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written to ({error}); name another folder") from error
    try:
        _refuse_others(folder)
        yield stage
        _refuse_others(folder)
        for path in sorted(
            stage.iterdir(), key=lambda path: path.is_file()
        ):  # what names the pictures comes after them
            os.rename(path, folder / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _refuse_others(folder: Path) -> None:
    """Raises ``DatasetError`` where there is anything but the stage."""
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} is a file; name a new folder")
    if folder.exists() and any(path.name != STAGE for path in folder.iterdir()):
        raise DatasetError(f"{folder} is not empty; name a new folder, so that nothing there is lost")
