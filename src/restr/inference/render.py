"""Pictures of a result, with PIL and numpy alone: overlay, heat map, cut-out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ACCENT = (56, 214, 255)
INK = (250, 250, 250)
QUIET = (160, 166, 176)
STRIP = (22, 24, 29)
_SHOWN = (480, 1600)  # a shown picture's longest side: small images are enlarged, large ones reduced

# Dark to light with steadily growing lightness, so that it reads in grey too (after matplotlib's "inferno").
HEAT = np.array(
    [(8, 6, 24), (52, 12, 88), (110, 26, 110), (165, 44, 96), (214, 72, 66), (244, 118, 26), (252, 178, 40),
     (252, 246, 170)],
    np.float32,
)  # fmt: skip


def overlay(image: np.ndarray, mask: np.ndarray, caption: str | None, score: float) -> Image.Image:
    """The masked part in its own colours, slightly tinted, with a thin contour; the rest dimmed and greyed.

    image: uint8 (H W 3); mask: bool (H W). The result's size is the image's, within ``SHOWN``, plus the caption.
    """
    picture = _shown(Image.fromarray(image))
    pixels = np.asarray(picture, np.float32)
    distance = _signed_distance(mask, picture.size)
    inside = np.clip(distance + 0.5, 0, 1)[..., None]
    accent = np.asarray(ACCENT, np.float32)

    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    backdrop = (0.55 * grey[..., None] + 0.45 * pixels) * 0.6
    subject = 0.87 * pixels + 0.13 * accent
    shown = inside * subject + (1 - inside) * backdrop

    line = max(picture.size) / 420  # the contour's width in pixels
    glow = np.clip(1 - np.maximum(np.abs(distance) - line / 2, 0) / (2.5 * line), 0, 1)[..., None] ** 2
    if mask.any():
        shown *= 1 - 0.35 * glow * (1 - inside)  # a soft shadow lifts the line off light backgrounds
        edge = np.clip(line / 2 + 0.5 - np.abs(distance), 0, 1)[..., None]
        shown = (1 - edge) * shown + edge * (0.92 * accent + 0.08 * 255)
    drawn = Image.fromarray(np.clip(shown + 0.5, 0, 255).astype(np.uint8))
    if caption is None:
        return drawn
    return _with_caption(drawn, caption, f"{score:.0%}" if mask.any() else "not found")


def heatmap(image: np.ndarray, prob: np.ndarray, caption: str | None) -> Image.Image:
    """Probabilities (H W) in colour over the greyed image, with a scale in the caption strip."""
    picture = _shown(Image.fromarray(image))
    grey = np.asarray(picture.convert("L"), np.float32)[..., None]
    shown_prob = np.asarray(Image.fromarray(prob).resize(picture.size, Image.Resampling.BILINEAR))
    colour = _heat(shown_prob)
    strength = 0.55 + 0.25 * shown_prob[..., None]
    shown = (1 - strength) * grey + strength * colour
    drawn = Image.fromarray(np.clip(shown + 0.5, 0, 255).astype(np.uint8))
    return drawn if caption is None else _with_caption(drawn, caption, "0 to 1", scale=True)


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
    """A heat map a word, as many beside each other as ``columns``; under each the word and its weight as a bar.

    weights: (l), shown as shares of their sum. maps: (l h w), each shown between its own extremes.
    """
    picture = Image.fromarray(image)
    width = 320
    picture = picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS)
    grey = np.asarray(picture.convert("L"), np.float32)[..., None]
    shares = weights / max(float(weights.sum()), 1e-12)
    font, small, strip = ImageFont.load_default(17), ImageFont.load_default(14), 44
    rows = -(-len(words) // columns)
    canvas = Image.new("RGB", (width * min(columns, len(words)), (picture.height + strip) * rows), STRIP)
    draw = ImageDraw.Draw(canvas)
    for i, (word, share, values) in enumerate(zip(words, shares, maps, strict=True)):
        spread = float(values.max() - values.min())
        shown = (values - values.min()) / spread if spread > 0 else np.zeros_like(values)
        shown = np.asarray(Image.fromarray(shown.astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC))
        shown = shown.clip(0, 1)
        strength = 0.45 + 0.4 * shown[..., None]
        pixels = (1 - strength) * grey + strength * _heat(shown)
        left, top = width * (i % columns), (picture.height + strip) * (i // columns)
        canvas.paste(Image.fromarray((pixels + 0.5).clip(0, 255).astype(np.uint8)), (left, top))
        base, note = top + picture.height, f"{share:.0%}"
        room = width - 24 - draw.textlength(note, small)
        draw.text((left + 10, base + 20), _shortened(draw, word, font, room), fill=INK, font=font, anchor="lm")
        draw.text((left + width - 10, base + 20), note, fill=QUIET, font=small, anchor="rm")
        draw.rectangle((left + 10, base + 36, left + 10 + (width - 20) * float(share), base + 39), fill=ACCENT)
    return canvas


def _shown(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    scale = min(max(longest, _SHOWN[0]), _SHOWN[1]) / longest
    if scale == 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _signed_distance(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """About how many pixels each pixel of a picture of ``size`` (width, height) is inside the mask: float32 (H W).

    Exact enough near the contour, where it is drawn: a blurred step's value is a known function of the distance.
    The blur also rounds the stairs off that the mask's pixels make.
    """
    sigma = max(size) / 420
    soft = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    margin = round(4 * sigma) + 1  # repeat the border, so that a mask that leaves the picture has no edge there
    padded = np.pad(np.asarray(soft), margin, mode="edge")
    blurred = np.asarray(Image.fromarray(padded).filter(ImageFilter.GaussianBlur(sigma)), np.float32)
    share = blurred[margin:-margin, margin:-margin] / 255
    share = np.clip(share, 1e-4, 1 - 1e-4)
    return sigma * 0.59 * np.log(share / (1 - share))  # the logistic curve stands in for the normal's inverse


def _heat(prob: np.ndarray) -> np.ndarray:
    stops = np.linspace(0, 1, len(HEAT))
    return np.stack([np.interp(prob, stops, HEAT[:, channel]) for channel in range(3)], axis=-1)


def _with_caption(picture: Image.Image, text: str, note: str, *, scale: bool = False) -> Image.Image:
    """The picture on top of a dark strip with the text on its left and a note on its right."""
    width, height = picture.size
    size = max(13, round(max(width, height * 0.8) / 36))
    font, small = ImageFont.load_default(size), ImageFont.load_default(round(size * 0.86))
    strip = round(size * 2.3)
    canvas = Image.new("RGB", (width, height + strip), STRIP)
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    middle, side = height + strip / 2, round(size * 0.9)
    note_left = width - side - draw.textlength(note, small)
    draw.text((note_left, middle), note, fill=QUIET, font=small, anchor="lm")
    mark = round(size * 0.28)
    if scale:
        bar = np.broadcast_to(_heat(np.linspace(0, 1, 6 * size))[None], (max(4, mark * 2), 6 * size, 3))
        note_left -= 6 * size + mark * 2
        canvas.paste(Image.fromarray(bar.astype(np.uint8)), (round(note_left), round(middle) - mark))
    else:
        dot = Image.new(
            "L", (8 * mark, 8 * mark)
        )  # PIL draws circles with hard edges: four times too large, then reduced
        ImageDraw.Draw(dot).ellipse((0, 0, 8 * mark - 1, 8 * mark - 1), fill=255)
        dot = dot.resize((2 * mark, 2 * mark), Image.Resampling.BOX)
        canvas.paste(ACCENT, (side, round(middle) - mark), dot)
    left = side if scale else side + 4 * mark
    draw.text((left, middle), _shortened(draw, text, font, note_left - left - size), fill=INK, font=font, anchor="lm")
    return canvas


def _shortened(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float
) -> str:
    """The text on one line, its end replaced by dots if it is wider than ``room`` pixels."""
    text = " ".join(text.split())[:400]
    if draw.textlength(text, font) <= room:
        return text
    while text and draw.textlength(text + "\u2026", font) > room:
        text = text[:-1]
    return text.rstrip() + "\u2026"
