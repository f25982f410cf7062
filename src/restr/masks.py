"""Masks in their stored and drawn forms: run lengths, boxes, polygons.

numpy and the standard library only. Run lengths are COCO's (column by column, counts of False and True in turn),
so pycocotools and annotation tools read them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from restr.errors import DataError

Box = tuple[int, int, int, int]  # x0 y0 x1 y1, x1 and y1 exclusive


def rle_encode(mask: np.ndarray) -> dict[str, Any]:
    """A mask, bool (H W), as COCO's compressed run lengths: ``{"size": [H, W], "counts": str}``."""
    counts = _run_lengths(mask)
    return {"size": [int(side) for side in mask.shape], "counts": _compress(counts)}


def rle_decode(rle: dict[str, Any]) -> np.ndarray:
    """The mask, bool (H W), of COCO run lengths, compressed (str or bytes) or as a list of numbers.

    Raises ``DataError`` if the runs do not fill the size exactly.
    """
    height, width, lengths = rle_lengths(rle)
    values = np.arange(len(lengths)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T)


def rle_lengths(rle: dict[str, Any]) -> tuple[int, int, np.ndarray]:
    """Height, width and counts (int64) of COCO run lengths, checked, without making the mask. Raises ``DataError``."""
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"run lengths need 'size' [H, W] and 'counts'; got {str(rle)[:80]}") from error
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    lengths = _decompress(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if lengths.min(initial=0) < 0 or lengths.sum() != height * width:
        raise DataError(
            f"run lengths add up to {lengths.sum()} pixels but the size is {height} x {width} = {height * width}; "
            "the annotation is damaged or belongs to another image"
        )
    return height, width, lengths


def rle_within(part: np.ndarray, left: int, top: int, size: tuple[int, int]) -> dict[str, Any]:
    """COCO's run lengths of a mask of ``size`` (H, W) that shows ``part``, bool (h w), and is empty elsewhere.

    left, top: the part's place, in pixels; its pixels outside the mask are cut off. The cost depends on the part's size
    alone.
    """
    height, width = size
    part = part[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
    # +1 where a column's run begins, -1 behind it
    steps = np.diff(np.pad(part.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    first = max(0, left) * height + max(0, top)
    starts, ends = (
        columns * height + rows + first for columns, rows in (np.nonzero(steps == 1), np.nonzero(steps == -1))
    )
    apart = starts[1:] != ends[:-1]  # a run to the end of a column continues at the start of the next
    starts, ends = starts[np.r_[True, apart][: len(starts)]], ends[np.r_[apart, True][: len(ends)]]
    bounds = np.concatenate([[0], np.stack([starts, ends], 1).reshape(-1), [height * width]])
    counts = np.diff(bounds).tolist()
    if starts.size and not counts[-1]:
        counts.pop()
    return {"size": [height, width], "counts": _compress(counts)}


def place_part(part: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """A mask, bool (H W) of ``size``, that shows ``part``, bool (h w), in its box and is empty elsewhere."""
    x0, y0, x1, y1 = box
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = part
    return mask


def box_of(mask: np.ndarray) -> Box | None:
    """The tightest box (x0, y0, x1, y1) around a mask, x1 and y1 exclusive; None if the mask is empty."""
    columns = np.flatnonzero(mask.any(axis=0))
    if columns.size == 0:
        return None
    rows = np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_xywh(box: Box) -> list[int]:
    """(x0, y0, x1, y1) as COCO's [x, y, width, height]."""
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def label_regions(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The separate regions of a mask, bool (H W): labels int32 (H W), areas (r) and boxes (r 4), in pixels.

    Label 0 is outside the mask, label 1 the largest region; regions of one size come in reading order of their first
    pixels. Pixels are joined across edges, not corners (4-connected), so each region has one outer outline in
    ``outlines``. Runs of pixels are joined, not pixels: the cost is that of a few passes over the mask.
    """
    height, width = mask.shape
    wide = width + 1  # a column of False behind each row: no run goes on in the next row
    padded = np.zeros((height, wide), np.int8)
    padded[:, :width] = mask
    steps = np.diff(padded.reshape(-1), prepend=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    # The runs of the row above that share an edge with a run follow each other, from first to last.
    first, last = np.searchsorted(ends, starts - wide, "right"), np.searchsorted(starts, ends - wide, "left")
    touching = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(starts)), touching)
    above = np.arange(len(below)) + np.repeat(first - np.cumsum(touching) + touching, touching)
    lowest, region = np.unique(_lowest_joined(len(starts), above, below), return_inverse=True)
    areas = np.zeros(len(lowest), np.int64)
    np.add.at(areas, region, ends - starts)
    order = np.argsort(-areas, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    labels = np.zeros(mask.shape, np.int32)
    labels[padded[:, :width] > 0] = np.repeat(place[region].astype(np.int32) + 1, ends - starts)
    boxes = np.tile(np.array([width, height, 0, 0]), (len(lowest), 1))
    rows, left = np.divmod(starts, wide)
    np.minimum.at(boxes[:, 0], place[region], left)
    np.minimum.at(boxes[:, 1], place[region], rows)
    np.maximum.at(boxes[:, 2], place[region], left + ends - starts)
    np.maximum.at(boxes[:, 3], place[region], rows + 1)
    return labels, areas[order], boxes


def polygons_of(mask: np.ndarray, *, min_area: float = 0.0) -> list[list[float]]:
    """The outlines of a mask, bool (H W), as COCO polygons ``[x0, y0, x1, y1, ...]`` in pixel corners.

    Outlines run along the edges between pixels; only corners are kept. To fill the outer outlines and cut out the
    holes' gives back the mask exactly. COCO's polygons have no holes, so only outer outlines are returned (``outlines``
    gives all), the largest first, without those below ``min_area``.
    """
    outer = [outline for outline in outlines(mask) if signed_area(outline) > min_area]
    outer.sort(key=signed_area, reverse=True)
    return [[float(value) for point in outline for value in point] for outline in outer]


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed outlines between the mask's pixels and all others, each an int array (corners 2) of (x, y).

    Every edge is walked with the mask on its right (y grows downwards), so an outer outline has a positive
    ``signed_area`` and a hole a negative one. Pixels that touch only at a corner belong to different outlines.
    """
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), bool)
    padded[1:-1, 1:-1] = mask
    across = padded[1:, 1:-1].astype(np.int8) - padded[:-1, 1:-1]  # (H+1 W): +1 = mask begins below the edge
    along = padded[1:-1, 1:].astype(np.int8) - padded[1:-1, :-1]  # (H W+1): +1 = mask begins right of the edge
    # From each corner point, the unit steps that leave it: at most two, where two pixels touch at that corner.
    leaving: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for edges, sign, start, step in (
        (across, 1, (0, 0), (1, 0)),  # the mask is below: go right
        (across, -1, (1, 0), (-1, 0)),  # the mask is above: go left
        (along, 1, (0, 1), (0, -1)),  # the mask is on the right: go up
        (along, -1, (0, 0), (0, 1)),  # the mask is on the left: go down
    ):
        for y, x in np.argwhere(edges == sign).tolist():
            leaving.setdefault((x + start[0], y + start[1]), []).append(step)
    found = []
    while leaving:
        found.append(_walk(leaving))
    return found


def signed_area(outline: np.ndarray) -> float:
    """The area that an outline (corners 2) encloses, in pixels; negative for a hole."""
    x, y = outline[:, 0].astype(np.int64), outline[:, 1].astype(np.int64)
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _lowest_joined(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The lowest member of each member's group, int (count), where ``one[i]`` and ``other[i]`` are in the same group."""
    root = np.arange(count)
    while (apart := root[one] != root[other]).any():
        one, other = root[one[apart]], root[other[apart]]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root != (further := root[root])).any():
            root = further
    return root


def _walk(leaving: dict[tuple[int, int], list[tuple[int, int]]]) -> np.ndarray:
    """One closed outline; its edges are removed from ``leaving``."""
    start = point = next(iter(leaving))
    step = leaving[point][0]
    corners: list[tuple[int, int]] = []
    previous: tuple[int, int] | None = None
    first_step = step
    while True:
        steps = leaving[point]
        if len(steps) == 2 and previous is not None:
            # Two pixels touch here: turn towards the mask (right), so that each keeps its own outline.
            step = (-previous[1], previous[0])
        else:
            step = steps[0]
        steps.remove(step)
        if not steps:
            del leaving[point]
        if step != previous:
            corners.append(point)
        point = (point[0] + step[0], point[1] + step[1])
        previous = step
        if point == start and _closes(leaving, point, previous, first_step):
            break
    if len(corners) > 1 and previous == first_step:
        corners.pop(0)  # the start lay in the middle of a straight edge
    return np.asarray(corners, dtype=np.int64)


def _closes(
    leaving: dict[tuple[int, int], list[tuple[int, int]]],
    point: tuple[int, int],
    previous: tuple[int, int],
    first_step: tuple[int, int],
) -> bool:
    """Whether the walk is back at its first edge; at a corner shared by two pixels it may pass the start before."""
    return point not in leaving or (-previous[1], previous[0]) == first_step


def _run_lengths(mask: np.ndarray) -> list[int]:
    """Counts of False and True pixels in turn, column by column, the first count for False."""
    flat = np.asarray(mask, bool).T.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(bounds).tolist()
    return [0, *counts] if flat.size and flat[0] else counts


def _compress(counts: list[int]) -> str:
    """COCO's text form: each count minus the one two before it, in base 32, six bits a character from '0' on."""
    characters = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            characters.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(characters)


def _decompress(text: str) -> np.ndarray:
    """The counts of COCO's text form: ``_compress``'s inverse, without a loop, as training decodes many."""
    codes = np.frombuffer(text.encode("latin-1", "replace"), np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        return codes
    if codes.min() < 0 or codes.max() > 63:
        raise DataError(f"compressed run lengths hold a character that COCO's form never uses: {text[:40]!r}")
    ends = np.flatnonzero(codes & 0x20 == 0)  # the last character of each number
    if ends.size == 0 or ends[-1] != codes.size - 1:
        raise DataError("compressed run lengths end in the middle of a number; the annotation is truncated")
    starts = np.concatenate([[0], ends[:-1] + 1])
    digits = ends - starts + 1
    if digits.max() > 8:
        raise DataError("compressed run lengths hold a number of more than 40 bits; the annotation is damaged")
    places = np.arange(codes.size) - np.repeat(starts, digits)
    counts = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    counts -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * digits), 0)  # two's complement
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
