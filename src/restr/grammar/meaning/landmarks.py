"""The relations of a target that can be said: they hold, and few words can name their landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from restr.grammar.meaning.clothes import upper_colour
from restr.grammar.meaning.description import Description, Garment, Relation, RelationName
from restr.grammar.meaning.facts import SceneFacts
from restr.grammar.meaning.relations import relation_truth
from restr.grammar.meaning.resolve import find_matches
from restr.grammar.meaning.truth import YES
from restr.grammar.words.categories import PERSON_PARTS, SURFACES, UNCOLOURED

LEAST_SHARE = 0.001  # of the image: smaller instances are rivals, never targets
_RELATIONS: tuple[RelationName, ...] = (
    "next to", "left of", "right of", "above", "below", "behind", "in front of", "on", "under", "holding",
    "held by", "riding", "ridden by", "with",
)  # fmt: skip
# For these, the landmark's kind is enough even if there are several: "the man holding an umbrella".
_LANDMARK_BY_KIND = frozenset({"holding", "held by", "riding", "ridden by", "with", "on"})


def nameable_colour(facts: SceneFacts, i: int) -> str | None:
    """The measured colour of an object, if people would name the object by it, else None."""
    category = facts.categories[i]
    if category in UNCOLOURED or facts.stuff[i]:
        return None
    colour = facts.colour_of(i)
    return None if category == "hair" and colour not in ("black", "brown", "tan", "yellow") else colour


def relations_of(facts: SceneFacts, i: int) -> Iterator[Relation]:
    """Relations from target i to landmarks that few words can name."""
    if facts.categories[i] in PERSON_PARTS:
        return
    for j in range(facts.count):
        if j == i or facts.categories[j] in PERSON_PARTS or facts.share[j] < LEAST_SHARE:
            continue
        if facts.stuff[j] and facts.categories[j] not in SURFACES:  # nobody sits "to the right of the wall"
            continue
        names: list[RelationName] = [name for name in _RELATIONS if relation_truth(facts, name, i, (j,)) == YES]
        if not names:
            continue
        landmarks = _landmarks(facts, j)
        for name in names:
            for landmark in landmarks:
                single = find_matches(landmark, facts).single is not None
                by_kind = name in _LANDMARK_BY_KIND and landmark.side is None and landmark.colour is None
                if landmark.category == facts.categories[i] and not single:
                    continue
                if single or by_kind:
                    yield Relation(name=name, others=(landmark,))
    yield from _betweens(facts, i)


def _landmarks(facts: SceneFacts, j: int) -> list[Description]:
    """Short names of j; the first may fit others too, the rest single it out."""
    plain = Description(category=facts.categories[j], noun=facts.noun_of(j))
    found = [plain]
    if find_matches(plain, facts).single is None and not facts.stuff[j]:
        longer = [replace(plain, side=side) for side in ("left", "right", "middle")]
        if (colour := nameable_colour(facts, j)) is not None:
            longer.append(replace(plain, colour=colour))
        if facts.categories[j] == "person" and (worn := upper_colour(facts, j)) is not None:
            longer.append(replace(plain, garments=(Garment(colour=worn),)))
        found += [d for d in longer if find_matches(d, facts).single == j]
    return found


def _betweens(facts: SceneFacts, i: int) -> Iterator[Relation]:
    kinds = sorted({facts.categories[j] for j in range(facts.count) if facts.categories[j] not in PERSON_PARTS})
    alone: list[Description] = []
    for category in kinds:
        plain = Description(category=category)
        found = find_matches(plain, facts)
        if found.certain != found.possible or i in found.certain:
            continue
        if len(found.certain) == 2:
            yield Relation(name="between", others=(plain, plain))
        elif len(found.certain) == 1:
            alone.append(plain)
    for first, second in pairwise(alone):
        yield Relation(name="between", others=(first, second))
