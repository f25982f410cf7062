"""The plain grammar: unambiguous sentences about drawn scenes, in about 70 words.

It shares ``Description`` with the grammar of photographs, but resolves and words it more simply. A drawn shape's
colour and size are facts, not measurements, and a tiny model has no capacity for synonyms, typos and general terms.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from restr.grammar.drawn.shapes import SHAPE_COLOURS, SHAPES
from restr.grammar.meaning.description import Description, Proposal, Reference, Relation, RelationName, Side
from restr.grammar.scene import Scene

ANY = "thing"  # the noun for any shape: "the red one"
_MARGIN = 0.08  # of the image's side: centres closer than this along an axis are "level"
_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
_RELATIONS: tuple[RelationName, ...] = ("left of", "right of", "above", "below")
_OPPOSITE_SIDES: dict[str, Side] = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_OPPOSITE_RELATIONS: dict[str, RelationName] = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
}
_WEIGHTS = {
    "category": 1.0,
    "colour": 1.5,
    "size": 1.0,
    "position": 3.0,
    "relation": 10.0,
    "ordinal": 1.0,
    "group": 0.7,
}


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


def plain_references(scene: Scene, rng: np.random.Generator, count: int) -> list[Reference]:
    """``count`` sentences, a balanced mix of kinds; half of those with an opposite are followed by it.

    A model learns to read a word from two sentences that differ in that word and in the mask. A meaning repeats (in
    other words) only if the scene offers fewer; the list is empty if the scene offers nothing.
    """
    offers: dict[str, list[Proposal]] = {}
    for proposal in plain_proposals(scene):
        offers.setdefault(proposal.kind, []).append(proposal)
    by_meaning = {proposal.description: proposal for group in offers.values() for proposal in group}
    drawn: list[Proposal] = []
    while offers and len(drawn) < count:
        weights = np.array([_WEIGHTS[kind] for kind in offers])
        kind = list(offers)[rng.choice(len(offers), p=weights / weights.sum())]
        group = offers[kind]
        proposal = group.pop(int(rng.integers(len(group))))
        if not group:
            del offers[kind]
        drawn.append(proposal)
        other = opposite(proposal.description)
        if other in by_meaning and rng.random() < 0.5:
            drawn.append(by_meaning[other])
    while drawn and len(drawn) < count:
        drawn.append(drawn[int(rng.integers(len(drawn)))])
    return [
        Reference(
            text=_sentence(proposal.description, rng),
            description=proposal.description,
            targets=proposal.targets,
            kind=proposal.kind,
        )
        for proposal in drawn[:count]
    ]


# --- meaning -------------------------------------------------------------------------------------------------------


def _descriptions(scene: Scene) -> Iterator[tuple[Description, str]]:
    nouns = _adjectives_and_nouns(scene)
    fitting = {noun: len(_pool(noun, scene)) for noun in nouns}
    for noun, kind in nouns.items():
        if fitting[noun] == 1:
            yield noun, kind
            continue
        for side in _SIDES:
            yield dataclasses.replace(noun, side=side), "position"
            for place in range(1, min(fitting[noun], 4)):
                yield dataclasses.replace(noun, ordinal=(place, side)), "ordinal"
        if fitting[noun] in _COUNT_WORDS:
            yield dataclasses.replace(noun, plural=fitting[noun]), "group"
    many = [noun for noun in nouns if fitting[noun] > 1 and noun.size is None and noun.category != ANY]
    anchors = [noun for noun in nouns if fitting[noun] == 1 and noun.size is None]
    for noun, anchor, name in itertools.product(many, anchors, _RELATIONS):
        yield dataclasses.replace(noun, relation=Relation(name=name, others=(anchor,))), "relation"


def _adjectives_and_nouns(scene: Scene) -> dict[Description, str]:
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


# --- words ---------------------------------------------------------------------------------------------------------

_SIDE_TEMPLATES = {
    "left": ("left {}", "the {} on the left", "leftmost {}", "{} to the left", "the left {}"),
    "right": ("right {}", "the {} on the right", "rightmost {}", "{} to the right", "the right {}"),
    "top": ("top {}", "the {} at the top", "upper {}", "highest {}", "the top {}"),
    "bottom": ("bottom {}", "the {} at the bottom", "lower {}", "lowest {}", "the bottom {}"),
}
_RELATION_TEMPLATES = {
    "left of": ("{} left of {}", "{} to the left of {}", "{} on the left of {}"),
    "right of": ("{} right of {}", "{} to the right of {}", "{} on the right of {}"),
    "above": ("{} above {}", "{} over {}", "{} higher than {}"),
    "below": ("{} below {}", "{} under {}", "{} lower than {}"),
}
_ORDINAL_TEMPLATES = (
    "{place} {noun} from the {side}",
    "the {place} {noun} from the {side}",
    "{place} from {side} {noun}",
)
_GROUP_TEMPLATES = ("all the {}", "both {}", "the {count} {}", "all {count} {}", "every {one}")
_OPPOSITE_WORDS = {
    "left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost", "top": "bottom",
    "bottom": "top", "upper": "lower", "higher": "lower", "highest": "lowest", "lowest": "highest",
    "above": "below", "below": "above", "over": "under", "under": "over",
}  # fmt: skip
_PLACE_WORDS = {1: ("first",), 2: ("second", "2nd"), 3: ("third", "3rd")}
_COUNT_WORDS = {2: "two", 3: "three", 4: "four"}
_SIZE_ADJECTIVES = {"big": ("big", "large", "bigger"), "small": ("small", "little", "tiny")}
_SHAPE_NOUNS = {
    "circle": ("circle", "disc", "circle"),
    "cross": ("cross", "plus", "cross"),
    ANY: ("one", "thing", "shape"),
}
_PLURALS = {"cross": "crosses", "plus": "pluses"}


def _sentence(description: Description, rng: np.random.Generator) -> str:
    """One of the ways to say the description, lower case, with or without articles."""
    noun = _noun_phrase(description, rng)
    if description.relation:
        thing = _article(rng) + noun
        other = _article(rng) + _noun_phrase(description.relation.others[0], rng)
        return str(rng.choice(_RELATION_TEMPLATES[description.relation.name])).format(thing, other)
    if description.ordinal:
        place, side = description.ordinal
        return str(rng.choice(_ORDINAL_TEMPLATES)).format(place=rng.choice(_PLACE_WORDS[place]), noun=noun, side=side)
    if description.side:
        return str(rng.choice(_SIDE_TEMPLATES[description.side])).format(noun)
    if description.plural:
        ways = [way for way in _GROUP_TEMPLATES if way != "both {}" or description.plural == 2]
        head, _, tail = noun.rpartition(" ")
        many = f"{head} {_PLURALS.get(tail, tail + 's')}".strip()
        return str(rng.choice(ways)).format(many, count=_COUNT_WORDS[description.plural], one=noun)
    return _article(rng) + noun


def swap_side_words(text: str) -> str:
    """The same sentence with its side word exchanged for the opposite one."""
    words = text.split()
    for index, here in enumerate(words):
        if here == "lower":  # two adjectives share this comparative
            words[index] = "higher" if words[index + 1 : index + 2] == ["than"] else "upper"
        else:
            words[index] = _OPPOSITE_WORDS.get(here, here)
    return " ".join(words)


def plain_words() -> tuple[str, ...]:
    """Every word of the plain grammar, sorted."""
    nouns = {noun for ways in _SHAPE_NOUNS.values() for noun in ways} | set(SHAPES)
    tables = (*_SIDE_TEMPLATES.values(), *_RELATION_TEMPLATES.values(), _ORDINAL_TEMPLATES, _GROUP_TEMPLATES)
    words = {part for table in tables for way in table for part in way.split() if not part.startswith("{")}
    words |= nouns | {_PLURALS.get(noun, noun + "s") for noun in nouns} | set(SHAPE_COLOURS) | set(_SIDES) | {"the"}
    for table in (_SIZE_ADJECTIVES, _PLACE_WORDS):
        words |= {word for ways in table.values() for word in ways}
    return tuple(sorted(words | set(_COUNT_WORDS.values())))


def _noun_phrase(description: Description, rng: np.random.Generator) -> str:
    noun = rng.choice(_SHAPE_NOUNS.get(description.category, (description.category,)))
    size = rng.choice(_SIZE_ADJECTIVES[description.size]) if description.size else ""
    return " ".join(part for part in (str(size), description.colour or "", str(noun)) if part)


def _article(rng: np.random.Generator) -> str:
    return "the " if rng.random() < 0.6 else ""
