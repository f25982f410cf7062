"""Cases of an evaluation as pictures: which to show, and how to draw a photograph with its predicted and true mask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample, SampleSource
from restr.errors import DataError
from restr.evaluation.evaluate import Record
from restr.masks import rle_decode
from restr.report.overlay import compare_masks, draw_legend
from restr.report.text import INK, PAPER, QUIET, draw_wrapped

CELL = 300  # pixels, of a case's picture
CAPTION = 58  # pixels, below it
GAP = 10


def choose_cases(records: Sequence[Record], each: int = 8) -> dict[str, list[Record]]:
    """The ``each`` best, typical (nearest to the median) and worst records by IoU; no photograph appears twice."""
    ranked = sorted(records, key=lambda record: (-record.iou, record.id))
    middle = len(ranked) // 2
    around = sorted(range(len(ranked)), key=lambda rank: (abs(rank - middle), rank))
    used: set[str] = set()
    cases: dict[str, list[Record]] = {}
    orders = {"best": ranked, "typical": [ranked[rank] for rank in around], "worst": ranked[::-1]}
    for name, order in orders.items():
        cases[name] = _first_of_images(order, each, used)
    return cases


def find_samples(samples: Iterable[Sample] | SampleSource, wanted: Collection[str]) -> dict[str, Sample]:
    """The samples with these ids, by id; a ``SampleSource`` opens no others. Raises ``DataError`` if one is missing."""
    if hasattr(samples, "ids"):
        source = cast(SampleSource, samples)
        found = {identity: source[number] for number, identity in enumerate(source.ids()) if identity in wanted}
    else:
        found = {sample.id: sample for sample in samples if sample.id in wanted}
    if missing := sorted(set(wanted) - found.keys()):
        raise DataError(f"the samples hold no {missing[0]!r}; pass the samples that were evaluated")
    return found


def draw_cases(cases: Mapping[str, Sequence[Record]], samples: Iterable[Sample] | SampleSource) -> Image.Image:
    """A sheet with a block for each name in ``cases``: photographs with their masks, and the sentences below.

    samples: the evaluated samples again. Raises ``DataError`` if they lack the sample of a case.
    """
    found = find_samples(samples, {record.id for records in cases.values() for record in records})
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
        draw_legend(pen, width - GAP, top + 14)
        top += heading
        for number, record in enumerate(records):
            left = GAP + number % columns * (CELL + GAP)
            upper = top + number // columns * (CELL + CAPTION + GAP)
            draw_case(sheet, (left, upper), found[record.id], record)
        top += rows[name] * (CELL + CAPTION + GAP)
    return sheet


def draw_case(sheet: Image.Image, corner: tuple[int, int], sample: Sample, record: Record, *, note: str = "") -> None:
    """Draw a case at a corner of a sheet: the picture, its sentence, and ``note`` (default: IoU and kind)."""
    picture = case_picture(sample, record)
    left, top = corner
    sheet.paste(picture, (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2))
    pen = ImageDraw.Draw(sheet)
    draw_wrapped(pen, (left, top + CELL + 3), record.text, size=15, room=CELL)
    note = note or f"IoU {100 * record.iou:.0f}  {record.kind}"
    pen.text((left, top + CELL + 39), note, QUIET, ImageFont.load_default(13))


def case_picture(sample: Sample, record: Record, side: int = CELL) -> Image.Image:
    """The photograph, its longer side ``side`` pixels, with the predicted mask tinted and the true mask outlined."""
    return compare_masks(sample.image, rle_decode(record.prediction), sample.mask, side)


def _first_of_images(order: Iterable[Record], count: int, used: set[str]) -> list[Record]:
    """The first ``count`` records of photographs outside ``used``; adds these photographs to ``used``."""
    chosen: list[Record] = []
    for record in order:
        if len(chosen) < count and record.image_id not in used:
            chosen.append(record)
            used.add(record.image_id)
    return chosen
