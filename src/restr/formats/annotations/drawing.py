"""Drawn shapes as regions in the forms of ``restr.data.entries.regions``: turned boxes, ellipses, brush strokes.

Angles are in degrees, clockwise on the picture, whose y grows downwards. Every function raises ``DatasetError`` naming
``where`` for damaged values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from restr.data.entries.entry import JsonRecord
from restr.errors import DatasetError
from restr.masks import rle_within

Region = dict[str, Any]
CanvasSize = tuple[int, int]  # height, width

_MOST_PIXELS = 1 << 27  # of a drawing; a damaged number must not allocate all memory
_FARTHEST = 1 << 20  # coordinates beyond it are in no picture


def numbers_of(record: JsonRecord, name: str, values: Sequence[Any]) -> list[float]:
    """Finite numbers, written as such or as text."""
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise record.wrong(name, list(values), "numbers") from error
    if not all(abs(value) <= _FARTHEST for value in found):  # false for NaN too
        raise record.wrong(name, list(values), "numbers that are in a picture")
    return found


def number_of(record: JsonRecord, name: str, *, default: Any = None) -> float:
    """A field's number, written as such or as text."""
    value = record.values.get(name)
    return numbers_of(record, name, [default if value in (None, "") else value])[0]


def canvas_size(record: JsonRecord, height: str = "height", width: str = "width") -> CanvasSize:
    """(H, W) of a picture, from two fields."""
    found = numbers_of(record, f"{height}, {width}", [record.values.get(height), record.values.get(width)])
    sides = round(found[0]), round(found[1])
    if not all(0 < side < 1 << 16 for side in sides) or sides[0] * sides[1] > _MOST_PIXELS:
        raise record.wrong(f"{height}, {width}", found, "a picture's size")
    return sides


def box(x: float, y: float, width: float, height: float, angle: float = 0.0, about: str = "corner") -> Region:
    """A box in pixels, turned about its upper left "corner" (Label Studio) or its "centre" (CVAT)."""
    if not angle % 360:
        return {"box": [x, y, width, height]}
    turn = math.radians(angle)
    across = np.array([math.cos(turn), math.sin(turn)]) * width
    down = np.array([-math.sin(turn), math.cos(turn)]) * height
    corner = np.array([x, y]) if about == "corner" else np.array([x + width / 2, y + height / 2]) - (across + down) / 2
    points = [corner, corner + across, corner + across + down, corner + down]
    return {"polygons": [[round(float(value), 4) for point in points for value in point]]}


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float, size: CanvasSize, where: str) -> Region:
    """The pixels whose centres are in an ellipse, in pixels of a picture of ``size``."""
    if min(rx, ry) < 1e-3:
        raise DatasetError(f"{where}: the ellipse's radii are {rx:g} and {ry:g}; expected some pixels")
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    reach = math.hypot(rx * sin, ry * cos)  # half of its height
    top = max(0, math.floor(cy - reach))
    y = np.arange(top, max(top, min(size[0], math.ceil(cy + reach))))[:, None] + 0.5 - cy
    # (x cos + y sin)^2 / rx^2 + (y cos - x sin)^2 / ry^2 = 1, solved for x: where each row enters and leaves it
    a = (cos / rx) ** 2 + (sin / ry) ** 2
    half_b = y * sin * cos * (1 / rx**2 - 1 / ry**2)
    root = half_b**2 - a * (y**2 * ((sin / rx) ** 2 + (cos / ry) ** 2) - 1)
    chord = np.sqrt(np.maximum(root, 0))
    x = np.arange(size[1]) + 0.5 - cx
    inside = (root >= 0) & (x >= (-half_b - chord) / a) & (x <= (-half_b + chord) / a)
    return {"rle": rle_within(inside, 0, top, size)}


def row_runs(counts: Sequence[float], box: tuple[int, int, int, int], size: CanvasSize, where: str) -> Region:
    """CVAT's brush: counts of pixels outside and inside, alternating, row by row, within a box (x, y, w, h)."""
    left, top, width, height = box
    lengths = np.asarray(counts, np.float64)
    if width < 1 or height < 1 or width * height > _MOST_PIXELS:
        raise DatasetError(f"{where}: the mask's box is {width} x {height}; expected pixels of a picture")
    if (lengths < 0).any() or (lengths != np.round(lengths)).any() or lengths.sum() != width * height:
        raise DatasetError(
            f"{where}: the run lengths add up to {lengths.sum():g} pixels, the mask's box is {width} x {height} = "
            f"{width * height}; "
            "the annotation is damaged"
        )
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths.astype(np.int64)).reshape(height, width)
    return {"rle": rle_within(inside, left, top, size)}


def packed_runs(packed: Sequence[Any], size: CanvasSize, where: str) -> Region:
    """Label Studio's brush, ``"format": "rle"``: the packed red, green, blue and alpha bytes of a picture, by row.

    A pixel is inside if its alpha is above 0, as in Label Studio's own converter.
    """
    values = unpack_numbers(packed, size[0] * size[1] * 4, where)
    return {"rle": rle_within(values.reshape(*size, 4)[..., 3] > 0, 0, 0, size)}


def unpack_numbers(packed: Sequence[Any], expected: int, where: str) -> np.ndarray:
    """The numbers in run lengths of thi.ng's rle-pack, which Label Studio uses: uint8; wider numbers are cut to 8 bits.

    A bit stream. Head: 32 bits for how many numbers, 5 bits for their width minus 1, four times 4 bits for the widths
    of counts, each minus 1. Then blocks: 1 bit for whether one number is repeated, 2 bits for the count's width (which
    of the four), the count minus 1, and the number or numbers.
    """
    try:
        content = bytes(packed)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{where}: the brush's run lengths are {str(packed)[:60]}; expected bytes, 0 to 255"
        ) from error
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    end, at = len(bits), 53
    cut = DatasetError(f"{where}: the brush's run lengths end too early; the annotation is truncated")
    if end < at:
        raise cut

    def take(start: int, count: int) -> int:
        """Some bits as a number; touches only their bytes, however long the stream."""
        first, last = start // 8, -(-(start + count) // 8)
        value = int.from_bytes(content[first:last], "big") >> (8 * last - start - count)
        return value & ((1 << count) - 1)

    total, width = take(0, 32), take(32, 5) + 1
    widths = [take(37 + 4 * number, 4) + 1 for number in range(4)]
    if total != expected:
        raise DatasetError(
            f"{where}: the brush's run lengths are of {total} numbers; expected 4 per pixel, {expected}; the annotation "
            "is damaged or of "
            "another picture"
        )
    out, done = np.zeros(total, np.uint8), 0
    powers = 1 << np.arange(width - 1, -1, -1)
    while done < total:
        if at + 3 > end:
            raise cut
        repeated, count_bits = take(at, 1), widths[take(at + 1, 2)]
        count = take(at + 3, count_bits) + 1
        at += 3 + count_bits
        needed = width * (1 if repeated else min(count, total - done))
        if at + needed > end:
            raise cut
        found = bits[at : at + needed].reshape(-1, width) @ powers
        out[done : done + count] = found & 0xFF  # the last block may promise more than remains
        done, at = done + count, at + needed
    return out
