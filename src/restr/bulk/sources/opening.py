"""Opens an input, of whatever form."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from restr.bulk.sources.base import BulkSource
from restr.bulk.sources.columns import BulkColumns
from restr.bulk.sources.listing import list_inputs
from restr.bulk.sources.parquet_tables import ParquetTable, parquet_columns
from restr.bulk.sources.pictures import PictureList
from restr.bulk.sources.text_tables import CsvTable, JsonLines, csv_columns, jsonl_columns
from restr.bulk.sources.webdataset import WebDataset
from restr.errors import DatasetError, TextError
from restr.formats.shards.address import is_remote
from restr.formats.shards.storage import Shard, look_up

_AT_ONCE = 16  # files whose size is asked


def open_source(
    inputs: Sequence[str],
    *,
    texts: Sequence[str] = (),
    columns: BulkColumns | None = None,
    root: str | None = None,
) -> BulkSource:
    """The input that these words name: pictures (files, folders, globs), or tables, or tars of WebDataset.

    texts: what to ask of every picture; of tables and tars, in place of their own expressions. columns: of a table, if
    they have no usual names. root: what the pictures' names in a table are relative to; else each table's own folder.
    Raises ``DatasetError``, and ``TextError`` for a list of pictures without ``texts``.
    """
    kind, names = list_inputs(inputs)
    asked, columns = tuple(texts), columns or BulkColumns()
    if any(not text.strip() for text in asked):
        raise TextError('a text is empty; expected what to look for, such as "the left dog"')
    if kind == "pictures":
        if not asked:
            raise TextError('there is no text to look for in the pictures; add --text "the left dog", once for each')
        return PictureList(names, asked, os.getcwd())
    absolute = [name if is_remote(name) else os.path.abspath(name) for name in names]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        files = tuple(pool.map(look_up, absolute))
    common: dict[str, Any] = {"files": files, "names": tuple(names), "texts": asked}
    if kind == "webdataset":
        return WebDataset(**common, columns=columns)
    common["bases"] = tuple(_base(root, url) for url in absolute)
    if kind == "parquet":
        return ParquetTable(**common, columns=_columns(columns, files[:1], asked, parquet_columns))
    if kind == "jsonl":
        return JsonLines(**common, columns=_columns(columns, files[:1], asked, jsonl_columns))
    headers = tuple(tuple(csv_columns(file)) for file in files)
    known = dict(zip(files, map(list, headers), strict=True))
    return CsvTable(**common, columns=_columns(columns, files, asked, known.__getitem__), headers=headers)


def _columns(
    columns: BulkColumns, files: Sequence[Shard], texts: Sequence[str], names: Callable[[Shard], list[str]]
) -> BulkColumns:
    """The columns of tables, which must have the same ones."""
    found = [columns.found_in(names(file), file.display_name, fixed_texts=bool(texts)) for file in files]
    for file, each in zip(files, found, strict=True):
        if each != found[0]:
            raise DatasetError(
                f"{file.display_name} has its pictures in {each.image!r}, expressions in {each.text!r} and ids in {each.id!r}, "
                f"unlike {files[0].display_name}; name the columns, or give one table at a time"
            )
    return found[0]


def _base(root: str | None, url: str) -> str:
    """What the names of pictures in a table are relative to."""
    if root is not None:
        return root if is_remote(root) else os.path.abspath(root)
    return url.partition("?")[0].rpartition("/")[0] if is_remote(url) else os.path.dirname(url)
