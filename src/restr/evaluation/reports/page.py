"""An evaluation as one HTML page that needs no other file: numbers with their protocol, distributions, and cases."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np

from restr.data.sample import Sample
from restr.evaluation.evaluate import EvaluationResult, Record
from restr.evaluation.reports.cases import case_picture
from restr.evaluation.reports.published import CAUTION, published_scores
from restr.report.overlay import FOUND, TRUTH
from restr.report.page import document, figure, html_table, number_tiles, section
from restr.report.tables import percent

_BINS = 20  # of the histogram
_SIDE = 420  # pixels of a case's picture
# Measures of data in which some sentences name nothing, and their labels.
GENERALISED = {"giou": "gIoU", "ciou": "cIoU", "n_acc": "N-acc", "t_acc": "T-acc", "presence_auc": "presence AUC"}
_HEADS = ("", "n", "oIoU", "", "mIoU", "Pr@0.5", "Pr@0.7", "Pr@0.9")

_STYLE = """
td:nth-child(4) { width: 38%; min-width: 140px; padding: 0 .7rem; }
.bar { position: relative; height: 14px; background: var(--card); border-radius: 3px; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--bar); border-radius: 3px; }
.bar u { position: absolute; top: 6px; height: 2px; background: var(--ink); }
.histogram { display: flex; align-items: flex-end; gap: 3px; height: 170px; border-bottom: 1px solid var(--line); }
.histogram div { flex: 1; background: var(--bar); border-radius: 3px 3px 0 0; min-height: 1px; }
.axis { display: flex; justify-content: space-between; } .plot { max-width: 420px; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; vertical-align: -.05em; margin: 0 .3em 0 .8em; }
"""


def evaluation_html(
    result: EvaluationResult,
    cases: Mapping[str, Sequence[Record]],
    samples: Mapping[str, Sample],
    *,
    title: str,
    command: str = "",
    data: str = "",
    reliability: bytes | None = None,
) -> str:
    """The page of an evaluation.

    cases: the records to show, by heading. samples: their samples, by id; a case without one is left out. data: the
    dataset's name, to find published rows. reliability: the plot of the scores as PNG.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p class='quiet'>Protocol: {html.escape(result.protocol)}.</p>",
        f"<p><code>{html.escape(command)}</code></p>" if command else "",
        _tiles(result),
        section("By kind of sentence", _table({"all": result.overall, **result.by_kind}, result.intervals)),
        section("By length of the sentence", _table(result.by_length, {})),
        section("By size of the thing", _table(result.by_size, {})) if result.by_size else "",
        section("How IoU is distributed", _histogram([record.iou for record in result.records])),
        _calibration(result, reliability),
        _control(result),
        _published(result, data),
        *(_cases(name, records, samples) for name, records in cases.items()),
    ]
    return document(title, "\n".join(part for part in parts if part), style=_STYLE)


def _tiles(result: EvaluationResult) -> str:
    overall, (low, high) = result.overall, result.intervals["oiou"]
    tiles = [
        (percent(overall["oiou"]), f"oIoU (95%: {percent(low)} to {percent(high)})"),
        (percent(overall["miou"]), "mIoU"),
        (percent(overall["pr@0.5"]), "Pr@0.5"),
        (percent(overall["boundary_iou"]), "boundary IoU"),
    ]
    tiles += [(f"{100 * overall['ece']:.1f}", "calibration error of the score")] if "ece" in overall else []
    tiles += [(percent(overall[name]), label) for name, label in GENERALISED.items() if name in overall]
    tiles.append((f"{overall['n']:,}", f"sentences, {result.images:,} photographs"))
    return number_tiles(tiles)


def _table(groups: Mapping[str, Mapping[str, float]], intervals: Mapping[str, tuple[float, float]]) -> str:
    """One row per group: n, oIoU as a number and as a bar with its interval, mIoU and precisions, and boundary IoU where all
    groups have it. "all" is bold."""
    rows = []
    more = ["boundary_iou"] if all("boundary_iou" in values for values in groups.values()) else []
    for name, values in groups.items():
        between = intervals.get("oiou" if name == "all" else f"oiou/{name}")
        cells = [html.escape(name), f"{values['n']:,}", percent(values["oiou"]), _bar(values["oiou"], between)]
        cells += [percent(values[column]) for column in ("miou", "pr@0.5", "pr@0.7", "pr@0.9", *more)]
        rows.append(_bold(cells) if name == "all" else cells)
    return html_table(rows, (*_HEADS, "boundary IoU") if more else _HEADS)


