"""Names for measured colours: every pixel has a bucket in CIE Lab, and every region a share of each bucket."""

from __future__ import annotations

import numpy as np

COLOURS = ("black", "white", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "tan")
# Buckets without a safe name: between black and gray, between gray and white, greenish blue, nearly colourless, and
# between two hues.
UNSURE = ("dark", "light", "teal", "dull", "mixed")
BUCKETS = COLOURS + UNSURE
_INDEX = {name: number for number, name in enumerate(BUCKETS)}

# Buckets that somebody might call by the same name: a rival that shows much of them is not safely of another colour.
NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "black": ("dark",),
    "white": ("light",),
    "gray": ("dark", "light", "dull"),
    "red": ("pink", "orange", "brown", "mixed"),
    "orange": ("red", "yellow", "brown", "tan", "mixed"),
    "yellow": ("orange", "tan", "mixed"),
    "green": ("teal", "mixed"),
    "blue": ("teal", "purple", "mixed"),
    "purple": ("blue", "pink", "mixed"),
    "pink": ("red", "purple", "tan", "mixed"),
    "brown": ("red", "orange", "tan", "dark", "mixed"),
    "tan": ("brown", "yellow", "orange", "light", "mixed"),
}
CLEAR_SHARE = 0.5  # of the region: the least share for "it is red" ...
RIVAL_LEAD = 2.0  # ... and the least lead over the next colour, as a factor
ABSENT_SHARE = 0.1  # of the region: the largest share for "it is not red at all" ...
ABSENT_NEAR_SHARE = 0.35  # ... and the largest share together with the neighbouring buckets
DIM = 70  # mean of an image (0..255): below it, dark things may be in the shade rather than black or brown
LEAST_PIXELS = 25  # of the reduced image: fewer say nothing about a colour


def bucket_map(image: np.ndarray) -> np.ndarray:
    """The bucket of every pixel, uint8 (H W), from an uint8 RGB image (H W 3)."""
    lightness, a, b = _lab(image)
    chroma = np.hypot(a, b)
    hue = np.degrees(np.arctan2(b, a)) % 360
    out = np.full(lightness.shape, _INDEX["mixed"], np.uint8)

    def paint(name: str, where: np.ndarray) -> None:
        out[where] = _INDEX[name]

    paint("red", (hue >= 15) & (hue < 50))
    paint("red", ((hue >= 355) | (hue < 15)) & (lightness < 50) & (chroma > 35))
    paint("pink", ((hue >= 325) | (hue < 15)) & (lightness >= 50))
    paint("pink", (hue >= 15) & (hue < 35) & (lightness > 65) & (chroma < 50))
    paint("mixed", (hue >= 15) & (hue < 50) & (chroma < 38) & (lightness > 42))  # skin has these colours
    paint("orange", (hue >= 52) & (hue < 75) & (chroma >= 50) & (lightness >= 52))
    paint("yellow", (hue >= 80) & (hue < 108) & (chroma >= 40) & (lightness >= 62))
    paint("brown", (hue >= 30) & (hue < 82) & (chroma < 45) & (lightness < 50))
    paint("tan", (hue >= 55) & (hue < 95) & (chroma < 36) & (lightness >= 58))
    paint("green", (hue >= 108) & (hue < 180))
    paint("teal", (hue >= 180) & (hue < 225))
    paint("blue", (hue >= 225) & (hue < 303))
    paint("blue", (hue >= 303) & (hue < 312) & (lightness < 45) & (chroma > 50))
    paint("purple", (hue >= 303) & (hue < 345) & (lightness < 50) & ~((hue < 312) & (chroma > 50)))
    paint("purple", (hue >= 303) & (hue < 325) & (lightness >= 50))
    blueish = (hue >= 240) & (hue < 300)
    floor = np.where(blueish, 11.0, 16.0)
    paint("dull", chroma < floor)
    colourless = chroma < np.where(blueish, 7.0, 10.0)
    paint("gray", colourless & (lightness >= 40) & (lightness < 68))
    paint("light", (chroma < 12) & (lightness >= 68))
    paint("white", (chroma < 10) & (lightness >= 80))
    paint("dark", (lightness < 36) & (chroma < floor + 4))
    paint("black", (lightness < 21) & (chroma < 12))
    paint("black", lightness < 9)
    return out


def _lab(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CIE Lab (D65) of an uint8 sRGB image, three float32 planes (H W)."""
    table = np.arange(256, dtype=np.float32) / 255
    table = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4).astype(np.float32)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
        np.float32,
    ) / np.array([[0.95047], [1.0], [1.08883]], np.float32)
    xyz = table[image] @ to_xyz.T
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return 116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])


def bucket_shares(buckets: np.ndarray, region: np.ndarray) -> np.ndarray | None:
    """Share of every bucket in a region, float (len(BUCKETS),); None if the region is too small to tell."""
    inside = buckets[region]
    if inside.size < LEAST_PIXELS:
        return None
    return np.bincount(inside, minlength=len(BUCKETS)) / inside.size


def dominant(shares: np.ndarray | None) -> str | None:
    """The colour that people would name for a region with these bucket shares; None if no colour leads clearly."""
    if shares is None:
        return None
    best = int(np.argmax(shares[: len(COLOURS)]))
    others = [shares[i] for i in range(len(COLOURS)) if i != best]
    if shares[best] < CLEAR_SHARE or shares[best] < RIVAL_LEAD * max(others):
        return None
    return COLOURS[best]


def rules_out(shares: np.ndarray | None, colour: str) -> bool:
    """Whether nobody would call a region with these bucket shares by this colour."""
    if shares is None or colour not in NEIGHBOURS:
        return False
    own = shares[_INDEX[colour]]
    near = sum(shares[_INDEX[name]] for name in NEIGHBOURS[colour])
    return bool(own <= ABSENT_SHARE and own + near <= ABSENT_NEAR_SHARE)
