"""Pictures of a result, with only PIL and numpy: overlay, heat map, cut-out, attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.report.overlay import ACCENT, highlight_mask
from restr.report.text import fit_line

_INK, _QUIET, _STRIP = (250, 250, 250), (160, 166, 176), (22, 24, 29)  # of the dark strip below a picture
_SIDES = (480, 1600)  # the longest side of what is shown: small images are enlarged, large ones reduced

# Dark to light with steadily growing lightness, so that it reads in grey too (after matplotlib's "inferno").
_HEAT = np.array(
    [(8, 6, 24), (52, 12, 88), (110, 26, 110), (165, 44, 96), (214, 72, 66), (244, 118, 26), (252, 178, 40),
     (252, 246, 170)],
    np.float32,
)  # fmt: skip


def overlay(image: np.ndarray, mask: np.ndarray, caption: str | None, score: float) -> Image.Image:
    """The masked part in its own colours with a thin contour, the rest dimmed; below it the caption and the score.

    image: uint8 (H W 3); mask: bool (H W). The longest side is 480 to 1600 pixels.
    """
    drawn = highlight_mask(_resized(image), mask)
    if caption is None:
        return drawn
    return with_caption(drawn, caption, f"{score:.0%}" if mask.any() else "not found")


def heatmap(image: np.ndarray, prob: np.ndarray, caption: str | None) -> Image.Image:
    """Probabilities, (H W) in [0, 1], in colour over the greyed image, with a scale beside the caption."""
    picture = _resized(image)
    scaled = np.asarray(Image.fromarray(prob).resize(picture.size, Image.Resampling.BILINEAR))
    drawn = _heated(picture, scaled, 0.55, 0.25)
    return drawn if caption is None else with_caption(drawn, caption, "0 to 1", scale=True)


def cutout(image: np.ndarray, mask: np.ndarray, box: tuple[int, int, int, int] | None) -> Image.Image:
    """The masked pixels as RGBA, cropped to ``box``; one transparent pixel without a box."""
    if box is None:
        return Image.new("RGBA", (1, 1))
    x0, y0, x1, y1 = box
    alpha = mask[y0:y1, x0:x1, None].astype(np.uint8) * 255
    return Image.fromarray(np.concatenate([image[y0:y1, x0:x1], alpha], axis=2))


def attention_strip(
    image: np.ndarray, words: Sequence[str], weights: np.ndarray, maps: np.ndarray, *, columns: int = 4
) -> Image.Image:
    """One heat map per word, ``columns`` per row; under each the word and its weight as a bar.

    weights: (l), shown as shares of their sum. maps: (l h w), each scaled to its own range.
    """
    picture = Image.fromarray(image)
    width, strip = 320, 44
    picture = picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS)
    shares = weights / max(float(weights.sum()), 1e-12)
    rows = -(-len(words) // columns)
    canvas = Image.new("RGB", (width * min(columns, len(words)), (picture.height + strip) * rows), _STRIP)
    for place, (word, share, values) in enumerate(zip(words, shares, maps, strict=True)):
        left, top = width * (place % columns), (picture.height + strip) * (place // columns)
        canvas.paste(_attention_map(picture, values), (left, top))
        _draw_word(ImageDraw.Draw(canvas), (left, top + picture.height), width, word, float(share))
    return canvas


def _attention_map(picture: Image.Image, values: np.ndarray) -> Image.Image:
    """The attention of one word, (h w), scaled from its own minimum to its own maximum."""
    span = float(values.max() - values.min())
    scaled = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    scaled = np.asarray(Image.fromarray(scaled.astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC))
    return _heated(picture, scaled.clip(0, 1), 0.45, 0.4)


def _draw_word(draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, word: str, share: float) -> None:
    """A word at the left of its strip, its share of the weight at the right and as a bar below."""
    font, small = ImageFont.load_default(17), ImageFont.load_default(14)
    left, top = corner
    note = f"{share:.0%}"
    room = width - 24 - draw.textlength(note, small)
    draw.text((left + 10, top + 20), fit_line(word, font, room), fill=_INK, font=font, anchor="lm")
    draw.text((left + width - 10, top + 20), note, fill=_QUIET, font=small, anchor="rm")
    draw.rectangle((left + 10, top + 36, left + 10 + (width - 20) * share, top + 39), fill=ACCENT)


def _resized(image: np.ndarray) -> Image.Image:
    """The image with its longest side within ``_SIDES``."""
    picture = Image.fromarray(image)
    longest = max(picture.size)
    scale = min(max(longest, _SIDES[0]), _SIDES[1]) / longest
    if scale == 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _heated(picture: Image.Image, values: np.ndarray, least: float, more: float) -> Image.Image:
    """Values, (H W) in [0, 1], in colour over the greyed picture. The colour's opacity is ``least + more * value``."""
    grey = np.asarray(picture.convert("L"), np.float32)[..., None]
    opacity = least + more * values[..., None]
    pixels = (1 - opacity) * grey + opacity * _heat(values)
    return Image.fromarray((pixels + 0.5).clip(0, 255).astype(np.uint8))


def _heat(values: np.ndarray) -> np.ndarray:
    """The colours of values in [0, 1]: float (... 3)."""
    stops = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(values, stops, _HEAT[:, channel]) for channel in range(3)], axis=-1)


def with_caption(picture: Image.Image, text: str, note: str, *, scale: bool = False) -> Image.Image:
    """The picture above a dark strip: a dot and the text at the left, the note at the right. scale: the heat map's colours
    before the note, instead of the dot."""
    width, height = picture.size
    size = max(13, round(max(width, height * 0.8) / 36))
    font, small = ImageFont.load_default(size), ImageFont.load_default(round(size * 0.86))
    strip = round(size * 2.3)
    canvas = Image.new("RGB", (width, height + strip), _STRIP)
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    middle, side, mark = height + strip / 2, round(size * 0.9), round(size * 0.28)
    note_left = width - side - draw.textlength(note, small)
    draw.text((note_left, middle), note, fill=_QUIET, font=small, anchor="lm")
    left = side
    if scale:
        bar = np.broadcast_to(_heat(np.linspace(0, 1, 6 * size))[None], (max(4, mark * 2), 6 * size, 3))
        note_left -= 6 * size + mark * 2
        canvas.paste(Image.fromarray(bar.astype(np.uint8)), (round(note_left), round(middle) - mark))
    else:
        canvas.paste(ACCENT, (side, round(middle) - mark), _disc(mark))
        left += 4 * mark
    draw.text((left, middle), fit_line(text, font, note_left - left - size), fill=_INK, font=font, anchor="lm")
    return canvas


def _disc(radius: int) -> Image.Image:
    """A disc with smooth edges, mode "L". PIL draws hard ones: drawn four times too large, then reduced."""
    disc = Image.new("L", (8 * radius, 8 * radius))
    ImageDraw.Draw(disc).ellipse((0, 0, 8 * radius - 1, 8 * radius - 1), fill=255)
    return disc.resize((2 * radius, 2 * radius), Image.Resampling.BOX)
