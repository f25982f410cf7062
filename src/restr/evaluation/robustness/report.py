"""Files of a robustness run: a table, the numbers, a bar chart, and a sheet of changed samples."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample, SampleSource
from restr.evaluation.evaluate import Record, rounded_json
from restr.evaluation.reports.cases import GAP, case_picture
from restr.evaluation.reports.report import write_files
from restr.evaluation.robustness.measure import MarkedNothing, Retained, RobustnessResult, perturb, sheet_samples
from restr.evaluation.robustness.perturbations import CLEAN, PERTURBATIONS
from restr.report.charts import BLACK, BLUE, Bar, chart_png, draw_bars, has_matplotlib, open_figure
from restr.report.overlay import draw_legend
from restr.report.tables import decimal, decimal_interval, markdown_table, percent
from restr.report.text import INK, PAPER, QUIET, draw_wrapped

_CELL, _CAPTION = 250, 66  # pixels: a picture's longer side, the text below it
_COLUMNS = 6
_COLOURS = {"sentence": BLUE, "mirror": "#5b9f6b", "picture": "#c28a4a", "nothing": "#8a7ab8"}
_LABELS = {
    "sentence": "other words",
    "mirror": "the mirror image",
    "picture": "a worse picture",
    "nothing": "names nothing here",
}


def write_robustness(
    result: RobustnessResult,
    records: Mapping[str, Sequence[Record]],
    folder: Path,
    *,
    title: str,
    samples: SampleSource,
    command: str = "",
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write table.md, robustness.json, robustness.png and examples.png into ``folder``; returns their paths by name.

    records: what ``measure`` returned. samples: the measured samples again, for the pictures. Without matplotlib
    (extra ``train``) robustness.png is left out.
    """
    numbers = {"title": title, "command": command, "facts": dict(facts or {}), **dataclasses.asdict(result)}
    examples = io.BytesIO()
    draw_examples(records, samples, seed=result.seed).save(examples, "PNG", optimize=True)
    contents = {
        "table.md": robustness_table(result, title=title, command=command).encode(),
        "robustness.json": json.dumps(rounded_json(numbers), indent=2, ensure_ascii=False).encode() + b"\n",
        "robustness.png": _draw_chart(result, title=title),
        "examples.png": examples.getvalue(),
    }
    return write_files(folder, contents)


def robustness_table(result: RobustnessResult, *, title: str, command: str = "") -> str:
    """The result as Markdown: accuracies in percent, retained accuracies as shares with their 95% intervals."""
    lines = [
        f"**{title}**: oIoU {percent(result.clean_oiou)}, mIoU {percent(result.clean_miou)} on the "
        f"{result.n} sentences of {result.images} photographs as they are; seed {result.seed}.",
        "",
        f"Protocol: {result.protocol}.",
    ]
    if result.retained:
        heads = ["", "n", "oIoU", "clean", "retained", "95%", "mIoU", "clean", "retained", "95%"]
        lines += ["", *markdown_table(heads, map(_retained_cells, result.retained))]
    if result.nothing:
        heads = ["names nothing here", "n", "empty masks", "95%", "marked", "marked, clean", "score", "score, clean"]
        lines += ["", *markdown_table(heads, map(_nothing_cells, result.nothing))]
    if command:
        lines += ["", f"`{command}`"]
    return "\n".join(lines) + "\n"


def _retained_cells(row: Retained) -> list[str]:
    cells = [row.name, str(row.n)]
    cells += [percent(row.oiou), percent(row.clean_oiou)]
    cells += [f"**{decimal(row.retained_oiou)}**", decimal_interval(row.retained_oiou_interval)]
    cells += [percent(row.miou), percent(row.clean_miou)]
    return [*cells, f"**{decimal(row.retained_miou)}**", decimal_interval(row.retained_miou_interval)]


def _nothing_cells(row: MarkedNothing) -> list[str]:
    cells = [row.name, str(row.n), f"**{decimal(row.empty)}**", decimal_interval(row.empty_interval)]
    return [*cells, *map(decimal, (row.marked, row.clean_marked, row.score, row.clean_score))]