def _bold(cells: Sequence[str]) -> list[str]:
    return [cell if cell.startswith("<") else f"<b>{cell}</b>" for cell in cells]


def _bar(share: float, interval: tuple[float, float] | None) -> str:
    """A bar as long as ``share`` of the width, with a line between the ends of its interval."""
    filled = f"<i style='width:{100 * np.nan_to_num(share):.1f}%'></i>"
    if interval and not any(map(math.isnan, interval)):
        low, high = interval
        filled += f"<u style='left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%'></u>"
    return f"<div class='bar'>{filled}</div>"


def _histogram(ious: Sequence[float]) -> str:
    counts, edges = np.histogram(ious, _BINS, (0, 1))
    most = max(int(counts.max()), 1)
    bars = "".join(
        f"<div style='height:{100 * count / most:.1f}%' title='IoU {edges[i]:.2f} to {edges[i + 1]:.2f}: {count}'></div>"
        for i, count in enumerate(counts)
    )
    note = (
        f"IoU 0 to 1 in {_BINS} steps; the highest bar is {most:,} of {len(ious):,} sentences. Median {percent(float(np.median(ious)))}."
        if ious
        else "No samples."
    )
    return (
        f"<div class='histogram' role='img' aria-label='{note}'>{bars}</div>"
        f"<div class='axis quiet'><span>0</span><span>0.5</span><span>1</span></div><p class='quiet'>{note}</p>"
    )


def _calibration(result: EvaluationResult, reliability: bytes | None) -> str:
    if reliability is None:
        return ""
    note = (
        "The share of masks that are right (IoU at least 0.5) against their score; the two are equal if the score is calibrated. "
        "Any mask is wrong for a sentence that names nothing. "
        f"Expected calibration error, 15 bins: {result.overall['ece']:.3f}."
    )
    plot = f"<div class='plot'>{figure(reliability, 'png', 'Reliability')}</div>"
    return section("Calibration of the score", plot, note)


def _control(result: EvaluationResult) -> str:
    if not result.control or not result.control_paired:
        return ""
    groups = {"right sentence": result.control_paired, "sentence of another target": result.control}
    note = (
        "Each region against the mask of a sentence for another target in the same image. "
        "If this row is not far lower, the model ignores the words."
    )
    return section("Control", _table(groups, {}), note)


def _published(result: EvaluationResult, data: str) -> str:
    known = published_scores(data)
    if not known:
        return ""
    rows = [[html.escape(name), f"{score:.2f}"] for name, score in known.items()]
    rows.append(_bold(["this run", f"{100 * result.overall['oiou']:.2f}"]))
    return section(f"oIoU on {html.escape(data)} beside published rows", html_table(rows), CAUTION)


def _cases(name: str, records: Sequence[Record], samples: Mapping[str, Sample]) -> str:
    figures = "".join(_figure(record, samples[record.id]) for record in records if record.id in samples)
    if not figures:
        return ""
    keys = "".join(
        f"<span class='key' style='background:rgb{colour}'></span>{text}"
        for colour, text in ((FOUND, "predicted"), (TRUTH, "true outline"))
    )
    heading = f"{html.escape(name.capitalize())} <span class='quiet'>{keys}</span>"
    return section(heading, f"<div class='grid'>{figures}</div>")


def _figure(record: Record, sample: Sample) -> str:
    buffer = io.BytesIO()
    case_picture(sample, record, _SIDE).save(buffer, "JPEG", quality=82)
    small = f"IoU {100 * record.iou:.0f} · {html.escape(record.kind)} · {html.escape(record.id)}"
    return figure(buffer.getvalue(), "jpeg", record.text, f"<br><small>{small}</small>")
