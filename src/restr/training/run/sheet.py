"""A few samples as a picture: how a model in training does on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample
from restr.files import written_whole
from restr.metrics import iou
from restr.model.restr import ReSTR
from restr.report.overlay import INK, PAPER, QUIET, legend, overlay, resized
from restr.text.tokenizer import Tokenizer
from restr.training.loop.validate import predict

MOST = 8
_COLUMNS = 2
_SIDE = 256  # pixels, of each of a sample's two pictures
PAD, GAP, MARGIN = 14, 8, 24
HEADING, CAPTION = 64, 62
NOTE = 78  # pixels, for the IoU
CARD, TRACK = (246, 247, 249), (222, 225, 230)
LEVELS = ((0.7, (26, 127, 55)), (0.5, (191, 135, 0)), (0.0, (207, 34, 46)))  # from which IoU, in which colour


def path_of(folder: Path, step: int) -> Path:
    """Where a run keeps the sheet that was drawn after ``step`` steps."""
    return folder / "sheets" / f"step-{step:08d}.png"


@torch.no_grad()
def draw_sheet(model: ReSTR, samples: Sequence[Sample], tokenizer: Tokenizer, path: Path, *, title: str = "") -> None:
    """Draw up to eight samples, all of the model's input size, as a PNG: each as it is and, beside that, the predicted mask laid
    over and the truth outlined; below, the sentence and the IoU. The model is to be in eval mode."""
    shown = list(samples)[:MOST]
    found = predict(model, shown, tokenizer)
    scores = iou(found, np.stack([sample.mask for sample in shown]))
    height = resized(shown[0].image, _SIDE).height
    width, line = 2 * (_SIDE + PAD) + GAP, height + CAPTION + 2 * PAD
    columns = min(_COLUMNS, len(shown))
    size = (MARGIN + columns * (width + MARGIN), HEADING + -(-len(shown) // columns) * (line + MARGIN))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, HEADING / 2), title, INK, ImageFont.load_default(21), anchor="lm")
    legend(pen, sheet.width - MARGIN, HEADING // 2 - 9)
    for place, (sample, mask, score) in enumerate(zip(shown, found, scores.tolist(), strict=True)):
        row, column = divmod(place, columns)
        left, top = MARGIN + column * (width + MARGIN), HEADING + row * (line + MARGIN)
        pen.rounded_rectangle((left, top, left + width, top + line), 12, CARD)
        left, top = left + PAD, top + PAD
        sheet.paste(resized(sample.image, _SIDE), (left, top))
        sheet.paste(overlay(sample.image, mask, sample.mask, _SIDE), (left + _SIDE + GAP, top))
        _caption(pen, (left, top + height + 12), 2 * _SIDE + GAP, sample.text, score)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        sheet.save(partial, "PNG")


def _caption(pen: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, text: str, score: float) -> None:
    """The sentence on the left, in two lines at most, and on the right the IoU as a number and as a bar."""
    left, top = corner
    font, right = ImageFont.load_default(18), left + width
    for row, line in enumerate(lines(pen, text, font, width - NOTE - 16)):
        pen.text((left, top + 24 * row), line, INK, font)
    pen.text((right - NOTE, top + 2), "IoU", QUIET, ImageFont.load_default(14))
    pen.text((right, top), f"{100 * score:.0f}", INK, font, anchor="ra")
    colour = next(colour for least, colour in LEVELS if score >= least)
    bar = (right - NOTE, top + 30, right, top + 36)
    pen.rounded_rectangle(bar, 3, TRACK)
    if score * NOTE >= 6:  # what is narrower than its corners cannot be drawn
        pen.rounded_rectangle((bar[0], bar[1], bar[0] + score * NOTE, bar[3]), 3, colour)


def lines(
    pen: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float, most: int = 2
) -> list[str]:
    """The text in at most so many lines, none wider than ``room`` pixels; dots stand for what does not fit."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if pen.textlength(longer, font) <= room or not found[-1]:
            found[-1] = longer
        else:
            found.append(word)
    cut, found = len(found) > most, found[:most]
    for row, line in enumerate(found):
        last = cut and row == len(found) - 1
        if last or pen.textlength(line, font) > room:
            while line and pen.textlength(f"{line}…", font) > room:
                line = line[:-1]
            found[row] = f"{line.rstrip()}…"
    return found
