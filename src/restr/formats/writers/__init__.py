"""Writes a dataset in another layout: copies pictures, keeps masks pixel by pixel, and reads it back to prove that.

Each writer gets samples of any layout (see ``restr.formats.catalog``) and an empty folder, and writes files for the
reader of its layout. A picture that EXIF data turns is written upright, like its masks.
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
from restr.formats.writers.census import compare_with_source
from restr.formats.writers.folders import write_coco, write_csv, write_jsonl, write_refer
from restr.formats.writers.packed import write_parquet, write_webdataset
from restr.formats.writers.pictures import Reading
from restr.formats.writers.source import Progress, Source

WRITERS: dict[str, tuple[Callable[[Reading, Path], Path], str]] = {  # form -> (writer, spec that opens its files)
    "jsonl": (write_jsonl, "jsonl:samples.jsonl"),
    "csv": (write_csv, "csv:samples.csv"),
    "coco": (write_coco, "coco:instances.json"),
    "refer": (write_refer, "refer:own/refs(own).p"),
    "webdataset": (write_webdataset, "shards:."),
    "parquet": (write_parquet, "shards:."),
}
STAGE = ".converting"  # holds the files until all are written


def convert(
    samples: Source,
    form: str,
    folder: Path,
    *,
    progress: Progress = lambda count: None,
    read_back: Progress = lambda count: None,
) -> Path:
    """Write ``samples`` as ``form``, read them back and compare; returns the path to open. Writes everything or
    nothing.

    progress, read_back: called for each sample written, or compared. Raises ``DatasetError`` if the folder is not
    empty, or if a sample's sentence, mask or picture has changed.
    """
    if form not in WRITERS:
        raise ConfigError(f"there is no form {form!r} to write; choose one of {', '.join(WRITERS)}")
    write, spec = WRITERS[form]
    with _stage(folder) as stage:
        reading = Reading(samples, progress)
        made = write(reading, stage).relative_to(stage)
        try:
            compare_with_source(samples, reading.census, open_dataset(spec, stage), read_back)
        finally:
            shutil.rmtree(stage / FOLDER, ignore_errors=True)  # the next reader makes a new index
    return folder / made


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """A folder inside ``folder`` for one process. Its content moves up at the end, or is deleted after an error."""
    stage = folder / STAGE
    _refuse_others(folder)
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage.mkdir()
    except FileExistsError as error:
        raise DatasetError(
            f"{folder} is being written to by another conversion, or one was stopped there; name a new folder, or "
            f"delete {stage}"
        ) from error
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written to ({error}); name another folder") from error
    try:
        _refuse_others(folder)
        yield stage
        _refuse_others(folder)
        for path in sorted(
            stage.iterdir(), key=lambda path: path.is_file()
        ):  # pictures before the files that name them
            os.rename(path, folder / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _refuse_others(folder: Path) -> None:
    """Raises ``DatasetError`` if the folder holds anything but the stage."""
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} is a file; name a new folder")
    if folder.exists() and any(path.name != STAGE for path in folder.iterdir()):
        raise DatasetError(f"{folder} is not empty; name a new folder, so that nothing there is lost")
