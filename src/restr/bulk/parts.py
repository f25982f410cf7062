"""The output of a bulk run: a folder of parts, here or behind an address, each of which appears whole or not at all."""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from restr.bulk.rows import BulkRow, error_kind
from restr.errors import ConfigError, DatasetError, MissingFileError, OutputError
from restr.files import write_atomically
from restr.formats.shards.address import is_remote, redact
from restr.formats.shards.storage import system_of, with_retries

PartForm = Literal["parquet", "jsonl"]
_NAME = re.compile(r"part-(\d{8,})\.(?:parquet|jsonl)")
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}  # a file appears there only when it is complete


@dataclass
class BulkTally:
    """Rows, counted."""

    rows: int = 0
    """All."""

    found: int = 0
    """With a mask that has a pixel."""

    errors: dict[str, int] = field(default_factory=dict)
    """Rows with an error, by its kind."""

    examples: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of each kind of error the first row: row, image, text, error."""

    @property
    def failed(self) -> int:
        """Rows with an error."""
        return sum(self.errors.values())

    def add(self, other: BulkTally) -> None:
        """Count the rows of another one too."""
        self.rows, self.found = self.rows + other.rows, self.found + other.found
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
            first = [each for each in (self.examples.get(kind), other.examples[kind]) if each]
            self.examples[kind] = min(first, key=lambda each: each["row"])

    def add_error(self, row: dict[str, Any]) -> None:
        """Count the error of a row, which is among ``rows`` already. Rows come in order."""
        kind = error_kind(row["error"])
        self.errors[kind] = self.errors.get(kind, 0) + 1
        self.examples.setdefault(kind, {name: row[name] for name in ("row", "image", "text", "error")})


@dataclass(frozen=True)
class PartFolder:
    """A folder that parts are written to; workers have a copy, so a path is absolute."""

    place: str
    """An absolute path, or an address."""

    form: PartForm = "parquet"
    """What a part is: parquet or JSONL."""

    def __post_init__(self) -> None:
        if self.form not in get_args(PartForm):
            raise ConfigError(f"the form of the output is {self.form!r}; choose one of {', '.join(get_args(PartForm))}")
        if not is_remote(self.place):
            object.__setattr__(self, "place", str(Path(self.place).absolute()))
        if self.form == "parquet":
            _arrow()

    @property
    def display_name(self) -> str:
        """The path, or the address without secrets."""
        return redact(self.place)

    def name_of(self, index: int) -> str:
        """The name of a part's file."""
        return f"part-{index:08d}.{self.form}"

    def write_part(self, index: int, rows: Sequence[BulkRow]) -> BulkTally:
        """Write a part: of the same rows always the same bytes, instead of what is there. Raises ``OutputError``."""
        self.write_file(self.name_of(index), _parquet(rows) if self.form == "parquet" else _json_lines(rows))
        tally = BulkTally(rows=len(rows), found=sum(row.found is True for row in rows))
        for row in rows:
            if row.error is not None:
                tally.add_error(asdict(row))
        return tally

    def numbers(self) -> set[int]:
        """The numbers of the parts that are there."""
        return {
            int(found[1]) for name in self._names() if (found := _NAME.fullmatch(name)) and name.endswith(self.form)
        }

    def tally_of(self, index: int) -> BulkTally | None:
        """The rows of a part that is there, counted; None for a damaged one."""
        content = self.read_file(self.name_of(index)) or b""
        try:
            return _count_parquet(content) if self.form == "parquet" else _count_json_lines(content)
        except (ValueError, KeyError, TypeError, OSError):  # arrow's errors are a ValueError or an OSError
            return None

    def read_file(self, name: str) -> bytes | None:
        """The content of a file of the folder; None if there is none. Raises ``DatasetError``."""
        if not is_remote(self.place):
            try:
                return (Path(self.place) / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            return self._act(lambda system, folder: system.cat_file(f"{folder}/{name}"), name)
        except MissingFileError:
            return None

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file of the folder, atomically. Raises ``OutputError``."""
        try:
            if is_remote(self.place):
                self._act(lambda system, folder: _put(system, folder, name, content), name)
            else:
                Path(self.place).mkdir(parents=True, exist_ok=True)
                write_atomically(Path(self.place) / name, content)
        except (OSError, DatasetError) as error:
            raise OutputError(f"{self.display_name}/{name} cannot be written: {error}") from error

    def remove_partial(self) -> None:
        """Remove what killed processes have left of files they were writing. Only when nobody writes."""
        if not is_remote(self.place):
            for path in Path(self.place).glob(".part-*.partial"):
                with suppress(OSError):
                    path.unlink()

    def _names(self) -> list[str]:
        """The names of all files in the folder; none if it is not there."""
        if not is_remote(self.place):
            folder = Path(self.place)
            return [path.name for path in folder.iterdir()] if folder.is_dir() else []

        def listed(system: Any, folder: str) -> list[str]:
            system.invalidate_cache(folder)
            return [str(name).rstrip("/").rpartition("/")[2] for name in system.ls(folder, detail=False)]

        try:
            return self._act(listed, "")
        except MissingFileError:
            return []

    def _act(self, act: Callable[[Any, str], Any], name: str) -> Any:
        def acting() -> Any:
            system, folder = system_of(self.place)
            return act(system, folder.rstrip("/"))

        return with_retries(acting, self.place, f"{self.display_name}/{name}")


def _put(system: Any, folder: str, name: str, content: bytes) -> None:
    """Write a file behind an address, which no reader sees before it is complete."""
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    if protocol in _WHOLE:
        system.pipe_file(f"{folder}/{name}", content)
        return
    system.makedirs(folder, exist_ok=True)
    partial = f"{folder}/.{name}.{secrets.token_hex(4)}.partial"
    system.pipe_file(partial, content)
    system.mv(partial, f"{folder}/{name}")


def _arrow() -> Any:
    """pyarrow. Raises ``ConfigError`` without it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            "parquet output needs pyarrow; run: pip install 'restr[bulk]', or write JSON with --format jsonl"
        ) from error
    return pyarrow


