"""Place, order and size among rivals: which of several instances is "the left one", "the second", "the biggest"."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from restr.grammar.meaning.clothes import MAYBE, NO, YES
from restr.grammar.meaning.description import Description, Side, Size
from restr.grammar.meaning.facts import SceneFacts

_MARGIN = 0.07  # of the image's side: centres closer than this have no clear order
ROW_MARGIN = 0.045  # the same between neighbours of a row that one counts along
HALF = 0.45  # a lone object is "on the left" up to here ...
OTHER_HALF = 0.56  # ... and surely not from here on
LONGEST_ALONE = 0.6  # of the image: a lone object that reaches farther is on no side
DEPTH_RATIO = 1.5  # of areas, for front and back
DEPTH_STEP = 0.04  # of the image's height, between bottom edges
SIZE_RATIO = 1.5  # of areas, for "biggest" and "smallest"
LENGTH_RATIO = 1.25  # of heights or widths, for "tallest" and the like


def place_truths(description: Description, facts: SceneFacts, kept: list[int]) -> dict[int, int]:
    """YES, MAYBE or NO for each of the ``kept`` instances: whether side, order and size fit it among them."""
    truths = dict.fromkeys(kept, YES)

    def meet(other: dict[int, int]) -> None:
        for i in kept:
            truths[i] = min(truths[i], other[i])

    if description.side is not None:
        meet(side_truths(facts, kept, description.side, description.extreme))
    if description.ordinal is not None:
        meet(_ordinal_truths(facts, kept, *description.ordinal))
    known = any("size" in facts.attributes[i] for i in kept)  # drawn scenes: "big" is a fact, not a comparison
    if description.size is not None and (description.superlative or not known):
        meet(_size_truths(facts, kept, description.size, description.superlative))
    return truths


def side_truths(facts: SceneFacts, kept: list[int], side: Side, extreme: bool) -> dict[int, int]:
    """Who among ``kept`` is on that side."""
    if side in ("front", "back"):
        return _depth_truths(facts, kept, side)
    if side == "middle":
        return _middle_truths(facts, kept)
    if " " in side:
        return {i: _corner_truth(facts, i, side) for i in kept}
    axis = 0 if side in ("left", "right") else 1
    sign = 1.0 if side in ("left", "top") else -1.0
    place = {i: _along(facts, i, axis, sign) for i in kept}
    if len(kept) == 1:
        (i,) = kept
        if facts.size[i, axis] > LONGEST_ALONE:
            return {i: MAYBE}
        limit = 0.3 if extreme else HALF
        return {i: YES if place[i] < limit else MAYBE if place[i] < OTHER_HALF else NO}
    truths: dict[int, int] = {}
    for i in kept:
        rivals = [j for j in kept if j != i]
        if all(_before(facts, i, j, axis, sign) for j in rivals):
            far = place[i] > (0.4 if extreme else 0.62)
            truths[i] = MAYBE if far or (extreme and len(kept) < 2) else YES
        elif any(_before(facts, j, i, axis, sign) for j in rivals):
            truths[i] = NO
        else:
            truths[i] = MAYBE
    return truths


def _along(facts: SceneFacts, i: int, axis: int, sign: float) -> float:
    """How far from the side an instance's centre is, in [0, 1]."""
    place = float(facts.centre[i, axis])
    return place if sign > 0 else 1 - place


def _before(facts: SceneFacts, i: int, j: int, axis: int, sign: float, margin: float = _MARGIN) -> bool:
    """Whether i is clearly nearer to the side than j: centres apart, and both edges in the same order."""
    if sign * (facts.centre[j, axis] - facts.centre[i, axis]) < margin:
        return False
    edges = sign * (facts.box[j] - facts.box[i])
    return bool(edges[axis] > -0.02 and edges[axis + 2] > -0.02)


def _depth_truths(facts: SceneFacts, kept: list[int], side: str) -> dict[int, int]:
    def nearer(i: int, j: int) -> bool:
        lower = facts.box[i, 3] - facts.box[j, 3] >= DEPTH_STEP
        return bool(lower and facts.share[i] >= DEPTH_RATIO * facts.share[j])

    truths: dict[int, int] = {}
    for i in kept:
        rivals = [j for j in kept if j != i]
        first = [nearer(i, j) if side == "front" else nearer(j, i) for j in rivals]
        second = [nearer(j, i) if side == "front" else nearer(i, j) for j in rivals]
        truths[i] = NO if any(second) else YES if rivals and all(first) else MAYBE
    return truths


def _middle_truths(facts: SceneFacts, kept: list[int]) -> dict[int, int]:
    off = {i: abs(float(facts.centre[i, 0]) - 0.5) for i in kept}
    if len(kept) == 3:
        left, mid, right = sorted(kept, key=lambda i: facts.centre[i, 0])
        if _before(facts, left, mid, 0, 1.0) and _before(facts, mid, right, 0, 1.0):
            return {left: NO, mid: YES if off[mid] < 0.25 else MAYBE, right: NO}
        return dict.fromkeys(kept, MAYBE)
    high = {i: abs(float(facts.centre[i, 1]) - 0.5) for i in kept}
    return {i: YES if off[i] < 0.1 and high[i] < 0.3 else NO if off[i] > 0.25 else MAYBE for i in kept}


def _corner_truth(facts: SceneFacts, i: int, side: str) -> int:
    vertical, horizontal = side.split()
    x = _along(facts, i, 0, 1.0 if horizontal == "left" else -1.0)
    y = _along(facts, i, 1, 1.0 if vertical == "top" else -1.0)
    if max(x, y) < 0.42:
        return YES
    return NO if max(x, y) > OTHER_HALF else MAYBE


def _ordinal_truths(facts: SceneFacts, kept: list[int], number: int, side: Side) -> dict[int, int]:
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


def _size_truths(facts: SceneFacts, kept: list[int], size: Size, superlative: bool) -> dict[int, int]:
    if size in ("big", "small"):
        measure, ratio = facts.share, SIZE_RATIO if superlative else 2.0
    else:
        measure, ratio = facts.size[:, 0 if size in ("wide", "thin") else 1], LENGTH_RATIO
    sign = 1 if size in ("big", "tall", "wide") else -1
    value = {i: float(measure[i]) ** sign for i in kept}
    truths: dict[int, int] = {}
    for i in kept:
        rivals = [j for j in kept if j != i]
        if rivals and all(value[i] >= ratio * value[j] for j in rivals):
            truths[i] = YES
        else:
            truths[i] = NO if any(value[j] >= ratio * value[i] for j in rivals) else MAYBE
    return truths
