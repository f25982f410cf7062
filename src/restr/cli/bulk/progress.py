"""How far a bulk run is: a bar at a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from restr.bulk.run import BulkProgress
from restr.cli.preparing import is_watched

EVERY = 30.0  # seconds between two lines


@contextmanager
def bulk_progress(*, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[BulkProgress], None]]:
    """What a run calls with its progress; shows it on standard error."""
    if not is_watched():
        yield _Lines(clock)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("planning", total=None, text="")
        pace = _Pace(clock)

        def show(found: BulkProgress) -> None:
            bar.update(
                task, description=found.state, completed=found.rows, total=found.planned, text=pace.describe(found)
            )

        yield show


class _Pace:
    """The rate of a run, since its first row was in work."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.started = clock, clock()
        self.state = ""

    def describe(self, found: BulkProgress) -> str:
        """Rows done, of how many, how fast, and how long it will take."""
        if found.state != self.state:
            self.state, self.started = found.state, self.clock()
        if found.planned is None:
            return f"{found.rows:,} rows"
        text = f"{found.rows:,} of {found.planned:,} rows"
        seconds = self.clock() - self.started
        if not found.new or seconds <= 0:
            return text
        rate = found.new / seconds
        return f"{text}, {rate_text(rate)}, {duration((found.planned - found.rows) / rate)} left"


class _Lines:
    """Lines on standard error, for a log."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.pace, self.clock, self.last, self.state = _Pace(clock), clock, clock(), "planning"

    def __call__(self, found: BulkProgress) -> None:
        text = self.pace.describe(found)
        done = found.rows == found.planned
        if found.state == self.state and not done and self.clock() - self.last < EVERY:
            return
        self.state, self.last = found.state, self.clock()
        print(f"restr bulk: {found.state}, {text}", file=sys.stderr, flush=True)


def rate_text(rate: float) -> str:
    """Rows a second, for people."""
    return f"{rate:,.{2 if rate < 10 else 1 if rate < 1000 else 0}f} a second"


def duration(seconds: float) -> str:
    """A time for people: 48 s, 12 min, 3 h 05 min, 2 d 4 h."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
