"""Text on pictures stays in its room."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.report.text import draw_wrapped, fit_line, wrap_text

FONT = ImageFont.load_default(18)


def test_a_long_sentence_takes_two_lines_and_an_ellipsis() -> None:
    assert wrap_text("the red ring", FONT, 300) == ["the red ring"]
    found = wrap_text("a sentence of many words " * 9 + "x" * 200, FONT, 300)
    assert len(found) == 2 and found[1].endswith("…") and all(FONT.getlength(line) <= 300 for line in found)
    (word,) = wrap_text("x" * 200, FONT, 300)
    assert word.endswith("…") and FONT.getlength(word) <= 300
    assert wrap_text("", FONT, 300) == [""]


def test_a_line_is_cut_where_its_room_ends() -> None:
    assert fit_line("the  red\nring", FONT, 300) == "the red ring"
    found = fit_line("word " * 50, FONT, 200)
    assert found.endswith("\u2026") and 150 < FONT.getlength(found) <= 200
    assert fit_line("word", FONT, 0) == "\u2026"


def test_wrapped_text_is_drawn_inside_its_room() -> None:
    canvas = Image.new("RGB", (200, 60), "white")
    draw_wrapped(ImageDraw.Draw(canvas), (10, 5), "a sentence of many words " * 9, size=13, room=120)
    inked = Image.fromarray(np.asarray(canvas.convert("L")) < 128).getbbox()
    assert inked is not None and inked[0] >= 9 and inked[2] <= 131 and 20 < inked[3] - inked[1] < 40, "two lines"
