"""What an evaluation leaves behind: a Markdown table, a bar chart, a picture sheet of cases, and the records."""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from restr import masks
from restr.data.sample import Sample
from restr.errors import DataError
from restr.evaluation.evaluate import EvaluationResult, Record, record_lines
from restr.files import write_whole

CELL = 300  # pixels, of a case's picture
CAPTION = 58  # pixels, below it
GAP = 10
TRUTH = (255, 214, 0)
FOUND = (0, 190, 255)
INK, QUIET, PAPER = (25, 27, 31), (110, 114, 122), (255, 255, 255)


def write_report(
    result: EvaluationResult, folder: Path, *, title: str, samples: Iterable[Sample] | None = None, command: str = ""
) -> dict[str, Path]:
    """Write metrics.json, records.jsonl, table.md, by_kind.png and, with the samples again, cases.png into ``folder``.

    Needs matplotlib for the chart (extra ``train``); without it the chart alone is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"title": title, "command": command, **result.summary()}
    lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in record_lines(result.records))
    contents: dict[str, bytes] = {
        "metrics.json": json.dumps(summary, indent=2, ensure_ascii=False).encode() + b"\n",
        "records.jsonl": lines.encode(),
        "table.md": markdown(result, title=title, command=command).encode(),
    }
    chart = draw_chart(result, title=title)
    if chart:
        contents["by_kind.png"] = chart
    if samples is not None:
        buffer = io.BytesIO()
        draw_cases(choose_cases(result.records), samples).save(buffer, "PNG", optimize=True)
        contents["cases.png"] = buffer.getvalue()
    paths = {name: folder / name for name in contents}
    for name, content in contents.items():
        write_whole(paths[name], content)
    return paths


def markdown(result: EvaluationResult, *, title: str, command: str = "") -> str:
    """The result as Markdown: the protocol, then overall, control, kinds and lengths, in percent."""
    overall = result.overall
    low, high = result.intervals["oiou"]
    rows = [
        f"**{title}**: oIoU {_percent(overall['oiou'])} (95% {_percent(low)}-{_percent(high)}, bootstrap over images), "
        f"mIoU {_percent(overall['miou'])}, Pr@0.5 {_percent(overall['pr@0.5'])}; "
        f"{overall['n']} sentences, {result.images} photographs.",
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


def draw_chart(result: EvaluationResult, *, title: str) -> bytes | None:
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


def choose_cases(records: Sequence[Record], each: int = 8) -> dict[str, list[Record]]:
    """``each`` best, typical (around the median) and worst records by IoU, no photograph twice."""
    ranked = sorted(records, key=lambda record: (-record.iou, record.id))
    middle = len(ranked) // 2
    around = sorted(range(len(ranked)), key=lambda rank: (abs(rank - middle), rank))
    used: set[str] = set()
    cases: dict[str, list[Record]] = {}
    orders = {"best": ranked, "typical": [ranked[rank] for rank in around], "worst": ranked[::-1]}
    for name, order in orders.items():
        cases[name] = _first_of_images(order, each, used)
    return cases


def draw_cases(cases: Mapping[str, Sequence[Record]], samples: Iterable[Sample]) -> Image.Image:
    """A sheet with a block for each name in ``cases``: photograph, truth outlined, prediction laid over, sentence.

    samples: the evaluation's samples once more; those of the cases are looked up by id (else ``DataError``).
    """
    wanted = {record.id for records in cases.values() for record in records}
    found = {sample.id: _cell(sample.image, sample.mask) for sample in samples if sample.id in wanted}
    if missing := sorted(wanted - found.keys()):
        raise DataError(f"the samples hold no {missing[0]!r}; pass the samples that were evaluated")
    columns = 4
    heading = 46
    rows = {name: -(-len(records) // columns) for name, records in cases.items()}
    width = columns * (CELL + GAP) + GAP
    height = sum(heading + count * (CELL + CAPTION + GAP) for count in rows.values()) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = GAP
    for name, records in cases.items():
        pen.text((GAP, top + 8), name, INK, ImageFont.load_default(24))
        _legend(pen, width, top + 14)
        top += heading
        for number, record in enumerate(records):
            left = GAP + number % columns * (CELL + GAP)
            upper = top + number // columns * (CELL + CAPTION + GAP)
            _draw_case(sheet, (left, upper), found[record.id], record)
        top += rows[name] * (CELL + CAPTION + GAP)
    return sheet


def _first_of_images(order: Iterable[Record], count: int, used: set[str]) -> list[Record]:
    """The first ``count`` in order, each of a photograph that is not in ``used``; adds theirs."""
    chosen: list[Record] = []
    for record in order:
        if len(chosen) < count and record.image_id not in used:
            chosen.append(record)
            used.add(record.image_id)
    return chosen


def _cell(image: np.ndarray, mask: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """A photograph fitted into a cell and the true mask at that size, bool; small ones are enlarged."""
    height, width = mask.shape
    scale = CELL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS), _fitted(mask, size)


def _fitted(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grey) > 127


def _draw_case(
    sheet: Image.Image, corner: tuple[int, int], cell: tuple[Image.Image, np.ndarray], record: Record
) -> None:
    picture, truth = cell
    found = _fitted(masks.rle_decode(record.prediction), picture.size)
    pixels = np.asarray(picture, np.float32).copy()
    pixels[~found] = 0.6 * pixels[~found] + 0.4 * pixels[~found].mean(axis=-1, keepdims=True)
    pixels[found] = 0.5 * pixels[found] + 0.5 * np.array(FOUND, np.float32)
    pixels[_edge(truth)] = TRUTH
    left, top = corner
    place = (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2)
    sheet.paste(Image.fromarray(pixels.astype(np.uint8)), place)
    pen = ImageDraw.Draw(sheet)
    for row, line in enumerate(textwrap.wrap(record.text, 38)[:2]):
        pen.text((left, top + CELL + 3 + 17 * row), line, INK, ImageFont.load_default(15))
    pen.text((left, top + CELL + 39), f"IoU {100 * record.iou:.0f}  {record.kind}", QUIET, ImageFont.load_default(13))


def _edge(mask: np.ndarray) -> np.ndarray:
    """A line two pixels wide along the inner border of a mask, bool (H W)."""
    padded = np.pad(mask, 2)  # a region that the picture's border cuts is outlined there too
    inner = Image.fromarray(padded.astype(np.uint8) * 255).filter(ImageFilter.MinFilter(5))
    return mask & (np.asarray(inner)[2:-2, 2:-2] == 0)


def _legend(pen: ImageDraw.ImageDraw, width: int, top: int) -> None:
    font = ImageFont.load_default(15)
    right = width - GAP
    for text, colour, filled in (("predicted", FOUND, True), ("true region", TRUTH, False)):
        right -= round(pen.textlength(text, font))
        pen.text((right, top), text, QUIET, font)
        right -= 22
        box = (right, top + 2, right + 14, top + 16)
        pen.rectangle(box, fill=colour if filled else None, outline=colour, width=3)
        right -= 20


def _row(name: str, values: Mapping[str, float], interval: tuple[float, float] | None = None) -> str:
    between = f"{_percent(interval[0])}-{_percent(interval[1])}" if interval else ""
    shares = [values["miou"], values["pr@0.5"], values["pr@0.7"], values["pr@0.9"]]
    cells = [name, str(values["n"]), _percent(values["oiou"]), between, *map(_percent, shares)]
    return "| " + " | ".join(cells) + " |"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f}"
