"""Draw the outlines of two measurements side by side: where the second one follows the thing better, and where worse.

    python recipes/restr_p8/outlines.py --data photos:DATA/photos --first runs/p8/measured/p16 --second runs/p8/measured/p8
        --out outlines.png

FIRST and SECOND are folders of ``measure.py``. Of the things that both find (IoU at least 0.4), the largest gains and
losses in the IoU of thin borders are drawn, without the photograph: the true shape in grey, the found outlines over it.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import read_lines
from PIL import Image, ImageDraw, ImageFont

from restr.evaluation.samples import open_samples
from restr.masks import rle_decode

FOUND = 0.4  # IoU
CELL, CAPTION, GAP, ACROSS = 170, 34, 8, 6
PAPER, INK, SHAPE = (255, 255, 255), (40, 40, 40), (205, 205, 205)
COLOURS = {"first": (0, 90, 200), "second": (220, 90, 0)}


def chosen(first: Mapping[str, Any], second: Mapping[str, Any], most: int) -> tuple[list[str], list[str]]:
    """Ids of the largest gains and losses of the second, one for each photograph."""
    both = [i for i in second if i in first and min(first[i]["iou"], second[i]["iou"]) >= FOUND]
    gains = {i: second[i]["thin"] - first[i]["thin"] for i in both}
    ordered: list[str] = []
    for i in sorted(gains, key=lambda i: -abs(gains[i])):
        if all(first[i]["image_id"] != first[other]["image_id"] for other in ordered):
            ordered.append(i)
    return [i for i in ordered if gains[i] > 0][:most], [i for i in ordered if gains[i] < 0][:most]


def cell(truth: np.ndarray, masks: Sequence[np.ndarray]) -> Image.Image:
    """The part around the true shape, enlarged, with an outline for each mask."""
    rows, columns = np.flatnonzero(truth.any(1)), np.flatnonzero(truth.any(0))
    side = int(1.5 * max(np.ptp(rows), np.ptp(columns)) + 8)
    top, left = (int((line[0] + line[-1] - side) // 2) for line in (rows, columns))
    picture = Image.new("RGB", (CELL, CELL), PAPER)

    def enlarged(mask: np.ndarray) -> np.ndarray:
        grey = Image.fromarray(mask.astype(np.uint8) * 255).crop((left, top, left + side, top + side))
        return np.asarray(grey.resize((CELL, CELL), Image.Resampling.BICUBIC)) > 127

    def paint(where: np.ndarray, colour: tuple[int, int, int]) -> None:
        picture.paste(colour, mask=Image.fromarray(where.astype(np.uint8) * 255))

    paint(enlarged(truth), SHAPE)
    for mask, colour in zip(masks, COLOURS.values(), strict=True):
        large = enlarged(mask)
        around = np.pad(large, 2)
        inner = np.all([around[2 + y :, 2 + x :][:CELL, :CELL] for y in (-2, 0, 2) for x in (-2, 0, 2)], axis=0)
        paint(large & ~inner, colour)
    return picture


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sheet."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="what was measured on, as for measure.py")
    parser.add_argument("--split", default="val", help="of photos: and everyday:")
    parser.add_argument("--n", type=int, default=600, help="as for measure.py")
    parser.add_argument("--first", type=Path, required=True, help="folder of a measurement, drawn in blue")
    parser.add_argument("--second", type=Path, required=True, help="folder of a measurement, drawn in orange")
    parser.add_argument("--names", nargs=2, default=("P = 16", "P = 8"), help="what to call the two")
    parser.add_argument("--most", type=int, default=12, help="gains, and losses")
    parser.add_argument("--out", type=Path, required=True, help="the picture, PNG")
    options = parser.parse_args(argv)
    first, second = (
        {line["id"]: line for line in read_lines(folder / "records.jsonl")}
        for folder in (options.first, options.second)
    )
    gains, losses = chosen(first, second, options.most)
    wanted = {*gains, *losses}
    samples = open_samples(options.data, split=options.split, n=options.n)
    truths = {i: samples[number].mask for number, i in enumerate(samples.ids()) if i in wanted}
    blocks = {f"{options.names[1]} follows better": gains, f"{options.names[1]} follows worse": losses}
    lines = sum(-(-len(ids) // ACROSS) for ids in blocks.values())
    sheet = Image.new(
        "RGB", (ACROSS * (CELL + GAP) + GAP, lines * (CELL + CAPTION + GAP) + 26 * len(blocks) + GAP), PAPER
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    top = GAP
    for title, ids in blocks.items():
        pen.text(
            (GAP, top),
            f"{title} (blue: {options.names[0]}, orange: {options.names[1]})",
            INK,
            ImageFont.load_default(16),
        )
        top += 26
        for number, i in enumerate(ids):
            place = (GAP + number % ACROSS * (CELL + GAP), top + number // ACROSS * (CELL + CAPTION + GAP))
            masks = [rle_decode(each[i]["prediction"]) for each in (first, second)]
            sheet.paste(cell(truths[i], masks), place)
            note = f"{100 * first[i]['share']:.1f}%, of 3 px: {100 * first[i]['thin']:.0f} to {100 * second[i]['thin']:.0f}"
            pen.text((place[0], place[1] + CELL), first[i]["text"][:28], INK, font)
            pen.text((place[0], place[1] + CELL + 15), note, INK, font)
        top += -(-len(ids) // ACROSS) * (CELL + CAPTION + GAP)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64).save(options.out, optimize=True)
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
