"""An ablation as a Markdown table and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from restr.ablation.run import RowResult
from restr.errors import DataError
from restr.files import written_whole
from restr.metrics import LENGTHS, LONGEST_BIN

SCORES = ("miou", "oiou")


def markdown(title: str, results: Sequence[RowResult]) -> str:
    """A row a line: mean and standard deviation over seeds in percent, parameters, GMAC, milliseconds."""
    lines = [
        f"**{title}**",
        "",
        "| | seeds | mIoU | oIoU | parameters, M | GMAC | ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        cells = [spread([scores[name] for scores in result.scores]) for name in SCORES]
        cost = result.cost
        cells += [f"{cost.parameters / 1e6:.2f}", f"{cost.gmac:.3g}", f"{cost.milliseconds:.1f}"]
        lines.append(f"| {result.name} | {len(result.scores)} | {' | '.join(cells)} |")
    bins = [name for name in (*LENGTHS, LONGEST_BIN) if any(f"miou_{name}" in s for r in results for s in r.scores)]
    if bins:
        lines += ["", f"| mIoU by length | {' | '.join(bins)} |", "|---|" + "---:|" * len(bins)]
        for result in results:
            cells = [spread([s[f"miou_{name}"] for s in result.scores if f"miou_{name}" in s]) for name in bins]
            lines.append(f"| {result.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float]) -> str:
    """Mean and sample standard deviation, in percent; the deviation only where there are two."""
    if not values:
        return "-"
    mean = f"{100 * statistics.fmean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean


def plot(title: str, results: Sequence[RowResult], target: Path) -> None:
    """A dot a seed and a line at the mean of each row. Needs matplotlib (extra ``train``); else ``DataError``."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DataError("matplotlib is not installed; run: pip install 'restr[train]'") from error
    figure = Figure(figsize=(9, 0.9 + 0.55 * len(results)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, score in zip(axes, SCORES, strict=True):
        for place, result in enumerate(results):
            values = [100 * scores[score] for scores in result.scores]
            axis.scatter(values, [place] * len(values), s=26, color="#1f77b4", alpha=0.75, zorder=3)
            if values:
                axis.plot([statistics.fmean(values)] * 2, [place - 0.3, place + 0.3], color="#d62728", lw=2)
        axis.set(xlabel={"miou": "mIoU, %", "oiou": "oIoU, %"}[score], yticks=range(len(results)))
        axis.set_yticklabels([result.name for result in results])
        axis.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()
    figure.suptitle(f"{title}: a dot is a seed, a line the mean")
    with written_whole(target) as partial:
        figure.savefig(partial, dpi=120, format="png")
