"""Relations worth saying of a target: which hold, and by what few words their landmarks can be named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from restr.grammar.meaning.clothes import YES, upper_colour
from restr.grammar.meaning.description import Description, Garment, Relation, RelationName
from restr.grammar.meaning.facts import GARMENTS, SceneFacts
from restr.grammar.meaning.relations import TABLES, relation_truth
from restr.grammar.meaning.resolve import candidates

LEAST_SHARE = 0.001  # of the image: smaller instances are rivals, never targets
# Nobody says "the green broccoli", and glass has the colour of what is behind it.
UNCOLOURED = frozenset({
    "person", "skin", "accessories", "wine glass", "mirror", "window", "banana", "broccoli", "carrot", "orange",
    "pizza", "sandwich", "hot dog", "food", "fruit", "tv", "glasses", "giraffe", "zebra", "elephant", "sheep",
    "light", "sky", "grass", "tree", "playingfield", "cake", "donut", "stop sign",
})  # fmt: skip
SPATIAL: tuple[RelationName, ...] = (
    "next to", "left of", "right of", "above", "below", "behind", "in front of", "on", "under", "holding",
    "held by", "riding", "ridden by", "with",
)  # fmt: skip
# These name their landmark by its kind alone, even where there are several of it: "the man holding an umbrella".
BY_KIND = frozenset({"holding", "held by", "riding", "ridden by", "with", "on"})


def nameable_colour(facts: SceneFacts, i: int) -> str | None:
    """The measured colour of an object that people would name by it, else None."""
    category = facts.categories[i]
    if category in UNCOLOURED or facts.stuff[i]:
        return None
    colour = facts.coloured(i)
    return None if category == "hair" and colour not in ("black", "brown", "tan", "yellow") else colour


def relations_of(facts: SceneFacts, i: int) -> Iterator[Relation]:
    """Relations from the target to landmarks that can be named in few words."""
    if facts.categories[i] in GARMENTS:
        return
    for j in range(facts.count):
        if j == i or facts.categories[j] in GARMENTS or facts.share[j] < LEAST_SHARE:
            continue
        if facts.stuff[j] and facts.categories[j] not in TABLES:  # nobody sits "to the right of the wall"
            continue
        names: list[RelationName] = [name for name in SPATIAL if relation_truth(facts, name, i, (j,)) == YES]
        if not names:
            continue
        landmarks = _landmarks(facts, j)
        for name in names:
            for landmark in landmarks:
                single = candidates(landmark, facts).single is not None
                by_kind = name in BY_KIND and landmark.side is None and landmark.colour is None
                if landmark.category == facts.categories[i] and not single:
                    continue
                if single or by_kind:
                    yield Relation(name=name, others=(landmark,))
    yield from _betweens(facts, i)


def _landmarks(facts: SceneFacts, j: int) -> list[Description]:
    """Short names of j; the first may fit others as well, the rest single it out."""
    plain = Description(category=facts.categories[j], noun=facts.noun_of(j))
    found = [plain]
    if candidates(plain, facts).single is None and not facts.stuff[j]:
        longer = [replace(plain, side=side) for side in ("left", "right", "middle")]
        if (colour := nameable_colour(facts, j)) is not None:
            longer.append(replace(plain, colour=colour))
        if facts.categories[j] == "person" and (worn := upper_colour(facts, j)) is not None:
            longer.append(replace(plain, garments=(Garment(colour=worn),)))
        found += [d for d in longer if candidates(d, facts).single == j]
    return found


def _betweens(facts: SceneFacts, i: int) -> Iterator[Relation]:
    plains = sorted({facts.categories[j] for j in range(facts.count) if facts.categories[j] not in GARMENTS})
    alone: list[Description] = []
    for category in plains:
        plain = Description(category=category)
        found = candidates(plain, facts)
        if found.certain != found.possible or i in found.certain:
            continue
        if len(found.certain) == 2:
            yield Relation(name="between", others=(plain, plain))
        elif len(found.certain) == 1:
            alone.append(plain)
    for first, second in pairwise(alone):
        yield Relation(name="between", others=(first, second))
