"""Bulk runs of a second: a tiny model, small pictures, inputs of every form, and a pool that works in the test's own process."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
from PIL import Image

from restr import build_model, presets
from restr.bulk.pools.base import TaskOutcome, describe_failure
from restr.bulk.sources.base import BulkSource
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary
from sharded import tar

WORDS = ("the", "left", "right", "red", "blue")
SHAPES = ((40, 60), (64, 30), (33, 71))


class HerePool:
    """Does the tasks in this process. most: the tasks after which it stops, as if the caller were killed."""

    def __init__(self, most: int | None = None) -> None:
        self.most, self.done, self.closed = most, 0, False

    def run(self, tasks: Iterable[Any], make_worker: Callable[[], Any]) -> Generator[TaskOutcome[Any, Any], None, None]:
        worker = make_worker()
        try:
            for task in tasks:
                if self.done == self.most:
                    raise KeyboardInterrupt
                self.done += 1
                try:
                    report = worker.run(task)
                except Exception as error:
                    yield TaskOutcome(task=task, error=describe_failure(error))
                else:
                    yield TaskOutcome(task=task, report=report)
        finally:
            self.closed = True


def make_model(folder: Path) -> str:
    """A model folder, untrained."""
    words = Vocabulary(WORDS)
    save_pretrained(build_model(presets.restr_tiny(vocab=len(words)), seed=0), words, folder)
    return str(folder)


def png(number: int) -> bytes:
    """A picture's file; of another number, another picture."""
    pixels = np.random.default_rng(number).integers(0, 256, (*SHAPES[number % len(SHAPES)], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def json_lines(lines: Iterable[Any]) -> bytes:
    """A JSONL file; bytes are lines as they are."""
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def csv_text(rows: Iterable[Iterable[str]]) -> bytes:
    """A CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def parquet_table(columns: dict[str, Any], *, group: int = 4) -> bytes:
    """A parquet file with row groups of so many rows."""
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns), buffer, row_group_size=group)
    return buffer.getvalue()


def web_tar(samples: Iterable[tuple[str, dict[str, Any]]]) -> bytes:
    """A WebDataset shard: key, and content by ending; objects become JSON, texts UTF-8."""
    members = []
    for key, parts in samples:
        for ending, content in parts.items():
            if isinstance(content, str):
                content = content.encode()
            members.append((f"{key}.{ending}", content if isinstance(content, bytes) else json.dumps(content).encode()))
    return tar(members)


def read_records(source: BulkSource, rows: int) -> list[tuple[Any, ...]]:
    """(image, text, id, whether there is an error) of every row, read piece by piece; checks that each has its rows."""
    found = []
    for piece in source.cut(rows):
        if piece.error:
            assert piece.rows == 1
            found.append((source.file_of(piece), None, None, True))
            continue
        records = list(source.records(piece))
        assert sum(len(each.texts) for each in records) == piece.rows
        found += [(each.image, text, each.id, each.error is not None) for each in records for text in each.texts]
    return found
