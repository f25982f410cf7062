"""Loss and IoU over the steps, as a picture."""

from __future__ import annotations

from pathlib import Path

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
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("matplotlib is not installed; run: pip install 'restr[train]'") from error

    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
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
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    with written_whole(target) as partial:
        figure.savefig(partial, dpi=110, format="png")
