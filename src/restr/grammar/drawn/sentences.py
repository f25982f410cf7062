"""The plain grammar: unambiguous sentences about drawn scenes, in about 70 words.

A tiny model has no capacity for the synonyms, typos and general terms of the grammar of photographs.
"""

from __future__ import annotations

import numpy as np

from restr.grammar.drawn.meanings import ANY, PLAIN_SIDES, opposite, plain_proposals
from restr.grammar.drawn.shapes import SHAPE_COLOURS, SHAPES
from restr.grammar.meaning.description import Description, Proposal, Reference
from restr.grammar.scene import Scene

_KIND_WEIGHTS = {
    "category": 1.0,
    "colour": 1.5,
    "size": 1.0,
    "position": 3.0,
    "relation": 10.0,
    "ordinal": 1.0,
    "group": 0.7,
}
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
        weights = np.array([_KIND_WEIGHTS[kind] for kind in offers])
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
    words |= (
        nouns | {_PLURALS.get(noun, noun + "s") for noun in nouns} | set(SHAPE_COLOURS) | set(PLAIN_SIDES) | {"the"}
    )
    for table in (_SIZE_ADJECTIVES, _PLACE_WORDS):
        words |= {word for ways in table.values() for word in ways}
    return tuple(sorted(words | set(_COUNT_WORDS.values())))


def _noun_phrase(description: Description, rng: np.random.Generator) -> str:
    noun = rng.choice(_SHAPE_NOUNS.get(description.category, (description.category,)))
    size = rng.choice(_SIZE_ADJECTIVES[description.size]) if description.size else ""
    return " ".join(part for part in (str(size), description.colour or "", str(noun)) if part)


def _article(rng: np.random.Generator) -> str:
    return "the " if rng.random() < 0.6 else ""
