"""A run over its steps, as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from restr.errors import DataError
from restr.files import written_whole
from restr.training.run.log import read


class Panel(NamedTuple):
    """A diagram of the second row."""

    names: tuple[str, ...]
    title: str
    scale: str


WHOLE = ("iou", "val_miou", "val_oiou")
BELOW = (
    Panel(("grad_norm", "weight_norm"), "norms", "log"),
    Panel(("lr",), "learning rate", "linear"),
    Panel(("samples_per_s",), "samples a second", "linear"),
)


def plot_curves(log: Path, target: Path) -> None:
    """Draw a run's JSONL log as a PNG: training loss, training and validation IoU; below them, where the log has them, the norms of
    gradient and weights, learning rate, and samples a second.

    Needs matplotlib (extra ``train``). Raises ``DataError`` where the log is empty or matplotlib is missing.
    """
    lines = read(log)
    if not lines:
        raise DataError(f"{log} has no lines; train for at least log_every steps first")
    below = [panel for panel in BELOW if any(_points(lines, name) for name in panel.names)]
    figure = _figure(rows=2 if below else 1)
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
        alpha = 1.0 if name in WHOLE else 0.35  # by kind of sentence there may be many
        right.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 60 else None, alpha=alpha)
    right.set(xlabel="step", ylabel="IoU", ylim=(0, 1), title="IoU")
    for axes, panel in zip(others, below, strict=True):
        for name in panel.names:
            if points := _points(lines, name):
                axes.plot(*zip(*points, strict=True), label=name if len(panel.names) > 1 else None)
        axes.set(xlabel="step", title=panel.title, yscale=panel.scale)
    _finish(figure, [left, right, *others], target)


def plot_runs(logs: Mapping[str, Path], target: Path) -> None:
    """Draw several runs' logs over each other, by name: training loss (left), validation mIoU or oIoU (right)."""
    lines = {name: read(log) for name, log in logs.items()}
    if not any(lines.values()):
        raise DataError(f"{', '.join(map(str, logs.values()))} have no lines; train for at least log_every steps first")
    figure = _figure()
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


def _figure(rows: int = 1) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("matplotlib is not installed; run: pip install 'restr[train]'") from error
    figure = Figure(figsize=(11, 0.6 + 3.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(figure: Any, panels: Iterable[Any], target: Path) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    with written_whole(target) as partial:
        figure.savefig(partial, dpi=110, format="png")
