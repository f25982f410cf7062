"""Unambiguous descriptions of drawn scenes, for the plain grammar.

They are the ``Description`` of the grammar of photographs, but resolve more simply: a drawn shape's colour and size are
facts, not measurements.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from restr.grammar.meaning.description import Description, Proposal, Relation, RelationName, Side
from restr.grammar.scene import Scene

ANY = "thing"  # the noun for any shape: "the red one"
_MARGIN = 0.08  # of the image's side: centres closer than this along an axis are "level"
PLAIN_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
_RELATIONS: tuple[RelationName, ...] = ("left of", "right of", "above", "below")
_OPPOSITE_SIDES: dict[str, Side] = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_OPPOSITE_RELATIONS: dict[str, RelationName] = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
}
_GROUP_SIZES = (2, 3, 4)


def _box_centres(scene: Scene) -> np.ndarray:
    """The centre of each instance's bounding box in shares of the image, float (instances 2), x then y."""
    height, width = scene.image.shape[:2]
    centres = []
    for instance in scene.instances:
        rows, columns = np.nonzero(instance.mask.any(1))[0], np.nonzero(instance.mask.any(0))[0]
        centres.append(((columns[0] + columns[-1] + 1) / 2 / width, (rows[0] + rows[-1] + 1) / 2 / height))
    return np.array(centres)


def plain_targets(description: Description, scene: Scene) -> tuple[int, ...] | None:
    """The instances that the description names; None if it names none or leaves a doubt."""
    return _resolve(description, scene, _box_centres(scene))


def plain_proposals(scene: Scene) -> list[Proposal]:
    """Every unambiguous description of the scene in the plain grammar."""
    centres = _box_centres(scene)
    found = []
    for description, kind in _descriptions(scene):
        targets = _resolve(description, scene, centres)
        if targets is not None:
            found.append(Proposal(description, targets, kind))
    return found


def opposite(description: Description) -> Description | None:
    """The same meaning with "left" and "right", or "above" and "below", exchanged; None if it has neither."""
    if description.ordinal:
        place, side = description.ordinal
        return dataclasses.replace(description, ordinal=(place, _OPPOSITE_SIDES[side]))
    relation = description.relation
    if relation and relation.name in _OPPOSITE_RELATIONS:
        other = Relation(name=_OPPOSITE_RELATIONS[relation.name], others=relation.others)
        return dataclasses.replace(description, relation=other)
    if description.side:
        return dataclasses.replace(description, side=_OPPOSITE_SIDES[description.side])
    return None


def _descriptions(scene: Scene) -> Iterator[tuple[Description, str]]:
    """Descriptions of the scene with their kinds; not all of them single something out."""
    nouns = _adjectives_and_nouns(scene)
    fitting = {noun: len(_pool(noun, scene)) for noun in nouns}
    for noun, kind in nouns.items():
        if fitting[noun] == 1:
            yield noun, kind
            continue
        for side in PLAIN_SIDES:
            yield dataclasses.replace(noun, side=side), "position"
            for place in range(1, min(fitting[noun], 4)):
                yield dataclasses.replace(noun, ordinal=(place, side)), "ordinal"
        if fitting[noun] in _GROUP_SIZES:
            yield dataclasses.replace(noun, plural=fitting[noun]), "group"
    many = [noun for noun in nouns if fitting[noun] > 1 and noun.size is None and noun.category != ANY]
    anchors = [noun for noun in nouns if fitting[noun] == 1 and noun.size is None]
    for noun, anchor, name in itertools.product(many, anchors, _RELATIONS):
        yield dataclasses.replace(noun, relation=Relation(name=name, others=(anchor,))), "relation"


def _adjectives_and_nouns(scene: Scene) -> dict[Description, str]:
    """Each description by shape, colour and size, with its kind."""
    found: dict[Description, str] = {}
    for instance in scene.instances:
        shape, colour, size = instance.category, instance.attributes["colour"], instance.attributes["size"]
        found[Description(category=shape)] = "category"
        found[Description(category=shape, colour=colour)] = "colour"
        found[Description(category=ANY, colour=colour)] = "colour"
        found[Description(category=shape, size=size)] = "size"  # type: ignore[arg-type]
        found[Description(category=shape, colour=colour, size=size)] = "size"  # type: ignore[arg-type]
    return found


def _resolve(description: Description, scene: Scene, centres: np.ndarray) -> tuple[int, ...] | None:
    pool = _pool(description, scene)
    if description.relation:
        return _related(description.relation, pool, scene, centres)
    if description.ordinal:
        place, side = description.ordinal
        return _nth(pool, centres, place, side) if len(pool) > max(place, 2) else None
    if description.side:
        return _nth(pool, centres, 1, description.side) if len(pool) > 1 else None
    if description.plural:
        return tuple(pool) if len(pool) == description.plural else None
    return (pool[0],) if len(pool) == 1 else None


def _pool(description: Description, scene: Scene) -> list[int]:
    """The instances that the noun and its adjectives fit."""
    return [
        index
        for index, instance in enumerate(scene.instances)
        if description.category in (ANY, instance.category)
        and description.colour in (None, instance.attributes["colour"])
        and description.size in (None, instance.attributes["size"])
    ]


def _nth(pool: list[int], centres: np.ndarray, place: int, side: str) -> tuple[int, ...] | None:
    """The place-th instance from the side, if it is clearly apart from its neighbours in that order."""
    along = centres[:, 0 if side in ("left", "right") else 1] * (1 if side in ("left", "top") else -1)
    order = sorted(pool, key=lambda index: along[index])
    here = along[order[place - 1]]
    neighbours = order[max(place - 2, 0) : place + 1]
    clear = all(abs(along[other] - here) >= _MARGIN for other in neighbours if other != order[place - 1])
    return (order[place - 1],) if clear else None


def _related(relation: Relation, pool: list[int], scene: Scene, centres: np.ndarray) -> tuple[int, ...] | None:
    """The only one of several instances that may have the relation to the anchor, if it clearly has it."""
    anchor = _resolve(relation.others[0], scene, centres)
    if anchor is None or anchor[0] in pool or len(pool) < 2:
        return None
    axis = 0 if relation.name in ("left of", "right of") else 1
    sign = 1 if relation.name in ("right of", "below") else -1
    offsets = centres - centres[anchor[0]]
    along, across = offsets[:, axis] * sign, np.abs(offsets[:, 1 - axis])
    possible = [index for index in pool if along[index] > -_MARGIN]
    if len(possible) != 1:
        return None
    (index,) = possible
    return (index,) if along[index] >= _MARGIN and across[index] <= 1.5 * along[index] else None
