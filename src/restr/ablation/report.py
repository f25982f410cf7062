"""An ablation as a Markdown table and a chart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from restr.ablation.run import RowResult
from restr.files import write_atomically
from restr.metrics import LENGTHS, LONGEST_BIN
from restr.report.charts import chart_png, open_figure
from restr.report.tables import markdown_table, percent

_SCORES = {"miou": "mIoU", "oiou": "oIoU"}


def ablation_table(title: str, results: Sequence[RowResult]) -> str:
    """One line per row in Markdown: mean and standard deviation over seeds in percent, parameters, GMAC, milliseconds."""
    rows = []
    for result in results:
        cells = [mean_and_deviation([scores[name] for scores in result.scores]) for name in _SCORES]
        cost = result.cost
        cells += [f"{cost.parameters / 1e6:.2f}", f"{cost.gmac:.3g}", f"{cost.milliseconds:.1f}"]
        rows.append([result.name, str(len(result.scores)), *cells])
    heads = ["", "seeds", *_SCORES.values(), "parameters, M", "GMAC", "ms"]
    lines = [f"**{title}**", "", *markdown_table(heads, rows)]
    bins = [name for name in (*LENGTHS, LONGEST_BIN) if any(f"miou_{name}" in s for r in results for s in r.scores)]
    if bins:
        lines += ["", *markdown_table(["mIoU by length", *bins], (_by_length(result, bins) for result in results))]
    return "\n".join(lines) + "\n"


def _by_length(result: RowResult, bins: Sequence[str]) -> list[str]:
    """The row's name, and its mIoU in each bin of sentence lengths."""
    columns = ([scores[f"miou_{name}"] for scores in result.scores if f"miou_{name}" in scores] for name in bins)
    return [result.name, *map(mean_and_deviation, columns)]


def mean_and_deviation(values: Sequence[float]) -> str:
    """Mean and, of two values or more, the sample standard deviation, in percent; a dash without values."""
    if not values:
        return "-"
    mean = percent(statistics.fmean(values))
    return f"{mean} ± {percent(statistics.stdev(values))}" if len(values) > 1 else mean


def plot_ablation(title: str, results: Sequence[RowResult], target: Path) -> None:
    """Draw an ablation as a PNG: one dot per seed, and a line at the mean of each row.

    Raises ``DataError`` if matplotlib (extra ``train``) is missing.
    """
    figure = open_figure(9, 0.9 + 0.55 * len(results))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (score, label) in zip(axes, _SCORES.items(), strict=True):
        for place, result in enumerate(results):
            values = [100 * scores[score] for scores in result.scores]
            axis.scatter(values, [place] * len(values), s=26, color="#1f77b4", alpha=0.75, zorder=3)
            if values:
                axis.plot([statistics.fmean(values)] * 2, [place - 0.3, place + 0.3], color="#d62728", lw=2)
        axis.set(xlabel=f"{label}, %", yticks=range(len(results)))
        axis.set_yticklabels([result.name for result in results])
        axis.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()
    figure.suptitle(f"{title}: each dot is a seed, each line a mean")
    write_atomically(target, chart_png(figure, dpi=120))
