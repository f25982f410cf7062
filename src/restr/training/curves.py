"""Loss and IoU over the steps, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restr.errors import DataError
from restr.files import written_whole
from restr.training.log import read


def plot_curves(log: Path, target: Path) -> None:
    """Draw a run's JSONL log as a PNG: training loss (left), training and validation IoU (right).

    Needs matplotlib (extra ``train``). Raises ``DataError`` where the log is empty or matplotlib is missing.
    """
    lines = read(log)
    if not lines:
        raise DataError(f"{log} has no lines; train for at least log_every steps first")
    figure = _figure()
    left, right = figure.subplots(1, 2)
    for name in ("loss", "mask", "patch", "dice"):
        points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
        if any(value for _, value in points):
            left.plot(*zip(*points, strict=True), label=name, alpha=1.0 if name == "loss" else 0.5)
    left.set(xlabel="step", ylabel="loss", yscale="log", title="training loss")
    names = {key for line in lines for key, value in line.items() if "iou" in key and value is not None}
    for name in sorted(names):
        points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
        right.plot(*zip(*points, strict=True), label=name, marker="." if len(points) < 60 else None)
    right.set(xlabel="step", ylabel="IoU", ylim=(0, 1), title="IoU")
    _finish(figure, (left, right), target)


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
            points = [(line["step"], line[key]) for line in each if line.get(key) is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=f"{name} ({key})" if axes is right else name)
    left.set(xlabel="step", ylabel="loss", yscale="log", title="training loss")
    right.set(xlabel="step", ylabel="IoU", ylim=(0, 1), title="IoU")
    _finish(figure, (left, right), target)


def _figure() -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("matplotlib is not installed; run: pip install 'restr[train]'") from error
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(figure: Any, both: tuple[Any, Any], target: Path) -> None:
    for axes in both:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    with written_whole(target) as partial:
        figure.savefig(partial, dpi=110, format="png")
