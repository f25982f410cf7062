"""Charts as PNG files. matplotlib (extra ``train``) is loaded when the first one is drawn."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from restr.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, DARK_BLUE, GREY, BLACK = "#4a90c2", "#1f4e79", "#b0b4ba", "#202226"


def has_matplotlib() -> bool:
    """Whether charts can be drawn."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def open_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that needs no display. Raises ``DataError`` if matplotlib is missing."""
    if not has_matplotlib():
        raise DataError("matplotlib is not installed; run: pip install 'restr[train]'")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def chart_png(figure: Figure, *, dpi: int = 130) -> bytes:
    """The figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    return buffer.getvalue()


class Bar(NamedTuple):
    """A horizontal bar of a chart; NaN is drawn as no bar, no dot, no line."""

    label: str
    """The measured value."""
    n: int
    """How many samples were measured."""
    value: float
    """The bar's length."""
    colour: str
    """matplotlib's name of a colour."""
    interval: tuple[float, float] | None = None
    """The ends of the line on the bar: the value's confidence interval."""
    dot: float = math.nan
    """The place of a dot: a second value on the same scale."""


def draw_bars(axes: Axes, bars: Sequence[Bar], *, form: str, gap: float) -> float:
    """Draw the bars from top to bottom, each with its value to the right; returns the rightmost end.

    form: the format of a value. gap: the space between a bar and its value, on the bars' scale.
    """
    widest = 0.0
    for row, bar in enumerate(bars):
        axes.barh(row, 0.0 if math.isnan(bar.value) else bar.value, color=bar.colour, height=0.68)
        interval = bar.interval or (math.nan, math.nan)
        if not any(map(math.isnan, interval)):
            axes.plot(interval, [row, row], color=BLACK, linewidth=1.2)
        if not math.isnan(bar.dot):
            axes.plot(bar.dot, row, "o", color="white", markeredgecolor=BLACK, markersize=4.5, clip_on=False)
        end = max(0.0, *(each for each in (bar.value, *interval, bar.dot, 0.0) if not math.isnan(each)))
        text = "-" if math.isnan(bar.value) else form.format(bar.value)
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # hides grid lines behind the text
        axes.text(end + gap, row, text, va="center", fontsize=9, bbox=paper)
        widest = max(widest, end)
    axes.set_yticks(range(len(bars)), [f"{bar.label}  (n = {bar.n})" for bar in bars], fontsize=9)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return widest
