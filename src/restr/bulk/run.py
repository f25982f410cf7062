"""A bulk run from end to end: plan, skip what is there, let a pool do the rest, sum up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from restr.bulk.parts import BulkTally, PartFolder
from restr.bulk.plan import BulkPlan, make_plan
from restr.bulk.pools.base import Pool
from restr.bulk.rows import BulkShard
from restr.bulk.sources.base import BulkSource
from restr.bulk.work import BulkModel, BulkWork
from restr.fields import at_least
from restr.inference.locate import describe_model, model_folder
from restr.inference.result import thresholds

SUMMARY = "summary.json"
_AT_ONCE = 8  # parts that are counted
_COUNTED = 64  # parts between two reports of progress


@dataclass(frozen=True, kw_only=True)
class BulkOptions:
    """What a run's output depends on, beside its input."""

    model: BulkModel = field(default_factory=BulkModel)
    """What computes."""

    rows_per_part: int = 1000
    """About how many rows a part has."""

    def __post_init__(self) -> None:
        at_least(self, "rows_per_part", 1)
        at_least(self.model, "threads", 0)
        at_least(self.model, "batch", 1)

    def facts(self, form: str) -> dict[str, Any]:
        """The settings by name, in JSON's types; of the model a hash of its files. Raises ``WeightsError``, and
        ``ConfigError`` for thresholds that no mask can have."""
        model, described = self.model, describe_model(model_folder(self.model.model))
        thresholds(described.config, model.threshold, model.presence)
        facts = {"model": described.hash, "format": form}
        return facts | {
            name: getattr(model, name) for name in ("device", "backend", "precision", "threshold", "presence", "batch")
        }


@dataclass(kw_only=True)
class BulkSummary:
    """What a run came to, with what earlier runs of it have done."""

    tally: BulkTally = field(default_factory=BulkTally)
    """All rows that are written."""

    planned_rows: int
    """All rows of the input."""

    parts: int
    """All parts of the output."""

    failed_parts: list[dict[str, Any]] = field(default_factory=list)
    """The parts that could not be written: part, rows, error. The same command tries them again."""

    rows_before: int = 0
    """Rows that were written by earlier runs."""

    seconds: float = 0.0
    """How long this run took after planning."""

    runtimes: list[str] = field(default_factory=list)
    """What computed in this run."""

    @property
    def is_complete(self) -> bool:
        """Whether every row of the input is in the output, some perhaps with an error."""
        return self.tally.rows == self.planned_rows

    @property
    def rows_per_second(self) -> float | None:
        """Of this run; None if it had nothing to do."""
        done = self.tally.rows - self.rows_before
        return done / self.seconds if done and self.seconds else None

    def to_dict(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        tally = self.tally
        return {
            "rows": tally.rows,
            "planned_rows": self.planned_rows,
            "found": tally.found,
            "not_found": tally.rows - tally.found - tally.failed,
            "errors": {
                kind: {"rows": count, "example": tally.examples[kind]} for kind, count in sorted(tally.errors.items())
            },
            "parts": self.parts,
            "failed_parts": sorted(self.failed_parts, key=lambda each: each["part"]),
            "rows_of_this_run": tally.rows - self.rows_before,
            "seconds": round(self.seconds, 3),
            "rows_per_second": self.rows_per_second,
            "runtimes": sorted(self.runtimes),
        }


@dataclass(frozen=True)
class BulkProgress:
    """How far a run is."""

    state: str
    """planning, counting (what earlier runs have written) or predicting."""

    rows: int
    """Rows that are done in this state."""

    planned: int | None = None
    """All rows; None while planning."""

    new: int = 0
    """Rows that this run has predicted."""


Progressing = Callable[[BulkProgress], None]


def predict_bulk(
    source: BulkSource,
    parts: PartFolder,
    pool: Pool,
    options: BulkOptions,
    *,
    progress: Progressing = lambda found: None,
) -> BulkSummary:
    """Predict all rows of an input into the folder ``parts``: exactly one row out for each row in.

    A part that is there is done, so the same call resumes a run that was killed, and finishes it with the same bytes. A
    shard that fails as a whole is in the summary and is tried again by the next run. Raises ``RestrError`` if nothing
    can be done, such as for a folder that holds another run.
    """
    options = replace(options, model=options.model.resolved())
    facts = options.facts(parts.form)
    plan = make_plan(
        source, facts, parts, options.rows_per_part, seen=lambda rows: progress(BulkProgress("planning", rows))
    )
    summary = BulkSummary(planned_rows=plan.rows, parts=len(plan.shards))
    done = _count_parts(plan, parts, summary.tally, progress)
    summary.rows_before = summary.tally.rows
    started = time.perf_counter()
    if len(done) < len(plan.shards):
        work = BulkWork(source=source, parts=parts, model=options.model)
        wanted = (shard for shard in plan.shards if shard.index not in done)
        _predict(pool, wanted, work, summary, progress)
    summary.seconds = time.perf_counter() - started
    if summary.is_complete:
        parts.remove_partial()
    if summary.rows_before < summary.tally.rows or summary.failed_parts or parts.read_file(SUMMARY) is None:
        parts.write_file(SUMMARY, (json.dumps(summary.to_dict(), indent=2) + "\n").encode())
    return summary


def _count_parts(plan: BulkPlan, parts: PartFolder, tally: BulkTally, progress: Progressing) -> set[int]:
    """The numbers of the parts that are there, whose rows are added to ``tally``; a damaged part is not there."""
    done: set[int] = set()
    shards = [plan.shards[number] for number in sorted(parts.numbers()) if number < len(plan.shards)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for first in range(0, len(shards), _COUNTED):
            some = shards[first : first + _COUNTED]
            for shard, found in zip(some, threads.map(lambda shard: parts.tally_of(shard.index), some), strict=True):
                if found is not None and found.rows == shard.piece.rows:
                    tally.add(found)
                    done.add(shard.index)
            progress(BulkProgress("counting", tally.rows, plan.rows))
    return done


def _predict(
    pool: Pool, shards: Iterable[BulkShard], work: BulkWork, summary: BulkSummary, progress: Progressing
) -> None:
    runtimes: set[str] = set()
    progress(BulkProgress("predicting", summary.tally.rows, summary.planned_rows))
    with closing(pool.run(shards, work)) as outcomes:
        for outcome in outcomes:
            shard, report = outcome.task, outcome.report
            if report is None:
                failed = {"part": shard.index, "rows": shard.piece.rows, "error": outcome.error}
                summary.failed_parts.append(failed)
                continue
            summary.tally.add(report.tally)
            runtimes.add(report.runtime)
            new = summary.tally.rows - summary.rows_before
            progress(BulkProgress("predicting", summary.tally.rows, summary.planned_rows, new))
    summary.runtimes = sorted(runtimes)
