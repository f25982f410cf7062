"""A sheet of a few samples with the masks that a model in training predicts for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from restr.data.sample import Sample
from restr.files import atomic_path
from restr.metrics import iou
from restr.model.restr import ReSTR
from restr.report.overlay import compare_masks, draw_legend, fit_side
from restr.report.text import INK, PAPER, QUIET, draw_wrapped
from restr.text.tokenizer import Tokenizer
from restr.training.loop.validate import predict

MAX_SAMPLES = 8
_COLUMNS = 2
# Sizes in pixels.
_SIDE = 256  # of each of a sample's two pictures
_PAD, _GAP, _MARGIN = 14, 8, 24
_HEADING, _CAPTION = 64, 62
_NOTE = 78  # the IoU's width
_CARD, _TRACK = (246, 247, 249), (222, 225, 230)
# (least IoU, colour of the bar), from the best to the worst.
LEVELS = ((0.7, (26, 127, 55)), (0.5, (191, 135, 0)), (0.0, (207, 34, 46)))


def sheet_path(folder: Path, step: int) -> Path:
    """The file of the sheet that a run draws after ``step`` steps."""
    return folder / "sheets" / f"step-{step:08d}.png"


@torch.no_grad()
def draw_sheet(model: ReSTR, samples: Sequence[Sample], tokenizer: Tokenizer, path: Path, *, title: str = "") -> None:
    """Draw up to eight samples as a PNG: the picture, the picture with both masks, and below them the sentence and the IoU.

    The samples have the model's input size. The model is in eval mode.
    """
    shown = list(samples)[:MAX_SAMPLES]
    found = predict(model, shown, tokenizer)
    scores = iou(found, np.stack([sample.mask for sample in shown]))
    height = fit_side(shown[0].image, _SIDE).height
    width, line = 2 * (_SIDE + _PAD) + _GAP, height + _CAPTION + 2 * _PAD
    columns = min(_COLUMNS, len(shown))
    size = (_MARGIN + columns * (width + _MARGIN), _HEADING + -(-len(shown) // columns) * (line + _MARGIN))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _HEADING / 2), title, INK, ImageFont.load_default(21), anchor="lm")
    draw_legend(pen, sheet.width - _MARGIN, _HEADING // 2 - 9)
    for place, (sample, mask, score) in enumerate(zip(shown, found, scores.tolist(), strict=True)):
        row, column = divmod(place, columns)
        left, top = _MARGIN + column * (width + _MARGIN), _HEADING + row * (line + _MARGIN)
        pen.rounded_rectangle((left, top, left + width, top + line), 12, _CARD)
        left, top = left + _PAD, top + _PAD
        sheet.paste(fit_side(sample.image, _SIDE), (left, top))
        sheet.paste(compare_masks(sample.image, mask, sample.mask, _SIDE), (left + _SIDE + _GAP, top))
        _caption(pen, (left, top + height + 12), 2 * _SIDE + _GAP, sample.text, score)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        sheet.save(partial, "PNG")


def _caption(pen: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, text: str, score: float) -> None:
    """The sentence at the left, in at most two lines, and at the right the IoU as a number and as a bar."""
    left, top = corner
    font, right = ImageFont.load_default(18), left + width
    draw_wrapped(pen, corner, text, size=18, room=width - _NOTE - 16)
    pen.text((right - _NOTE, top + 2), "IoU", QUIET, ImageFont.load_default(14))
    pen.text((right, top), f"{100 * score:.0f}", INK, font, anchor="ra")
    colour = next(colour for least, colour in LEVELS if score >= least)
    bar = (right - _NOTE, top + 30, right, top + 36)
    pen.rounded_rectangle(bar, 3, _TRACK)
    if score * _NOTE >= 6:  # PIL cannot draw a bar that is narrower than its corners
        pen.rounded_rectangle((bar[0], bar[1], bar[0] + score * _NOTE, bar[3]), 3, colour)
