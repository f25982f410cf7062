"""What can be said about a drawn scene so that exactly one meaning fits, and the words for it.

The meanings are the photograph grammar's ``Description``; resolving and wording are smaller here. A drawn shape's
colour and size are facts, not measurements, and the tiny model that learns from these scenes has a closed
vocabulary of about 60 words, with no synonyms, typos or hypernyms to spend its capacity on.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from restr.grammar.drawn.shapes import COLOURS, SHAPES
from restr.grammar.meaning.description import Description, Reference, Relation, Side
from restr.grammar.scene import Scene

ANY = "thing"  # the noun for any shape: "the red one"
_MARGIN = 0.08  # of the image's side: centres closer than this along an axis are "level"
OPPOSITES: dict[str, str] = {
    "left": "right", "right": "left", "top": "bottom", "bottom": "top",
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
}  # fmt: skip
_SIDES: tuple[Side, ...] = ("left", "right", "top", "bottom")
_KINDS = {"category": 1.0, "colour": 1.5, "size": 1.0, "position": 3.0, "relation": 10.0, "ordinal": 1.0, "group": 0.7}


def centres_of(scene: Scene) -> np.ndarray:
    """Middle of each instance's bounding box as shares of the image, float (instances 2), x then y."""
    height, width = scene.image.shape[:2]
    centres = []
    for instance in scene.instances:
        rows, columns = np.nonzero(instance.mask.any(1))[0], np.nonzero(instance.mask.any(0))[0]
        centres.append(((columns[0] + columns[-1] + 1) / 2 / width, (rows[0] + rows[-1] + 1) / 2 / height))
    return np.array(centres)


def resolve(description: Description, scene: Scene) -> tuple[int, ...] | None:
    """The instances that the description names, or None when it names none or leaves a doubt."""
    return _resolve(description, scene, centres_of(scene))


def references_of(scene: Scene) -> list[tuple[Description, tuple[int, ...], str]]:
    """Every unambiguous description of the kinds known here, with its targets and its kind."""
    centres = centres_of(scene)
    found = []
    for description, kind in _proposals(scene):
        targets = _resolve(description, scene, centres)
        if targets is not None:
            found.append((description, targets, kind))
    return found


def opposite(description: Description) -> Description | None:
    """The same sentence with "left" and "right", or "above" and "below", exchanged; None where it has neither."""
    if description.ordinal:
        place, side = description.ordinal
        return dataclasses.replace(description, ordinal=(place, OPPOSITES[side]))  # type: ignore[arg-type]
    if description.relation and description.relation.name in OPPOSITES:
        turned = Relation(name=OPPOSITES[description.relation.name], others=description.relation.others)  # type: ignore[arg-type]
        return dataclasses.replace(description, relation=turned)
    if description.side:
        return dataclasses.replace(description, side=OPPOSITES[description.side])  # type: ignore[arg-type]
    return None


def choose(scene: Scene, rng: np.random.Generator, count: int) -> list[Reference]:
    """``count`` worded references, a balanced mix of kinds; half of those that have an opposite bring it along.

    Two sentences that differ in one word and in the mask are what makes a model read that word. Repeats a meaning
    (in other words) only when the scene offers fewer; empty when the scene offers nothing.
    """
    offers: dict[str, list[tuple[Description, tuple[int, ...], str]]] = {}
    for offer in references_of(scene):
        offers.setdefault(offer[2], []).append(offer)
    meanings = {repr(offer[0]): offer for group in offers.values() for offer in group}
    chosen: list[tuple[Description, tuple[int, ...], str]] = []
    while offers and len(chosen) < count:
        weights = np.array([_KINDS[kind] for kind in offers])
        kind = list(offers)[rng.choice(len(offers), p=weights / weights.sum())]
        group = offers[kind]
        offer = group.pop(int(rng.integers(len(group))))
        if not group:
            del offers[kind]
        chosen.append(offer)
        turned = opposite(offer[0])
        if turned is not None and repr(turned) in meanings and rng.random() < 0.5:
            chosen.append(meanings[repr(turned)])
    while chosen and len(chosen) < count:
        chosen.append(chosen[int(rng.integers(len(chosen)))])
    return [
        Reference(text=_word(description, rng), description=description, targets=targets, kind=kind)
        for description, targets, kind in chosen[:count]
    ]


# --- meaning -------------------------------------------------------------------------------------------------------


def _proposals(scene: Scene) -> Iterator[tuple[Description, str]]:
    nouns = _nouns(scene)
    fitting = {noun: len(_pool(noun, scene)) for noun in nouns}
    for noun, kind in nouns.items():
        if fitting[noun] == 1:
            yield noun, kind
            continue
        for side in _SIDES:
            yield dataclasses.replace(noun, side=side), "position"
            for place in range(1, min(fitting[noun], 4)):
                yield dataclasses.replace(noun, ordinal=(place, side)), "ordinal"
        if fitting[noun] in COUNTS:
            yield dataclasses.replace(noun, plural=fitting[noun]), "group"
    names: tuple = ("left of", "right of", "above", "below")
    many = [noun for noun in nouns if fitting[noun] > 1 and noun.size is None and noun.category != ANY]
    anchors = [noun for noun in nouns if fitting[noun] == 1 and noun.size is None]
    for noun, anchor, name in itertools.product(many, anchors, names):
        yield dataclasses.replace(noun, relation=Relation(name=name, others=(anchor,))), "relation"


