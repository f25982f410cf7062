"""The live view of a run: a panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_BARS = "▁▂▃▄▅▆▇█"
_CURVE_LENGTH = 30  # losses in the small curve

_Format = Callable[[float], str]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _score(value: float) -> str:
    return f"{100 * value:.1f}"


# The rows of the panel: name in the log -> label and format. Names of an evaluation begin with "val_".
_ROWS: tuple[dict[str, tuple[str, _Format]], ...] = (
    {
        "loss": ("loss", _number),
        "lr": ("lr", _number),
        "grad_norm": ("gradient", _number),
        "weight_norm": ("weights", _number),
    },
    {
        "iou": ("IoU", _score),
        "val_miou": ("val mIoU", _score),
        "val_oiou": ("val oIoU", _score),
        "val_best": ("best", _score),
    },
    {
        "samples_per_s": ("samples/s", _number),
        "data_wait": ("data wait", _percent),
        "memory_gb": ("memory", lambda value: f"{value:.2f} GB"),
        "mfu": ("MFU", _percent),
    },
)


class LiveView:
    """Shows the newest numbers of a run of ``steps`` steps that starts after step ``start``. Use as a context.

    On a terminal it is a panel that stays in place, else a line on standard error for each call of ``show``. With
    ``silent`` it shows nothing (for all processes but rank 0).
    """

    def __init__(
        self,
        steps: int,
        start: int = 0,
        *,
        title: str = "training",
        silent: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self.steps, self.title, self.silent = steps, title, silent
        self._clock = clock
        self._start, self._begun = start, clock()
        self._step = start
        self._values: dict[str, Any] = {}
        self._losses: deque[float] = deque(maxlen=_CURVE_LENGTH)
        console = console or Console(stderr=True)
        shown = console.is_terminal and not silent
        self._live = Live(get_renderable=self._panel, console=console) if shown else None

    def __enter__(self) -> Self:
        self._begun = self._clock()
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def advance(self, step: int) -> None:
        """``step`` steps are done; fewer than before after a rollback."""
        if step < self._step:
            self._start, self._begun = step, self._clock()
        self._step = step

    def show(self, step: int, values: Mapping[str, Any]) -> None:
        """Show the newest numbers; the panel keeps the earlier values of all others."""
        if self._live:
            if isinstance(values.get("loss"), float):
                self._losses.append(values["loss"])
            self._values = {**self._values, **values}  # a new dict, as another thread draws the panel
        elif not self.silent:
            print(self._line(step, values), file=sys.stderr, flush=True)

    def _line(self, step: int, values: Mapping[str, Any]) -> str:
        words = [f"{name} {_short(value)}" for name, value in values.items() if name != "step"]
        if "loss" in values and step < self.steps:
            words.append(f"eta {self._left()}")
        return f"step {step}/{self.steps}  {'  '.join(words)}"

    def _left(self) -> str:
        """How long the rest will take at the pace so far, evaluations included."""
        done = self._step - self._start
        if done <= 0:
            return "-"
        seconds = (self._clock() - self._begun) / done * (self.steps - self._step)
        return str(timedelta(seconds=round(seconds)))

    def _panel(self) -> RenderableType:
        from rich.console import Group
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        head = Table.grid(padding=(0, 2), expand=True)
        head.add_column(ratio=1)
        head.add_column(justify="right")
        taken = timedelta(seconds=round(self._clock() - self._begun))
        left = f"ETA {self._left()}" if self._step < self.steps else "done"
        head.add_row(
            ProgressBar(self.steps, self._step),
            Text(f"{self._step:,} / {self.steps:,}   {taken}   {left}"),
        )
        grid = Table.grid(padding=(0, 1), expand=True)
        for _ in range(max(map(len, _ROWS))):
            grid.add_column(style="dim", no_wrap=True)
            grid.add_column(ratio=1, no_wrap=True)
        for row in _ROWS:
            cells: list[RenderableType] = []
            for name, (label, form) in row.items():
                cells += [label, Text(form(self._values[name]) if self._has(name) else "-", "bold")]
            grid.add_row(*cells)
        parts: list[RenderableType] = [head, grid]
        if len(self._losses) > 1:
            parts.append(Text.assemble(("loss ", "dim"), (sparkline(self._losses), "cyan")))
        return Panel(Group(*parts), title=self.title, title_align="left", border_style="dim")

    def _has(self, name: str) -> bool:
        return isinstance(self._values.get(name), int | float)


def sparkline(values: deque[float] | list[float]) -> str:
    """Numbers as a curve that is one line high."""
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in values)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
