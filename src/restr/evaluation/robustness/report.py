"""What a robustness run leaves behind: a table, the numbers, a bar chart, and a sheet of changed samples."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample, SampleSource
from restr.evaluation.cases import GAP, case_picture
from restr.evaluation.evaluate import Record, rounded_json
from restr.evaluation.robustness.measure import RobustnessResult, perturbed, sheet_samples
from restr.evaluation.robustness.perturbations import CLEAN, PERTURBATIONS
from restr.files import write_whole
from restr.report.overlay import INK, PAPER, QUIET, legend

CELL, CAPTION, COLUMNS = 250, 66, 6
_COLOURS = {"sentence": "#4a90c2", "mirror": "#5b9f6b", "picture": "#c28a4a", "nothing": "#8a7ab8"}
LABELS = {
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
    """Write table.md, robustness.json, robustness.png and examples.png into ``folder``; returns their paths.

    records: ``measure``'s. samples: the same once more, for the pictures. Without matplotlib (extra ``train``) the chart
    alone is left out.
    """
    numbers = {"title": title, "command": command, "facts": dict(facts or {}), **dataclasses.asdict(result)}
    contents: dict[str, bytes] = {
        "table.md": markdown(result, title=title, command=command).encode(),
        "robustness.json": json.dumps(rounded_json(numbers), indent=2, ensure_ascii=False).encode() + b"\n",
    }
    if chart := _draw_chart(result, title=title):
        contents["robustness.png"] = chart
    buffer = io.BytesIO()
    draw_examples(records, samples, seed=result.seed).save(buffer, "PNG", optimize=True)
    contents["examples.png"] = buffer.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in contents}
    for name, content in contents.items():
        write_whole(paths[name], content)
    return paths


def markdown(result: RobustnessResult, *, title: str, command: str = "") -> str:
    """The result as Markdown: accuracies in percent, what is left of them as shares with 95% intervals."""
    lines = [
        f"**{title}**: oIoU {_percent(result.clean_oiou)}, mIoU {_percent(result.clean_miou)} on the "
        f"{result.n} sentences of {result.images} photographs as they are; seed {result.seed}.",
        "",
        f"Protocol: {result.protocol}.",
    ]
    if result.retained:
        lines += [
            "",
            "| | n | oIoU | clean | retained | 95% | mIoU | clean | retained | 95% |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
    for row in result.retained:
        cells = [row.name, str(row.n), _percent(row.oiou), _percent(row.clean_oiou), f"**{_share(row.retained_oiou)}**"]
        cells += [_between(row.retained_oiou_interval), _percent(row.miou), _percent(row.clean_miou)]
        cells += [f"**{_share(row.retained_miou)}**", _between(row.retained_miou_interval)]
        lines.append(f"| {' | '.join(cells)} |")
    if result.nothing:
        lines += [
            "",
            "| names nothing here | n | empty masks | 95% | marked | marked, clean | score | score, clean |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
    for row in result.nothing:
        cells = [row.name, str(row.n), f"**{_share(row.empty)}**", _between(row.empty_interval)]
        cells += [_share(value) for value in (row.marked, row.clean_marked, row.score, row.clean_score)]
        lines.append(f"| {' | '.join(cells)} |")
    if command:
        lines += ["", f"`{command}`"]
    return "\n".join(lines) + "\n"


def _draw_chart(result: RobustnessResult, *, title: str) -> bytes | None:
    """Retained oIoU (bars) and mIoU (dots), and the share of empty masks, as a PNG; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
    except ImportError:
        return None
    bars = [
        (row.name, row.n, _family(row.name), row.retained_oiou, row.retained_oiou_interval, row.retained_miou)
        for row in result.retained
    ]
    bars += [(row.name, row.n, "nothing", row.empty, row.empty_interval, math.nan) for row in result.nothing]
    figure = Figure(figsize=(8.5, 1.9 + 0.36 * max(2, len(bars))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    widest = 1.0
    for row, (_, _, family, share, interval, of_miou) in enumerate(bars):
        axes.barh(row, np.nan_to_num(share), color=_COLOURS[family], height=0.68)
        ends = [each for each in (share, *interval, of_miou) if not math.isnan(each)]
        if not any(map(math.isnan, interval)):
            axes.plot(interval, [row, row], color="#202226", linewidth=1.2)
        if not math.isnan(of_miou):
            axes.plot(of_miou, row, "o", color="white", markeredgecolor="#202226", markersize=4.5, clip_on=False)
        widest = max([widest, *ends])
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # over the line at 1
        axes.text(max([0.0, *ends]) + 0.02, row, _share(share), va="center", fontsize=9, bbox=paper)
    axes.axvline(1.0, color="#202226", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(bars)), [f"{name}  (n = {n})" for name, n, *_ in bars], fontsize=9)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, widest + 0.1)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel("share of the oIoU that is left (names nothing here: share of empty masks)", fontsize=9)
    axes.set_title(f"{title}: clean oIoU {_percent(result.clean_oiou)}", fontsize=10.5, loc="left")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    families = dict.fromkeys(family for _, _, family, *_ in bars)
    handles: list[Any] = [Patch(color=_COLOURS[family], label=LABELS[family]) for family in families]
    handles.append(Line2D([], [], color="#202226", linewidth=1.2, label="95% over images"))
    handles.append(Line2D([], [], marker="o", color="white", markeredgecolor="#202226", label="of the mIoU"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130, format="png")
    return buffer.getvalue()


def draw_examples(records: Mapping[str, Sequence[Record]], samples: SampleSource, *, seed: int) -> Image.Image:
    """A sheet of a few samples, of images drawn by seed: as they are, under each perturbation at its severest, and their
    masks. Of an image's samples the one is drawn that the most perturbations change."""
    names = [CLEAN, *_severest([name for name in records if name != CLEAN])]
    blocks = [_cells(group, names, records, seed) for group in _drawn(samples, seed)]
    heights = [round(CELL * min(1.0, cells[0][1].mask.shape[0] / cells[0][1].mask.shape[1])) for cells in blocks]
    rows = [-(-len(cells) // COLUMNS) for cells in blocks]
    heading = 44
    total = sum(count * (height + CAPTION) + 2 * GAP for count, height in zip(rows, heights, strict=True))
    sheet = Image.new("RGB", (COLUMNS * (CELL + GAP) + GAP, heading + total), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 12), "the same samples, changed", INK, ImageFont.load_default(18))
    legend(pen, sheet.width - GAP, 14)
    top = heading
    for cells, height, count in zip(blocks, heights, rows, strict=True):
        for place, (name, sample, record) in enumerate(cells):
            corner = (GAP + place % COLUMNS * (CELL + GAP), top + place // COLUMNS * (height + CAPTION))
            _draw(sheet, corner, height, name, sample, record)
        top += count * (height + CAPTION) + 2 * GAP
        if top < sheet.height:
            pen.line([(GAP, top - 2 * GAP), (sheet.width - GAP, top - 2 * GAP)], (225, 227, 231))
    return sheet


def _draw(sheet: Image.Image, corner: tuple[int, int], height: int, name: str, sample: Sample, record: Record) -> None:
    """A cell: the picture, ``height`` pixels high at most, what was changed, how it went, and the sentence."""
    picture = case_picture(sample, record, CELL)
    left, top = corner
    sheet.paste(picture, (left + (CELL - picture.width) // 2, top + (height - picture.height) // 2))
    pen = ImageDraw.Draw(sheet)
    nothing = name != CLEAN and PERTURBATIONS[name].family == "nothing"
    measure = f"score {record.score:.2f}" if nothing else f"IoU {100 * record.iou:.0f}"
    pen.text((left, top + height + 3), f"{name}: {measure}", INK, ImageFont.load_default(14))
    for row, line in enumerate(textwrap.wrap(record.text, 34)[:2]):
        pen.text((left, top + height + 22 + 16 * row), line, QUIET, ImageFont.load_default(13))


def _drawn(samples: SampleSource, seed: int) -> list[list[Sample]]:
    """The samples of each image of the sheet."""
    kept, ids = sheet_samples(samples, seed), samples.ids()
    return [[samples[number] for number in group] for group in samples.image_groups() if ids[group[0]] in kept]


def _cells(
    group: Sequence[Sample], names: Sequence[str], records: Mapping[str, Sequence[Record]], seed: int
) -> list[tuple[str, Sample, Record]]:
    """(perturbation, changed sample, record) of the one sample of an image that most perturbations change."""
    found: dict[str, list[tuple[str, Sample, Record]]] = {}
    for name in names:
        here = {record.id: record for record in records[name] if record.id in {sample.id for sample in group}}
        # whose sentence "unrelated" drew is known only from the record
        told = [dataclasses.replace(sample, mask=np.zeros_like(sample.mask)) for sample in group]
        for sample in told if name == "unrelated" else perturbed(name, group, seed):
            if record := here.get(sample.id):
                found.setdefault(sample.id, []).append((name, sample, record))
    return max(found.values(), key=len)


def _severest(names: Sequence[str]) -> list[str]:
    """Of each perturbation the last of its severities; pictures first, to stand beside the clean one."""
    last = {PERTURBATIONS[name].draws or name: name for name in names}
    return sorted(last.values(), key=lambda name: not PERTURBATIONS[name].new_picture)


def _family(name: str) -> str:
    """Of a row; a part of a perturbation's sentences goes by its own name after a comma."""
    return PERTURBATIONS[name.partition(",")[0]].family


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _between(interval: tuple[float, float]) -> str:
    return "-" if any(map(math.isnan, interval)) else f"{interval[0]:.2f}-{interval[1]:.2f}"