def _nouns(scene: Scene) -> dict[Description, str]:
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
    """The place-th from the side, if its neighbours in that order are clearly apart from it."""
    along = centres[:, 0 if side in ("left", "right") else 1] * (1 if side in ("left", "top") else -1)
    order = sorted(pool, key=lambda index: along[index])
    here = along[order[place - 1]]
    neighbours = order[max(place - 2, 0) : place + 1]
    clear = all(abs(along[other] - here) >= _MARGIN for other in neighbours if other != order[place - 1])
    return (order[place - 1],) if clear else None


def _related(relation: Relation, pool: list[int], scene: Scene, centres: np.ndarray) -> tuple[int, ...] | None:
    """The one of the pool that clearly stands so to the anchor, if no other even half does; a contrast must exist."""
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

PLACED = {
    "left": ("left {}", "the {} on the left", "leftmost {}", "{} to the left", "the left {}"),
    "right": ("right {}", "the {} on the right", "rightmost {}", "{} to the right", "the right {}"),
    "top": ("top {}", "the {} at the top", "upper {}", "highest {}", "the top {}"),
    "bottom": ("bottom {}", "the {} at the bottom", "lower {}", "lowest {}", "the bottom {}"),
}
RELATED = {
    "left of": ("{} left of {}", "{} to the left of {}", "{} on the left of {}"),
    "right of": ("{} right of {}", "{} to the right of {}", "{} on the right of {}"),
    "above": ("{} above {}", "{} over {}", "{} higher than {}"),
    "below": ("{} below {}", "{} under {}", "{} lower than {}"),
}
TURNED = {
    "left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost", "top": "bottom",
    "bottom": "top", "upper": "lower", "higher": "lower", "highest": "lowest", "lowest": "highest",
    "above": "below", "below": "above", "over": "under", "under": "over",
}  # fmt: skip
COUNTED = ("{place} {noun} from the {side}", "the {place} {noun} from the {side}", "{place} from {side} {noun}")
GROUPED = ("all the {}", "both {}", "the {count} {}", "all {count} {}", "every {one}")
PLACES = {1: ("first",), 2: ("second", "2nd"), 3: ("third", "3rd")}
COUNTS = {2: "two", 3: "three", 4: "four"}
_SIZES = {"big": ("big", "large", "bigger"), "small": ("small", "little", "tiny")}
_NOUNS = {
    "circle": ("circle", "disc", "circle"),
    "cross": ("cross", "plus", "cross"),
    ANY: ("one", "thing", "shape"),
}
PLURALS = {"cross": "crosses", "plus": "pluses"}


def _word(description: Description, rng: np.random.Generator) -> str:
    """One of the ways to say the description, lower case, with or without articles."""
    noun = _noun_phrase(description, rng)
    if description.relation:
        thing = _article(rng) + noun
        other = _article(rng) + _noun_phrase(description.relation.others[0], rng)
        return str(rng.choice(RELATED[description.relation.name])).format(thing, other)
    if description.ordinal:
        place, side = description.ordinal
        return str(rng.choice(COUNTED)).format(place=rng.choice(PLACES[place]), noun=noun, side=side)
    if description.side:
        return str(rng.choice(PLACED[description.side])).format(noun)
    if description.plural:
        ways = [way for way in GROUPED if way != "both {}" or description.plural == 2]
        head, _, tail = noun.rpartition(" ")
        many = f"{head} {PLURALS.get(tail, tail + 's')}".strip()
        return str(rng.choice(ways)).format(many, count=COUNTS[description.plural], one=noun)
    return _article(rng) + noun


def turn(text: str) -> str:
    """The same sentence with its side word exchanged for the opposite one, and no other word touched."""
    words = text.split()
    for index, here in enumerate(words):
        if here == "lower":  # two adjectives share this comparative
            words[index] = "higher" if words[index + 1 : index + 2] == ["than"] else "upper"
        else:
            words[index] = TURNED.get(here, here)
    return " ".join(words)


def all_words() -> tuple[str, ...]:
    """Every word that ``word`` can use, sorted."""
    nouns = {noun for ways in _NOUNS.values() for noun in ways} | set(SHAPES)
    templates = [way for ways in (*PLACED.values(), *RELATED.values(), COUNTED, GROUPED) for way in ways]
    words = {part for template in templates for part in template.split() if not part.startswith("{")}
    words |= nouns | {PLURALS.get(noun, noun + "s") for noun in nouns} | set(COLOURS) | set(_SIDES) | {"the"}
    words |= {size for ways in _SIZES.values() for size in ways} | {place for ways in PLACES.values() for place in ways}
    return tuple(sorted(words | set(COUNTS.values())))


def _noun_phrase(description: Description, rng: np.random.Generator) -> str:
    noun = rng.choice(_NOUNS.get(description.category, (description.category,)))
    size = rng.choice(_SIZES[description.size]) if description.size else ""
    return " ".join(part for part in (str(size), description.colour or "", str(noun)) if part)


def _article(rng: np.random.Generator) -> str:
    return "the " if rng.random() < 0.6 else ""
