"""What an evaluation leaves behind: a page, tables, a bar chart, a picture sheet of cases, and the records."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from restr.data.sample import Sample, SampleSource
from restr.evaluation.calibration import draw_reliability
from restr.evaluation.cases import choose_cases, draw_cases, find_samples
from restr.evaluation.evaluate import EvaluationResult, record_lines
from restr.evaluation.page import GENERALISED, page, percent
from restr.evaluation.published import latex_rows, markdown_rows
from restr.files import write_whole


def write_report(
    result: EvaluationResult,
    folder: Path,
    *,
    title: str,
    samples: Iterable[Sample] | SampleSource | None = None,
    command: str = "",
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write report.html, table.md, row.md, row.tex, metrics.json, records.jsonl, and the pictures by_kind.png, reliability.png
    and cases.png into ``folder``.

    samples: the evaluation's once more, for the pictures. facts: what the result depends on, kept in metrics.json; with
    "data" among them, the rows stand beside the published ones of that split. Needs matplotlib for by_kind.png
    and reliability.png (extra ``train``); without it those alone are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = facts or {}
    summary = {"title": title, "command": command, "facts": dict(facts), **result.summary()}
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in record_lines(result.records))
    data = str(facts.get("data", ""))
    cases = choose_cases(result.records)
    found = find_samples(samples, {r.id for rs in cases.values() for r in rs}) if samples is not None else {}
    charts = {
        "by_kind.png": _draw_chart(result, title=title),
        "reliability.png": draw_reliability(result.records, title=title),
    }
    reliability = charts["reliability.png"]
    contents: dict[str, bytes] = {
        "report.html": page(
            result, cases, found, title=title, command=command, data=data, reliability=reliability
        ).encode(),
        "metrics.json": json.dumps(summary, indent=2, ensure_ascii=False).encode() + b"\n",
        "records.jsonl": lines.encode(),
        "table.md": markdown(result, title=title, command=command).encode(),
        "row.md": markdown_rows(result, data).encode(),
        "row.tex": latex_rows(result, data).encode(),
    }
    contents |= {name: chart for name, chart in charts.items() if chart}
    if samples is not None:
        buffer = io.BytesIO()
        draw_cases(cases, found.values()).save(buffer, "PNG", optimize=True)
        contents["cases.png"] = buffer.getvalue()
    paths = {name: folder / name for name in contents}
    for name, content in contents.items():
        write_whole(paths[name], content)
    return paths


def markdown(result: EvaluationResult, *, title: str, command: str = "") -> str:
    """The result as Markdown: the protocol, then overall, control, kinds and lengths, in percent."""
    overall = result.overall
    low, high = result.intervals["oiou"]
    generalised = ", ".join(
        f"{label} {percent(overall[name])}" for name, label in GENERALISED.items() if name in overall
    )
    rows = [
        f"**{title}**: oIoU {percent(overall['oiou'])} (95% {percent(low)}-{percent(high)}, bootstrap over images), "
        f"mIoU {percent(overall['miou'])}, Pr@0.5 {percent(overall['pr@0.5'])}; "
        f"{overall['n']} sentences, {result.images} photographs.",
        *([f"Of sentences that may mean nothing: {generalised}."] if generalised else []),
        *([f"Expected calibration error of the score: {overall['ece']:.3f}."] if "ece" in overall else []),
        "",
        f"Protocol: {result.protocol}.",
        "",
        "| | n | oIoU | 95% | mIoU | Pr@0.5 | Pr@0.7 | Pr@0.9 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        _row("**all**", overall, result.intervals["oiou"]),
        *(_row(kind, values, result.intervals[f"oiou/{kind}"]) for kind, values in result.by_kind.items()),
        *(_row(length, values) for length, values in result.by_length.items()),
    ]
    if result.control and result.control_paired:
        rows += [
            _row("control: sentence of another target", result.control),
            _row("the same samples, right sentence", result.control_paired),
        ]
    if command:
        rows += ["", f"`{command}`"]
    return "\n".join(rows) + "\n"


def _draw_chart(result: EvaluationResult, *, title: str) -> bytes | None:
    """oIoU by kind of sentence as a PNG, with n and the 95% interval over images; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    bars: list[tuple[str, Mapping[str, float], tuple[float, float] | None, str]] = [
        ("all", result.overall, result.intervals["oiou"], "#1f4e79")
    ]
    bars += [(kind, values, result.intervals[f"oiou/{kind}"], "#4a90c2") for kind, values in result.by_kind.items()]
    if result.control:
        bars.append(("control: sentence\nof another target", result.control, None, "#b0b4ba"))
    figure = Figure(figsize=(8, 1.5 + 0.42 * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, (_, values, interval, colour) in enumerate(bars):
        share = 100 * np.nan_to_num(values["oiou"])
        axes.barh(row, share, color=colour, height=0.68)
        end = share
        if interval and not np.isnan(interval).any():
            low, high = (100 * bound for bound in interval)
            axes.plot([low, high], [row, row], color="#202226", linewidth=1.2)
            end = max(share, high)
        axes.text(end + 1.2, row, f"{share:.1f}", va="center", fontsize=9)
    axes.set_yticks(range(len(bars)), [f"{name}  (n = {values['n']})" for name, values, _, _ in bars], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("oIoU, percent; line: 95% interval, bootstrap over images", fontsize=9)
    axes.set_title(title, fontsize=11, loc="left")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130, format="png")
    return buffer.getvalue()


def _row(name: str, values: Mapping[str, float], interval: tuple[float, float] | None = None) -> str:
    between = f"{percent(interval[0])}-{percent(interval[1])}" if interval else ""
    shares = [values["miou"], values["pr@0.5"], values["pr@0.7"], values["pr@0.9"]]
    cells = [name, str(values["n"]), percent(values["oiou"]), between, *map(percent, shares)]
    return "| " + " | ".join(cells) + " |"