def part_schema() -> Any:
    """The schema of a parquet part, pyarrow's."""
    arrow = _arrow()
    text, number, whole = arrow.string(), arrow.float64(), arrow.int32()
    rle = arrow.struct([("size", arrow.list_(whole)), ("counts", text)])
    return arrow.schema(
        [
            *(("row", arrow.int64()), ("id", text), ("image", text), ("text", text), ("found", arrow.bool_())),
            *(("presence", number), ("score", number), ("box", arrow.list_(whole)), ("area", arrow.int64())),
            *(("width", whole), ("height", whole), ("rle", rle), ("error", text)),
        ]
    )


def _parquet(rows: Sequence[BulkRow]) -> bytes:
    arrow, buffer = _arrow(), io.BytesIO()
    table = arrow.Table.from_pylist([asdict(row) for row in rows], schema=part_schema())
    arrow.parquet.write_table(table, buffer, compression="zstd", row_group_size=len(rows) or None)
    return buffer.getvalue()


def _json_lines(rows: Sequence[BulkRow]) -> bytes:
    return b"".join(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n" for row in rows)


def _count_parquet(content: bytes) -> BulkTally:
    arrow = _arrow()
    columns = ["row", "image", "text", "found", "error"]
    table = arrow.parquet.read_table(io.BytesIO(content), columns=columns)
    bad = table.filter(table.column("error").is_valid())
    found = table.column("found").to_pylist().count(True)
    return _with_errors(BulkTally(table.num_rows, found), bad.to_pylist())


def _count_json_lines(content: bytes) -> BulkTally:
    if content and not content.endswith(b"\n"):
        raise ValueError("the last line is cut off")
    rows = [json.loads(line) for line in content.split(b"\n") if line]
    tally = BulkTally(len(rows), sum(row["found"] is True for row in rows))
    return _with_errors(tally, [row for row in rows if row["error"] is not None])


def _with_errors(tally: BulkTally, bad: Sequence[dict[str, Any]]) -> BulkTally:
    for row in bad:
        tally.add_error(row)
    return tally
