"""Text on pictures, cut or wrapped to the room there is."""

from __future__ import annotations

from PIL import ImageDraw, ImageFont

INK, QUIET, PAPER = (25, 27, 31), (110, 114, 122), (255, 255, 255)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_LONGEST = 400  # letters of a line before it is measured


def fit_line(text: str, font: Font, room: float) -> str:
    """The text on one line, at most ``room`` pixels wide; an ellipsis replaces the rest."""
    text = " ".join(text.split())[:_LONGEST]
    return text if font.getlength(text) <= room else _with_ellipsis(text, font, room)


def wrap_text(text: str, font: Font, room: float, *, lines: int = 2) -> list[str]:
    """The text in at most ``lines`` lines, each at most ``room`` pixels wide; an ellipsis replaces the rest."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if font.getlength(longer) <= room or not found[-1]:
            found[-1] = longer
        else:
            found.append(word)
    shown = [fit_line(line, font, room) for line in found[:lines]]
    if len(found) > lines:
        shown[-1] = _with_ellipsis(found[lines - 1], font, room)
    return shown


def draw_wrapped(
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    *,
    size: int,
    room: float,
    colour: tuple[int, int, int] = INK,
) -> None:
    """Write a text in one or two lines below ``corner``. size: the font's, in pixels."""
    font, (left, top) = ImageFont.load_default(size), corner
    for row, line in enumerate(wrap_text(text, font, room)):
        pen.text((left, top + round(size * 1.2) * row), line, colour, font)


def _with_ellipsis(text: str, font: Font, room: float) -> str:
    while text and font.getlength(f"{text}\u2026") > room:
        text = text[:-1]
    return f"{text.rstrip()}\u2026"
