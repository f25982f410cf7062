"""A worker of a bulk run: one model, and shards that become parts, one after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from restr.bulk.memory import share_freed_memory
from restr.bulk.parts import BulkTally, PartFolder
from restr.bulk.rows import BulkRecord, BulkRow, BulkShard, answer_of, error_text, plain_text
from restr.bulk.sources.base import BulkSource
from restr.bulk.sources.fetch import fetch_picture
from restr.errors import DatasetError, ImageError, RestrError, TextError
from restr.inference.fastest.machine import usable_cores
from restr.inference.loading import resolve_runtime
from restr.inference.many.batched import predict_batched
from restr.inference.many.crew import in_order
from restr.inference.many.run import ManyResult
from restr.inference.segmenter import Segmenter

_logger = logging.getLogger("restr")

MOST_THREADS = 8  # by default: each needs memory for its own activations
_READERS = 8  # threads that fetch pictures ahead
_TEXTS_AT_ONCE = 16  # of one picture: their masks are in memory together
_Picture = str | bytes
_Items = Iterator[tuple[bytes | Exception, list[str]]]
_Predict = Callable[[_Items], Generator[ManyResult, None, None]]


@dataclass(frozen=True, kw_only=True)
class BulkModel:
    """The model of a bulk run, and how it computes; arguments as of ``Segmenter.from_pretrained``."""

    model: str | None = None
    """A model folder or an export; None is the bundled model."""

    device: str = "auto"
    """auto, cpu or cuda."""

    backend: str = "auto"
    """The runtime."""

    precision: str = "auto"
    """The number format of matrix products."""

    threshold: float | None = None
    """The least probability of a mask's pixel; None is the model's own."""

    presence: float | None = None
    """The least presence; None is the model's own."""

    threads: int = 0
    """Processor threads of each worker; 0: all cores, at most ``MOST_THREADS``."""

    batch: int = 8
    """Pictures that a GPU encodes together; on a processor one picture a thread is faster."""

    def open(self) -> Segmenter:
        """Load the model. Each computation has one thread, so that the results do not depend on how many cores there
        are."""
        given: dict[str, Any] = {"device": self.device, "backend": self.backend, "precision": self.precision}
        found = Segmenter.from_pretrained(self.model, **given, threads=1)
        if self.worker_threads > 1 and str(found.device) == "cpu" and not found.backend.concurrent:
            return Segmenter.from_pretrained(self.model, **given, threads=self.worker_threads)
        return found

    def resolved(self) -> BulkModel:
        """The same with the runtime that "auto" means here, so that all workers, and runs that resume, take it too."""
        backend, precision = resolve_runtime(
            self.model, device=self.device, backend=self.backend, precision=self.precision
        )
        return replace(self, backend=backend, precision=precision)

    @property
    def worker_threads(self) -> int:
        """How many threads a worker has."""
        return self.threads or min(usable_cores(), MOST_THREADS)


@dataclass(frozen=True, kw_only=True)
class ShardReport:
    """What became of a shard."""

    tally: BulkTally
    """Its rows, counted."""

    seconds: float
    """How long it took."""

    runtime: str
    """What computed, such as "torch fp32 on cpu"."""


@dataclass(frozen=True, kw_only=True)
class BulkWork:
    """All that a worker has to know; called in its process, it loads the model."""

    source: BulkSource
    """The input."""

    parts: PartFolder
    """Where parts go."""

    model: BulkModel
    """What computes."""

    def __call__(self) -> ShardWorker:
        """A worker with the model loaded. Raises ``WeightsError`` and ``ConfigError``."""
        share_freed_memory(self.model.worker_threads)
        return ShardWorker(self, self.model.open())


@dataclass
class _Group:
    """Rows of one picture, which are computed in one call."""

    picture: _Picture
    base: str
    texts: list[str] = field(default_factory=list)
    rows: list[BulkRow] = field(default_factory=list)


