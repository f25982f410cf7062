"""Files of an evaluation: a page, tables, charts, a sheet of cases, and the records."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from restr.data.sample import Sample, SampleSource
from restr.evaluation.calibration import draw_reliability
from restr.evaluation.evaluate import EvaluationResult, record_lines
from restr.evaluation.reports.cases import choose_cases, draw_cases, find_samples
from restr.evaluation.reports.page import GENERALISED, evaluation_html
from restr.evaluation.reports.published import latex_rows, markdown_rows
from restr.files import write_atomically
from restr.report.charts import BLUE, DARK_BLUE, GREY, Bar, chart_png, draw_bars, has_matplotlib, open_figure
from restr.report.tables import markdown_table, percent


def write_evaluation(
    result: EvaluationResult,
    folder: Path,
    *,
    title: str,
    samples: Iterable[Sample] | SampleSource | None = None,
    command: str = "",
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write report.html, table.md, row.md, row.tex, metrics.json, records.jsonl, and the pictures by_kind.png, reliability.png
    and cases.png into ``folder``; returns their paths by name.

    samples: the evaluated samples again, for the pictures. facts: the conditions of the result, written to metrics.json;
    if "data" is among them, the rows stand beside the published ones of that split. Without matplotlib (extra ``train``)
    by_kind.png and reliability.png are left out.
    """
    facts = facts or {}
    summary = {"title": title, "command": command, "facts": dict(facts), **result.summary()}
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in record_lines(result.records))
    data = str(facts.get("data", ""))
    cases = choose_cases(result.records)
    found = find_samples(samples, {r.id for rs in cases.values() for r in rs}) if samples is not None else {}
    by_kind, reliability = _draw_chart(result, title=title), draw_reliability(result.records, title=title)
    page = evaluation_html(result, cases, found, title=title, command=command, data=data, reliability=reliability)
    contents: dict[str, bytes | None] = {
        "report.html": page.encode(),
        "metrics.json": json.dumps(summary, indent=2, ensure_ascii=False).encode() + b"\n",
        "records.jsonl": lines.encode(),
        "table.md": evaluation_table(result, title=title, command=command).encode(),
        "row.md": markdown_rows(result, data).encode(),
        "row.tex": latex_rows(result, data).encode(),
        "by_kind.png": by_kind,
        "reliability.png": reliability,
    }
    if samples is not None:
        buffer = io.BytesIO()
        draw_cases(cases, found.values()).save(buffer, "PNG", optimize=True)
        contents["cases.png"] = buffer.getvalue()
    return write_files(folder, contents)


def write_files(folder: Path, contents: Mapping[str, bytes | None]) -> dict[str, Path]:
    """Write each content under its name into ``folder``, None as no file; returns their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, content in contents.items():
        if content is not None:
            paths[name] = folder / name
            write_atomically(paths[name], content)
    return paths


def evaluation_table(result: EvaluationResult, *, title: str, command: str = "") -> str:
    """The result as Markdown: the protocol, then overall, kinds, lengths, sizes and control, in percent."""
    overall = result.overall
    low, high = result.intervals["oiou"]
    generalised = ", ".join(
        f"{label} {percent(overall[name])}" for name, label in GENERALISED.items() if name in overall
    )
    rows = [
        _row("**all**", overall, result.intervals["oiou"]),
        *(_row(kind, values, result.intervals[f"oiou/{kind}"]) for kind, values in result.by_kind.items()),
        *(_row(length, values) for length, values in result.by_length.items()),
        *(_row(size, values) for size, values in result.by_size.items()),
    ]
    if result.control and result.control_paired:
        rows.append(_row("control: sentence of another target", result.control))
        rows.append(_row("the same samples, right sentence", result.control_paired))
    lines = [
        f"**{title}**: oIoU {percent(overall['oiou'])} (95% {percent(low)}-{percent(high)}, bootstrap over images), "
        f"mIoU {percent(overall['miou'])}, Pr@0.5 {percent(overall['pr@0.5'])}; "
        f"{overall['n']} sentences, {result.images} photographs.",
        *([f"Of sentences that may mean nothing: {generalised}."] if generalised else []),
        *([f"Expected calibration error of the score: {overall['ece']:.3f}."] if "ece" in overall else []),
        "",
        f"Protocol: {result.protocol}.",
        "",
        *markdown_table(["", "n", "oIoU", "95%", "mIoU", "Pr@0.5", "Pr@0.7", "Pr@0.9", "boundary IoU"], rows),
        *(["", f"`{command}`"] if command else []),
    ]
    return "\n".join(lines) + "\n"


def _draw_chart(result: EvaluationResult, *, title: str) -> bytes | None:
    """oIoU by kind of sentence as a PNG, with n and the 95% interval over images; None without matplotlib."""
    if not has_matplotlib():
        return None
    groups: list[tuple[str, Mapping[str, float], tuple[float, float] | None, str]] = [
        ("all", result.overall, result.intervals["oiou"], DARK_BLUE),
        *((kind, values, result.intervals[f"oiou/{kind}"], BLUE) for kind, values in result.by_kind.items()),
    ]
    if result.control:
        groups.append(("control: sentence\nof another target", result.control, None, GREY))
    bars = [
        Bar(label, int(values["n"]), 100 * values["oiou"], colour, interval and (100 * interval[0], 100 * interval[1]))
        for label, values, interval, colour in groups
    ]
    figure = open_figure(8, 1.5 + 0.42 * len(bars))
    axes = figure.subplots()
    draw_bars(axes, bars, form="{:.1f}", gap=1.2)
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("oIoU, percent; line: 95% interval, bootstrap over images", fontsize=9)
    axes.set_title(title, fontsize=11, loc="left")
    return chart_png(figure)


def _row(name: str, values: Mapping[str, float], interval: tuple[float, float] | None = None) -> list[str]:
    between = f"{percent(interval[0])}-{percent(interval[1])}" if interval else ""
    shares = [values["miou"], values["pr@0.5"], values["pr@0.7"], values["pr@0.9"]]
    border = percent(values["boundary_iou"]) if "boundary_iou" in values else ""
    return [name, str(values["n"]), percent(values["oiou"]), between, *map(percent, shares), border]
