"""Place, order and size among several instances: which one is "the left one", "the second", "the biggest"."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from restr.grammar.meaning.description import Description, Side, Size
from restr.grammar.meaning.facts import SceneFacts
from restr.grammar.meaning.truth import MAYBE, NO, YES, Truth

_MARGIN = 0.07  # of the image's side: centres closer than this have no clear order
ROW_MARGIN = 0.045  # the same for neighbours in a row, for counting
HALF = 0.45  # of the image: a lone object is "on the left" if its centre is nearer to the left edge than this ...
OTHER_HALF = 0.56  # ... and surely is not if its centre is farther from the edge than this
LONGEST_ALONE = 0.6  # of the image: a lone object longer than this is on no side
DEPTH_RATIO = 1.5  # of areas, for front and back
DEPTH_STEP = 0.04  # of the image's height, between bottom edges
SIZE_RATIO = 1.5  # of areas, for "biggest" and "smallest"
LENGTH_RATIO = 1.25  # of heights or widths, for "tallest" and the like


def place_truths(description: Description, facts: SceneFacts, kept: list[int]) -> dict[int, Truth]:
    """For each of the ``kept`` instances: whether the description's side, order and size fit it among them."""
    truths = dict.fromkeys(kept, YES)

    def combine(other: dict[int, Truth]) -> None:
        for i in kept:
            truths[i] = min(truths[i], other[i])

    if description.side is not None:
        combine(side_truths(facts, kept, description.side, description.extreme))
    if description.ordinal is not None:
        combine(_ordinal_truths(facts, kept, *description.ordinal))
    known = any("size" in facts.attributes[i] for i in kept)  # drawn scenes: "big" is a fact, not a comparison
    if description.size is not None and (description.superlative or not known):
        combine(_size_truths(facts, kept, description.size, description.superlative))
    return truths


def side_truths(facts: SceneFacts, kept: list[int], side: Side, extreme: bool) -> dict[int, Truth]:
    """For each of the ``kept`` instances: whether it is on that side among them."""
    if side in ("front", "back"):
        return _depth_truths(facts, kept, side)
    if side == "middle":
        return _middle_truths(facts, kept)
    if " " in side:
        return {i: _corner_truth(facts, i, side) for i in kept}
    axis = 0 if side in ("left", "right") else 1
    sign = 1.0 if side in ("left", "top") else -1.0
    distance = {i: _distance_from_side(facts, i, axis, sign) for i in kept}
    if len(kept) == 1:
        (i,) = kept
        if facts.size[i, axis] > LONGEST_ALONE:
            return {i: MAYBE}
        limit = 0.3 if extreme else HALF
        return {i: YES if distance[i] < limit else MAYBE if distance[i] < OTHER_HALF else NO}
    truths: dict[int, Truth] = {}
    for i in kept:
        others = [j for j in kept if j != i]
        if all(_before(facts, i, j, axis, sign) for j in others):
            truths[i] = MAYBE if distance[i] > (0.4 if extreme else 0.62) else YES
        elif any(_before(facts, j, i, axis, sign) for j in others):
            truths[i] = NO
        else:
            truths[i] = MAYBE
    return truths


def _distance_from_side(facts: SceneFacts, i: int, axis: int, sign: float) -> float:
    """The distance of an instance's centre from the side, in [0, 1]."""
    centre = float(facts.centre[i, axis])
    return centre if sign > 0 else 1 - centre


def _before(facts: SceneFacts, i: int, j: int, axis: int, sign: float, margin: float = _MARGIN) -> bool:
    """Whether i is clearly nearer to the side than j: centres apart, and both edges in the same order."""
    if sign * (facts.centre[j, axis] - facts.centre[i, axis]) < margin:
        return False
    edges = sign * (facts.box[j] - facts.box[i])
    return bool(edges[axis] > -0.02 and edges[axis + 2] > -0.02)


def _depth_truths(facts: SceneFacts, kept: list[int], side: str) -> dict[int, Truth]:
    def nearer(i: int, j: int) -> bool:
        lower = facts.box[i, 3] - facts.box[j, 3] >= DEPTH_STEP
        return bool(lower and facts.share[i] >= DEPTH_RATIO * facts.share[j])

    truths: dict[int, Truth] = {}
    for i in kept:
        others = [j for j in kept if j != i]
        first = [nearer(i, j) if side == "front" else nearer(j, i) for j in others]
        second = [nearer(j, i) if side == "front" else nearer(i, j) for j in others]
        truths[i] = NO if any(second) else YES if others and all(first) else MAYBE
    return truths


def _middle_truths(facts: SceneFacts, kept: list[int]) -> dict[int, Truth]:
    off = {i: abs(float(facts.centre[i, 0]) - 0.5) for i in kept}
    if len(kept) == 3:
        left, mid, right = sorted(kept, key=lambda i: facts.centre[i, 0])
        if _before(facts, left, mid, 0, 1.0) and _before(facts, mid, right, 0, 1.0):
            return {left: NO, mid: YES if off[mid] < 0.25 else MAYBE, right: NO}
        return dict.fromkeys(kept, MAYBE)
    high = {i: abs(float(facts.centre[i, 1]) - 0.5) for i in kept}
    return {i: YES if off[i] < 0.1 and high[i] < 0.3 else NO if off[i] > 0.25 else MAYBE for i in kept}


def _corner_truth(facts: SceneFacts, i: int, side: str) -> Truth:
    vertical, horizontal = side.split()
    x = _distance_from_side(facts, i, 0, 1.0 if horizontal == "left" else -1.0)
    y = _distance_from_side(facts, i, 1, 1.0 if vertical == "top" else -1.0)
    if max(x, y) < 0.42:
        return YES
    return NO if max(x, y) > OTHER_HALF else MAYBE


def _ordinal_truths(facts: SceneFacts, kept: list[int], number: int, side: Side) -> dict[int, Truth]:
    unclear = dict.fromkeys(kept, MAYBE)
    if len(kept) < 3 or number > len(kept) or side not in ("left", "right"):
        return unclear
    row = sorted(kept, key=lambda i: facts.centre[i, 0])
    middles = (facts.box[row, 1] + facts.box[row, 3]) / 2
    heights = facts.size[row, 1]
    if np.ptp(middles) > 0.3 or heights.max() > 3 * heights.min():
        return unclear
    if any(not _before(facts, i, j, 0, 1.0, ROW_MARGIN) for i, j in pairwise(row)):
        return unclear
    if side == "right":
        row.reverse()
    return {i: YES if i == row[number - 1] else NO for i in kept}


def _size_truths(facts: SceneFacts, kept: list[int], size: Size, superlative: bool) -> dict[int, Truth]:
    if size in ("big", "small"):
        measure, ratio = facts.share, SIZE_RATIO if superlative else 2.0
    else:
        measure, ratio = facts.size[:, 0 if size in ("wide", "thin") else 1], LENGTH_RATIO
    sign = 1 if size in ("big", "tall", "wide") else -1
    value = {i: float(measure[i]) ** sign for i in kept}
    truths: dict[int, Truth] = {}
    for i in kept:
        others = [j for j in kept if j != i]
        if others and all(value[i] >= ratio * value[j] for j in others):
            truths[i] = YES
        else:
            truths[i] = NO if any(value[j] >= ratio * value[i] for j in others) else MAYBE
    return truths