def _draw_chart(result: RobustnessResult, *, title: str) -> bytes | None:
    """Retained oIoU (bars) and mIoU (dots), and the share of empty masks, as a PNG; None without matplotlib."""
    if not has_matplotlib():
        return None
    retained = [(row, _family(row.name)) for row in result.retained]
    bars = [
        Bar(row.name, row.n, row.retained_oiou, _COLOURS[family], row.retained_oiou_interval, row.retained_miou)
        for row, family in retained
    ]
    bars += [Bar(row.name, row.n, row.empty, _COLOURS["nothing"], row.empty_interval) for row in result.nothing]
    figure = open_figure(8.5, 1.9 + 0.36 * max(2, len(bars)))
    axes = figure.subplots()
    axes.axvline(1.0, color=BLACK, linewidth=0.8, linestyle=(0, (4, 3)))
    widest = draw_bars(axes, bars, form="{:.2f}", gap=0.02)
    axes.set_xlim(0, max(1.0, widest) + 0.1)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel("share of the oIoU that is left (names nothing here: share of empty masks)", fontsize=9)
    axes.set_title(f"{title}: clean oIoU {percent(result.clean_oiou)}", fontsize=10.5, loc="left")
    families = dict.fromkeys(family for _, family in retained) | ({"nothing": None} if result.nothing else {})
    figure.legend(handles=_legend(families), loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    return chart_png(figure)


def _legend(families: Iterable[str]) -> list[Any]:
    """Handles of the chart's legend: the colours of the families, the interval's line, the dot."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        *(Patch(color=_COLOURS[family], label=_LABELS[family]) for family in families),
        Line2D([], [], color=BLACK, linewidth=1.2, label="95% over images"),
        Line2D([], [], marker="o", color="white", markeredgecolor=BLACK, label="of the mIoU"),
    ]


def draw_examples(records: Mapping[str, Sequence[Record]], samples: SampleSource, *, seed: int) -> Image.Image:
    """A sheet of a few images, drawn by seed: one sample each, clean and under each perturbation at its highest severity,
    with the masks. Shown is the sample that the most perturbations change."""
    names = [CLEAN, *_severest([name for name in records if name != CLEAN])]
    blocks = [_cells(group, names, records, seed) for group in _shown_samples(samples, seed)]
    heights = [round(_CELL * min(1.0, cells[0][1].mask.shape[0] / cells[0][1].mask.shape[1])) for cells in blocks]
    rows = [-(-len(cells) // _COLUMNS) for cells in blocks]
    heading = 44
    total = sum(count * (height + _CAPTION) + 2 * GAP for count, height in zip(rows, heights, strict=True))
    sheet = Image.new("RGB", (_COLUMNS * (_CELL + GAP) + GAP, heading + total), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 12), "the same samples, changed", INK, ImageFont.load_default(18))
    draw_legend(pen, sheet.width - GAP, 14)
    top = heading
    for cells, height, count in zip(blocks, heights, rows, strict=True):
        for place, (name, sample, record) in enumerate(cells):
            corner = (GAP + place % _COLUMNS * (_CELL + GAP), top + place // _COLUMNS * (height + _CAPTION))
            _draw_cell(sheet, corner, height, name, sample, record)
        top += count * (height + _CAPTION) + 2 * GAP
        if top < sheet.height:
            pen.line([(GAP, top - 2 * GAP), (sheet.width - GAP, top - 2 * GAP)], (225, 227, 231))
    return sheet


def _draw_cell(
    sheet: Image.Image, corner: tuple[int, int], height: int, name: str, sample: Sample, record: Record
) -> None:
    """Draw a cell: the picture, at most ``height`` pixels high, the perturbation with its measure, and the sentence."""
    picture = case_picture(sample, record, _CELL)
    left, top = corner
    sheet.paste(picture, (left + (_CELL - picture.width) // 2, top + (height - picture.height) // 2))
    pen = ImageDraw.Draw(sheet)
    nothing = name != CLEAN and PERTURBATIONS[name].family == "nothing"
    measure = f"score {record.score:.2f}" if nothing else f"IoU {100 * record.iou:.0f}"
    pen.text((left, top + height + 3), f"{name}: {measure}", INK, ImageFont.load_default(14))
    draw_wrapped(pen, (left, top + height + 22), record.text, size=13, room=_CELL, colour=QUIET)


def _shown_samples(samples: SampleSource, seed: int) -> list[list[Sample]]:
    """The samples of each image of the sheet."""
    kept, ids = sheet_samples(samples, seed), samples.ids()
    return [[samples[number] for number in group] for group in samples.image_groups() if ids[group[0]] in kept]


def _cells(
    group: Sequence[Sample], names: Sequence[str], records: Mapping[str, Sequence[Record]], seed: int
) -> list[tuple[str, Sample, Record]]:
    """Triples (perturbation, changed sample, record) of the image's sample that the most perturbations change."""
    found: dict[str, list[tuple[str, Sample, Record]]] = {}
    for name in names:
        here = {record.id: record for record in records[name]}
        if name == "unrelated":  # its sentences come from other images, and are only in the records
            changed = [dataclasses.replace(sample, mask=np.zeros_like(sample.mask)) for sample in group]
        else:
            changed = perturb(name, group, seed)
        for sample in changed:
            if record := here.get(sample.id):
                found.setdefault(sample.id, []).append((name, sample, record))
    return max(found.values(), key=len)


def _severest(names: Sequence[str]) -> list[str]:
    """Each perturbation at its highest severity; changed pictures first, beside the clean one."""
    last = {PERTURBATIONS[name].draws or name: name for name in names}
    return sorted(last.values(), key=lambda name: not PERTURBATIONS[name].new_picture)


def _family(name: str) -> str:
    """The family of a row; after a comma stands the name of a subset of its sentences."""
    return PERTURBATIONS[name.partition(",")[0]].family