class ShardWorker:
    """Turns shards into parts."""

    def __init__(self, work: BulkWork, segmenter: Segmenter) -> None:
        self.work, self.segmenter = work, segmenter

    def run(self, shard: BulkShard, /) -> ShardReport:
        """Predict a shard's rows and write its part, which depends on the shard and the settings alone.

        What is wrong with a row becomes its error. Raises ``DatasetError`` if the input does not answer or has changed,
        and ``OutputError``.
        """
        started = time.perf_counter()
        with _quiet():
            rows = self._rows(shard)
        if len(rows) != shard.piece.rows:
            raise DatasetError(
                f"part {shard.index} has {len(rows)} rows where the plan counted {shard.piece.rows}; the input has changed "
                "since: name another folder for the output"
            )
        tally = self.work.parts.write_part(shard.index, rows)
        backend = self.segmenter.backend
        runtime = f"{backend.name} {backend.precision} on {backend.device}"
        return ShardReport(tally=tally, seconds=time.perf_counter() - started, runtime=runtime)

    def _rows(self, shard: BulkShard) -> list[BulkRow]:
        try:
            return self._predicted(shard, self._many)
        except (RestrError, OSError):
            raise
        except Exception:  # of a library, about one picture: find out which, so that the others go on
            if str(self.segmenter.device) != "cpu":
                raise
            return self._predicted(shard, self._one_by_one)

    def _predicted(self, shard: BulkShard, predict: _Predict) -> list[BulkRow]:
        piece = shard.piece
        if piece.error:
            name, error = self.work.source.file_of(piece), error_text(DatasetError(piece.error))
            return [BulkRow(shard.first_row, None, plain_text(name), None, error=plain_text(error))]
        rows: list[BulkRow] = []
        groups = self._groups(shard, self.work.source.records(piece), rows)
        self._fill(groups, predict)
        return rows

    def _groups(self, shard: BulkShard, records: Iterator[BulkRecord], rows: list[BulkRow]) -> Iterator[_Group]:
        """Adjacent rows of one picture; all rows, also those with an error, are added to ``rows`` as they are read."""
        base = self.work.source.base_of(shard.piece)
        group: _Group | None = None
        for record in records:
            for text in record.texts:
                name = text if isinstance(text, str) else None
                row = BulkRow(
                    shard.first_row + len(rows), plain_text(record.id), plain_text(record.image), plain_text(name)
                )
                rows.append(row)
                if record.error is not None or record.picture is None:
                    row.error = plain_text(record.error or error_text(ImageError("the record has no picture")))
                    continue
                try:
                    self.segmenter.tokenizer.sentences([text])
                except TextError as error:
                    row.error = plain_text(error_text(error))
                    continue
                if group is None or record.picture != group.picture or len(group.texts) == _TEXTS_AT_ONCE:
                    if group is not None:
                        yield group
                    group = _Group(record.picture, base)
                group.texts.append(text)
                group.rows.append(row)
        if group is not None:
            yield group

    def _fill(self, groups: Iterator[_Group], predict: _Predict) -> None:
        """Fill the rows of all groups."""
        waiting: deque[_Group] = deque()

        def items() -> _Items:
            fetched = in_order(_fetch, groups, threads=_READERS, window=2 * _READERS, stopped=threading.Event())
            with closing(fetched):
                for group, content in fetched:
                    waiting.append(group)
                    yield content, group.texts

        with closing(predict(items())) as found:
            for each in found:
                group = waiting.popleft()
                if isinstance(each.error, (RestrError, OSError)) and not isinstance(
                    each.error, (ImageError, TextError)
                ):
                    raise each.error  # not about this picture: the model does not open, no file can be
                for number, row in enumerate(group.rows):
                    if each.error is not None:
                        row.error = plain_text(error_text(each.error))
                    else:
                        for name, value in each.made[number].items():
                            setattr(row, name, value)

    def _many(self, items: _Items) -> Generator[ManyResult, None, None]:
        model, segmenter = self.work.model, self.segmenter
        common: dict[str, Any] = {
            "threshold": model.threshold,
            "presence": model.presence,
            "then": lambda results: [answer_of(result) for result in results],
        }
        if str(segmenter.device) != "cpu":
            return predict_batched(segmenter, items, batch=model.batch, helpers=model.worker_threads, **common)
        if not segmenter.backend.concurrent:
            return segmenter.predict_many(items, workers=1, **common)
        return segmenter.predict_many(items, workers=model.worker_threads, threads=1, **common)

    def _one_by_one(self, items: _Items) -> Generator[ManyResult, None, None]:
        """As ``_many``, but whatever goes wrong with a picture is its error."""
        for index, item in enumerate(items):
            try:
                yield from self._many(iter([item]))
            except Exception as error:
                yield ManyResult(index=index, image=item[0], error=error)


def _fetch(group: _Group) -> tuple[_Group, bytes | Exception]:
    """A group with the bytes of its picture, or with why there are none."""
    if isinstance(group.picture, bytes):
        return group, group.picture
    try:
        return group, fetch_picture(group.picture, group.base)
    except ImageError as error:
        return group, error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings: of a million rows, some thousands have an unknown word or a picture that is tried again."""
    level = _logger.level
    _logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        _logger.setLevel(level)
