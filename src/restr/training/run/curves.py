"""Charts of a run over its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from restr.errors import DataError
from restr.files import write_atomically
from restr.report.charts import chart_png, open_figure
from restr.training.run.log import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class _Panel(NamedTuple):
    """A chart of the second row."""

    names: tuple[str, ...]
    """The columns of the log that it shows."""
    title: str
    """Its title."""
    scale: str
    """The y axis: "linear" or "log"."""


_OVERALL = ("iou", "val_miou", "val_oiou")  # the other IoUs are of one kind of sentence each
_SECOND_ROW = (
    _Panel(("grad_norm", "weight_norm"), "norms", "log"),
    _Panel(("lr",), "learning rate", "linear"),
    _Panel(("samples_per_s",), "samples per second", "linear"),
)


def plot_curves(log: Path, target: Path) -> None:
    """Draw a run's JSONL log as a PNG: training loss, training and validation IoU; below them the norms of gradient and
    weights, the learning rate, and samples per second, if the log has them.

    Raises ``DataError`` if the log is empty or matplotlib (extra ``train``) is missing.
    """
    lines = read(log)
    if not lines:
        raise DataError(f"{log} has no lines; train for at least log_every steps first")
    below = [panel for panel in _SECOND_ROW if any(_points(lines, name) for name in panel.names)]
    figure = _open_rows(2 if below else 1)
    rows = figure.subfigures(2 if below else 1, 1, squeeze=False)[:, 0]
    left, right = rows[0].subplots(1, 2)
    others = rows[1].subplots(1, len(below), squeeze=False)[0] if below else []
    for name in ("loss", "mask", "patch", "dice"):
        points = _points(lines, name)
        if any(value for _, value in points):
            left.plot(*zip(*points, strict=True), label=name, alpha=1.0 if name == "loss" else 0.5)
    left.set(xlabel="step", ylabel="loss", yscale="log", title="training loss")
    names = {key for line in lines for key, value in line.items() if "iou" in key and value is not None}
    for name in sorted(names):
        points = _points(lines, name)
        alpha = 1.0 if name in _OVERALL else 0.35  # there may be many kinds of sentences
        right.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 60 else None, alpha=alpha)
    right.set(xlabel="step", ylabel="IoU", ylim=(0, 1), title="IoU")
    for axes, panel in zip(others, below, strict=True):
        for name in panel.names:
            if points := _points(lines, name):
                axes.plot(*zip(*points, strict=True), label=name if len(panel.names) > 1 else None)
        axes.set(xlabel="step", title=panel.title, yscale=panel.scale)
    _finish(figure, [left, right, *others], target)


def plot_runs(logs: Mapping[str, Path], target: Path) -> None:
    """Draw the logs of several runs, by name, into one PNG: training loss (left), validation mIoU or oIoU (right).

    Raises ``DataError`` if all logs are empty or matplotlib (extra ``train``) is missing.
    """
    lines = {name: read(log) for name, log in logs.items()}
    if not any(lines.values()):
        raise DataError(f"{', '.join(map(str, logs.values()))} have no lines; train for at least log_every steps first")
    figure = _open_rows(1)
    left, right = figure.subplots(1, 2)
    for name, each in lines.items():
        measured = next((key for key in ("val_miou", "val_oiou") if any(key in line for line in each)), "iou")
        for axes, key in ((left, "loss"), (right, measured)):
            if points := _points(each, key):
                axes.plot(*zip(*points, strict=True), label=f"{name} ({key})" if axes is right else name)
    left.set(xlabel="step", ylabel="loss", yscale="log", title="training loss")
    right.set(xlabel="step", ylabel="IoU", ylim=(0, 1), title="IoU")
    _finish(figure, (left, right), target)


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(line["step"], line[name]) for line in lines if line.get(name) is not None]


def _open_rows(rows: int) -> Figure:
    return open_figure(11, 0.6 + 3.4 * rows)


def _finish(figure: Figure, panels: Iterable[Axes], target: Path) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    write_atomically(target, chart_png(figure, dpi=110))
