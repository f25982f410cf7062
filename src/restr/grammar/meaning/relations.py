"""Whether a spatial relation holds between instances, from boxes and from where their masks touch."""

from __future__ import annotations

import math
from collections.abc import Callable

from restr.grammar.meaning.description import RelationName
from restr.grammar.meaning.facts import SceneFacts
from restr.grammar.meaning.truth import MAYBE, NO, YES, Truth
from restr.grammar.words.categories import (
    BOARDS,
    COMPANIONS,
    FOUND_ON_SEATS,
    HANDHELD,
    RIDABLE,
    SEATS,
    STANDING,
    SURFACES,
    TABLEWARE,
)

NEAR = 0.05  # in heights of the image: things closer than this are next to each other ...
FAR = 0.18  # ... and things farther apart than this surely are not


def gap(facts: SceneFacts, i: int, j: int) -> float:
    """The distance between two boxes, in heights of the image; 0 if they overlap."""
    a, b = facts.box[i], facts.box[j]
    across = max(0.0, max(a[0], b[0]) - min(a[2], b[2])) * facts.aspect
    return math.hypot(across, max(0.0, max(a[1], b[1]) - min(a[3], b[3])))


def overlap(facts: SceneFacts, i: int, j: int, axis: int, *, of: int | None = None) -> float:
    """The extent that two boxes share along x (0) or y (1), over the extent of the smaller one or of instance ``of``."""
    a, b = facts.box[i], facts.box[j]
    shared = max(0.0, min(a[axis + 2], b[axis + 2]) - max(a[axis], b[axis]))
    extent = min(facts.size[i, axis], facts.size[j, axis]) if of is None else facts.size[of, axis]
    return float(shared / max(extent, 1e-6))


def _touch(facts: SceneFacts, i: int, j: int) -> float:
    """The share of instance j that lies within reach of instance i."""
    return float(facts.contact[i, j])


def _next_to(facts: SceneFacts, i: int, j: int) -> Truth:
    distance = gap(facts, i, j)
    if distance > FAR:
        return NO
    heights = facts.size[i, 1] / max(facts.size[j, 1], 1e-6)
    level = overlap(facts, i, j, 1) >= 0.5 and overlap(facts, i, j, 0) <= 0.35
    return YES if distance <= NEAR and level and 0.2 < heights < 5 else MAYBE


def _left_of(facts: SceneFacts, i: int, j: int) -> Truth:
    """Whether i is to the left of j."""
    a, b = facts.box[i], facts.box[j]
    if facts.centre[i, 0] > facts.centre[j, 0] - 0.02:
        return NO
    clear = a[2] <= b[0] + 0.25 * min(facts.size[i, 0], facts.size[j, 0]) and a[2] < facts.centre[j, 0]
    return YES if clear and overlap(facts, i, j, 1) >= 0.4 else MAYBE


def _above(facts: SceneFacts, i: int, j: int) -> Truth:
    a, b = facts.box[i], facts.box[j]
    if facts.centre[i, 1] > facts.centre[j, 1] - 0.02:
        return NO
    clear = a[3] <= b[1] + 0.2 * min(facts.size[i, 1], facts.size[j, 1]) and b[1] - a[3] < 0.3
    return YES if clear and overlap(facts, i, j, 0) >= 0.6 else MAYBE


def _behind(facts: SceneFacts, i: int, j: int) -> Truth:
    lower = facts.box[j, 3] - facts.box[i, 3]
    if lower < 0.02 or gap(facts, i, j) > FAR:
        return NO
    if not {facts.categories[i], facts.categories[j]} <= STANDING:
        return MAYBE
    touching = max(_touch(facts, i, j), _touch(facts, j, i)) > 0.03
    higher = facts.centre[i, 1] < facts.centre[j, 1] - 0.03
    return YES if lower > 0.06 and touching and higher and overlap(facts, i, j, 0) >= 0.4 else MAYBE


def _on(facts: SceneFacts, i: int, j: int) -> Truth:
    """Whether i rests on j."""
    if _touch(facts, j, i) == 0 and gap(facts, i, j) > 0.03:
        return NO
    if overlap(facts, i, j, 0, of=i) < 0.15:
        return NO
    a, b = facts.box[i], facts.box[j]
    what, support = facts.categories[i], facts.categories[j]
    within = overlap(facts, i, j, 0, of=i) >= 0.75 and b[1] - 0.01 <= a[3] <= b[3] - 0.1 * facts.size[j, 1]
    if not within or facts.share[i] > facts.share[j]:
        return MAYBE
    if support in SURFACES and what not in ("person", "chair", "couch", "bench", "bed"):
        return YES if _touch(facts, j, i) >= 0.15 and facts.size[i, 1] < 0.6 else MAYBE
    if support in SEATS and what in FOUND_ON_SEATS:
        return YES if _touch(facts, j, i) >= 0.3 and a[3] > b[1] + 0.2 * facts.size[j, 1] else MAYBE
    return MAYBE


