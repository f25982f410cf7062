"""An evaluation as one HTML page that needs no other file: numbers with their protocol, distributions, and cases."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence

import numpy as np

from restr.data.sample import Sample
from restr.evaluation.cases import FOUND, TRUTH, case_picture
from restr.evaluation.evaluate import EvaluationResult, Record
from restr.evaluation.published import CAUTION, beside

BINS = 20  # of the histogram
SIDE = 420  # pixels of a case's picture
GENERALISED = {"giou": "gIoU", "ciou": "cIoU", "n_acc": "N-acc", "t_acc": "T-acc"}  # where some sentences mean nothing

STYLE = """
:root { color-scheme: light dark; --ink: #191b1f; --quiet: #666b74; --line: #e2e5ea; --paper: #fff; --card: #f6f7f9;
  --bar: #4a90c2; --strong: #1f4e79; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --quiet: #9aa1ac; --line: #30343b; --paper: #15171a;
  --card: #1e2126; --bar: #4a90c2; --strong: #8cc0e8; } }
body { font: 15px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 2.5rem 1.25rem 4rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.8rem 0 .8rem; }
p { margin: .4rem 0; max-width: 75ch; } .quiet { color: var(--quiet); font-size: .88rem; }
code { font-size: .85rem; background: var(--card); padding: .15rem .4rem; border-radius: 4px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile { background: var(--card); border-radius: 10px; padding: .9rem 1.1rem; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; color: var(--strong); }
.tile span { color: var(--quiet); font-size: .85rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; }
th, td { text-align: right; padding: .32rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { font-weight: 600; color: var(--quiet); }
td.track { width: 38%; min-width: 140px; padding: 0 .7rem; } .wide { overflow-x: auto; }
.bar { position: relative; height: 14px; background: var(--card); border-radius: 3px; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--bar); border-radius: 3px; }
.bar u { position: absolute; top: 6px; height: 2px; background: var(--ink); }
.histogram { display: flex; align-items: flex-end; gap: 3px; height: 170px; border-bottom: 1px solid var(--line); }
.histogram div { flex: 1; background: var(--bar); border-radius: 3px 3px 0 0; min-height: 1px; }
.axis { display: flex; justify-content: space-between; } tr.all td { font-weight: 600; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1.2rem; }
figure { margin: 0; } figure img { width: 100%; height: 240px; object-fit: contain; background: var(--card); border-radius: 8px; }
figcaption { margin-top: .35rem; overflow-wrap: anywhere; } .key { display: inline-block; width: .8em; height: .8em;
  border-radius: 2px; vertical-align: -.05em; margin: 0 .3em 0 .8em; }
"""


def page(
    result: EvaluationResult,
    cases: Mapping[str, Sequence[Record]],
    samples: Mapping[str, Sample],
    *,
    title: str,
    command: str = "",
    data: str = "",
) -> str:
    """The page. cases: records to show, by heading; samples: theirs, by id (a case without one is left out)."""
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p class='quiet'>Protocol: {html.escape(result.protocol)}.</p>",
        f"<p><code>{html.escape(command)}</code></p>" if command else "",
        _tiles(result),
        _section("By kind of sentence", _table({"all": result.overall, **result.by_kind}, result.intervals)),
        _section("By length of the sentence", _table(result.by_length, {})),
        _section("How IoU is distributed", _histogram([record.iou for record in result.records])),
        _control(result),
        _published(result, data),
        *(_cases(name, records, samples) for name, records in cases.items()),
    ]
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
    )
    body = "\n".join(part for part in parts if part)
    return (
        f"<!doctype html>\n<html lang='en'><head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _tiles(result: EvaluationResult) -> str:
    overall, (low, high) = result.overall, result.intervals["oiou"]
    tiles = [
        (percent(overall["oiou"]), f"oIoU (95%: {percent(low)} to {percent(high)})"),
        (percent(overall["miou"]), "mIoU"),
        (percent(overall["pr@0.5"]), "Pr@0.5"),
        (percent(overall["boundary_iou"]), "boundary IoU"),
    ]
    tiles += [(percent(overall[name]), label) for name, label in GENERALISED.items() if name in overall]
    tiles.append((f"{overall['n']:,}", f"sentences, {result.images:,} photographs"))
    return (
        "<div class='tiles'>"
        + "".join(f"<div class='tile'><b>{b}</b><span>{s}</span></div>" for b, s in tiles)
        + "</div>"
    )


def _section(heading: str, content: str, note: str = "") -> str:
    return f"<section><h2>{heading}</h2>{content}" + (f"<p class='quiet'>{note}</p>" if note else "") + "</section>"


def _table(rows: Mapping[str, Mapping[str, float]], intervals: Mapping[str, tuple[float, float]]) -> str:
    """A row a group: n, oIoU as a number and as a bar with its interval, mIoU, Pr@0.5, Pr@0.7, Pr@0.9."""
    lines = []
    for name, values in rows.items():
        between = intervals.get("oiou" if name == "all" else f"oiou/{name}")
        cells = [f"{values['n']:,}", percent(values["oiou"])]
        after = [percent(values[column]) for column in ("miou", "pr@0.5", "pr@0.7", "pr@0.9")]
        lines.append(
            f"<tr{' class=all' if name == 'all' else ''}><td>{html.escape(name)}</td>"
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + f"<td class='track'>{_bar(values['oiou'], between)}</td>"
            + "".join(f"<td>{cell}</td>" for cell in after)
            + "</tr>"
        )
    head = (
        "<tr><th></th><th>n</th><th>oIoU</th><th></th><th>mIoU</th><th>Pr@0.5</th><th>Pr@0.7</th><th>Pr@0.9</th></tr>"
    )
    return f"<div class='wide'><table>{head}{''.join(lines)}</table></div>"


def _bar(share: float, interval: tuple[float, float] | None) -> str:
    """A bar of ``share`` of the width, a line from end to end of its interval."""
    filled = f"<i style='width:{100 * np.nan_to_num(share):.1f}%'></i>"
    if interval and not any(map(math.isnan, interval)):
        low, high = interval
        filled += f"<u style='left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%'></u>"
    return f"<div class='bar'>{filled}</div>"


def _histogram(ious: Sequence[float]) -> str:
    counts, edges = np.histogram(ious, BINS, (0, 1))
    most = max(int(counts.max()), 1)
    bars = "".join(
        f"<div style='height:{100 * count / most:.1f}%' title='IoU {edges[i]:.2f} to {edges[i + 1]:.2f}: {count}'></div>"
        for i, count in enumerate(counts)
    )
    note = (
        f"IoU 0 to 1 in {BINS} steps; the highest bar is {most:,} of {len(ious):,} sentences. Median {percent(float(np.median(ious)))}."
        if ious
        else "No samples."
    )
    return (
        f"<div class='histogram' role='img' aria-label='{note}'>{bars}</div>"
        f"<div class='axis quiet'><span>0</span><span>0.5</span><span>1</span></div><p class='quiet'>{note}</p>"
    )


def _control(result: EvaluationResult) -> str:
    if not result.control or not result.control_paired:
        return ""
    rows = {"right sentence": result.control_paired, "sentence of another target": result.control}
    note = "Each region against the mask of a sentence for another target of the same image: it must collapse, or the words are ignored."
    return _section("Control", _table(rows, {}), note)


def _published(result: EvaluationResult, data: str) -> str:
    known = beside(data)
    if not known:
        return ""
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{score:.2f}</td></tr>" for name, score in known.items())
    own = f"<tr class='all'><td>this run</td><td>{100 * result.overall['oiou']:.2f}</td></tr>"
    return _section(f"oIoU on {html.escape(data)} beside published rows", f"<table>{rows}{own}</table>", CAUTION)


def _cases(name: str, records: Sequence[Record], samples: Mapping[str, Sample]) -> str:
    figures = "".join(_figure(record, samples[record.id]) for record in records if record.id in samples)
    if not figures:
        return ""
    keys = "".join(
        f"<span class='key' style='background:rgb{colour}'></span>{text}"
        for colour, text in ((FOUND, "predicted"), (TRUTH, "true outline"))
    )
    heading = f"{html.escape(name.capitalize())} <span class='quiet'>{keys}</span>"
    return _section(heading, f"<div class='cases'>{figures}</div>")


def _figure(record: Record, sample: Sample) -> str:
    buffer = io.BytesIO()
    case_picture(sample, record, SIDE).save(buffer, "JPEG", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(record.text)
    small = f"IoU {100 * record.iou:.0f} · {html.escape(record.kind)} · {html.escape(record.id)}"
    return (
        f"<figure><img alt='{text}' src='data:image/jpeg;base64,{data}'>"
        f"<figcaption>{text}<br><span class='quiet'>{small}</span></figcaption></figure>"
    )


def percent(share: float) -> str:
    """A share in percent with one decimal; a dash for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}"
