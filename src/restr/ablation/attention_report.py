"""The class seed's attention in an ablation, by source: a Markdown table and a chart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from restr.ablation.report import mean_and_deviation
from restr.ablation.run import RowResult
from restr.files import write_atomically
from restr.model.attention_maps import SOURCES
from restr.report.charts import BLACK, BLUE, DARK_BLUE, GREY, chart_png, open_figure
from restr.report.tables import markdown_table, percent

_KINDS = ("direct", "effective")
_LABELS = dict(zip(SOURCES, ("patches", "words", "itself"), strict=True))
_COLOURS = dict(zip(SOURCES, (GREY, BLUE, DARK_BLUE), strict=True))


def has_seed_attention(results: Sequence[RowResult]) -> bool:
    """Whether any seed of any row has measured it."""
    return any(_values(result, "direct", SOURCES[0]) for result in results)


def seed_attention_table(results: Sequence[RowResult]) -> str:
    """Two lines per row in Markdown, in percent: measured, and "all alike": if every token attended to all alike.

    Direct: in blocks that hold the seed. Effective: by attention rollout, the last time without what stays with the seed, which
    depends on the number of blocks. At the end the direct share of patches in each block.
    """
    heads = ["the seed's attention", *(f"{kind}: {_LABELS[source]}" for kind in _KINDS for source in SOURCES)]
    heads += ["effective: patches of patches and words", "patches by block"]
    rows = []
    for result in (result for result in results if has_seed_attention([result])):
        for label, suffix in ((result.name, ""), ("all alike", "_uniform")):
            columns = [_values(result, f"{kind}{suffix}", source) for kind in _KINDS for source in SOURCES]
            patches, words = columns[3:5]
            columns.append([p / (p + w) for p, w in zip(patches, words, strict=True)])
            # what is alike differs only by the lengths of the sentences, which all seeds share
            cells = map(mean_and_deviation, columns) if not suffix else (percent(_mean(each)) for each in columns)
            rows.append([label, *cells, " / ".join(_by_block(result)) if not suffix else ""])
    return "\n".join(markdown_table(heads, rows)) + "\n"


def plot_seed_attention(title: str, results: Sequence[RowResult], target: Path) -> None:
    """Draw the shares as a PNG: a bar per row, with a line where patches would end if all tokens were attended to alike.

    Raises ``DataError`` if matplotlib (extra ``train``) is missing.
    """
    shown = [result for result in results if has_seed_attention([result])]
    figure = open_figure(9, 1.3 + 0.5 * len(shown))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, kind in zip(axes, _KINDS, strict=True):
        for place, result in enumerate(shown):
            left = 0.0
            for source in SOURCES:
                width = 100 * _mean(_values(result, kind, source))
                axis.barh(
                    place, width, 0.6, left=left, color=_COLOURS[source], label=None if place else _LABELS[source]
                )
                left += width
            alike = 100 * _mean(_values(result, f"{kind}_uniform", SOURCES[0]))
            axis.plot([alike] * 2, [place - 0.4, place + 0.4], color=BLACK, lw=2, label=_line_label(place))
        axis.set(xlabel=f"{kind} attention of the seed, %", xlim=(0, 100), yticks=range(len(shown)))
        axis.set_yticklabels([f"{result.name}, {len(result.scores)} seed(s)" for result in shown])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(SOURCES) + 1)
    figure.suptitle(title)
    write_atomically(target, chart_png(figure, dpi=120))


def _line_label(place: int) -> str | None:
    return None if place else "patches, if all alike"


def _values(result: RowResult, kind: str, source: str) -> list[float]:
    """The share of each seed that has it."""
    name = f"seed_{kind}_{source}"
    return [scores[name] for scores in result.scores if name in scores]


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else float("nan")


def _by_block(result: RowResult) -> list[str]:
    """The direct share of patches in each block, the mean over seeds."""
    found = []
    while values := _values(result, f"direct_block{len(found) + 1}", SOURCES[0]):
        found.append(percent(_mean(values)))
    return found