def _holding(facts: SceneFacts, i: int, j: int) -> Truth:
    """Whether person i holds j."""
    if facts.categories[i] != "person":
        return NO
    if _touch(facts, i, j) == 0:
        return NO if gap(facts, i, j) > 0.03 else MAYBE
    if facts.categories[j] not in HANDHELD or facts.share[j] > facts.share[i]:
        return MAYBE
    if facts.categories[j] in TABLEWARE and _rests_on_furniture(facts, j):
        return MAYBE
    a, place = facts.box[i], facts.centre[j]
    wide, tall = facts.size[i]
    within = a[0] - 0.3 * wide <= place[0] <= a[2] + 0.3 * wide and a[1] - 0.3 * tall <= place[1] <= a[1] + 0.75 * tall
    return YES if within and _touch(facts, i, j) >= 0.1 else MAYBE


def _rests_on_furniture(facts: SceneFacts, j: int) -> bool:
    """Whether j touches a table or a seat: then nobody needs to hold it."""
    return any(
        facts.contact[k, j] > 0 for k in range(facts.count) if k != j and facts.categories[k] in SURFACES | SEATS
    )


def _riding(facts: SceneFacts, i: int, j: int) -> Truth:
    """Whether person i rides j."""
    if facts.categories[i] != "person" or (_touch(facts, i, j) == 0 and gap(facts, i, j) > 0.03):
        return NO
    if facts.categories[j] not in RIDABLE:
        return MAYBE
    a, b = facts.box[i], facts.box[j]
    above = facts.centre[i, 1] < facts.centre[j, 1] - 0.03 and overlap(facts, i, j, 0, of=i) >= 0.6
    if facts.categories[j] in BOARDS:
        seated = b[1] - 0.02 <= a[3] <= b[3] + 0.03 and facts.size[i, 0] < 3 * facts.size[j, 0]
    else:
        seated = b[1] + 0.25 * facts.size[j, 1] <= a[3] <= b[3] + 0.01 and _touch(facts, i, j) >= 0.2
    return YES if above and seated and _touch(facts, i, j) > 0.05 else MAYBE


def _with(facts: SceneFacts, i: int, j: int) -> Truth:
    if _touch(facts, i, j) == 0:
        return NO if gap(facts, i, j) > 0.06 else MAYBE
    if facts.categories[i] != "person" or facts.categories[j] not in COMPANIONS:
        return MAYBE
    return YES if _touch(facts, i, j) >= 0.1 and facts.share[j] < 1.5 * facts.share[i] else MAYBE


def _between(facts: SceneFacts, i: int, j: int, k: int) -> Truth:
    left, right = (j, k) if facts.centre[j, 0] < facts.centre[k, 0] else (k, j)
    x = facts.centre[i, 0]
    if x < facts.centre[left, 0] or x > facts.centre[right, 0]:
        return NO
    clear = (
        facts.box[i, 0] > facts.centre[left, 0]
        and facts.box[i, 2] < facts.centre[right, 0]
        and overlap(facts, i, left, 1) >= 0.4
        and overlap(facts, i, right, 1) >= 0.4
        and facts.box[right, 0] - facts.box[left, 2] < 0.5
    )
    return YES if clear else MAYBE


# Relation -> the test for it, and whether the test takes the two instances in exchanged order.
_TESTS: dict[str, tuple[Callable[[SceneFacts, int, int], Truth], bool]] = {
    "next to": (_next_to, False),
    "left of": (_left_of, False),
    "right of": (_left_of, True),
    "above": (_above, False),
    "below": (_above, True),
    "behind": (_behind, False),
    "in front of": (_behind, True),
    "on": (_on, False),
    "under": (_on, True),
    "holding": (_holding, False),
    "held by": (_holding, True),
    "riding": (_riding, False),
    "ridden by": (_riding, True),
    "with": (_with, False),
}


def relation_truth(facts: SceneFacts, name: RelationName, i: int, others: tuple[int, ...]) -> Truth:
    """Whether ``name`` holds from instance ``i`` to the others (two for "between", else one)."""
    if i in others:
        return NO
    if name == "between":
        return _between(facts, i, *others)
    (j,) = others
    if name not in _TESTS:
        return MAYBE
    test, swapped = _TESTS[name]
    return test(facts, j, i) if swapped else test(facts, i, j)
