"""Whether a person wears or carries something: from clothing masks, else from the colours where clothes must be."""

from __future__ import annotations

from restr.grammar.meaning import colours
from restr.grammar.meaning.description import Garment
from restr.grammar.meaning.facts import BODY, LOWER, UPPER, WORN, SceneFacts, rivals

YES, MAYBE, NO = 1, 0, -1  # what can be said of a cue and an instance

SKINLIKE = frozenset({"brown", "tan", "orange"})  # bare skin and wood have these colours too
LEAST_HEIGHT = 0.14  # of the image: a smaller person's clothes are guesses
LEAST_SLIMNESS = 0.75  # height over width: a lying or cut person has no known upper body


def garment_truth(facts: SceneFacts, person: int, garment: Garment) -> int:
    """YES, MAYBE or NO: whether this person is told apart by ``garment``."""
    if facts.categories[person] != "person":
        return NO
    if facts.dressed(person):
        return _dressed(facts, person, garment)
    return _undressed(facts, person, garment)


def main_garment(facts: SceneFacts, person: int) -> int | None:
    """The garment that makes most of a person's upper clothes; None where no single one does."""
    upper = [i for i in facts.garments_of.get(person, ()) if facts.categories[i] in UPPER]
    if not upper:
        return None
    largest = max(upper, key=lambda i: facts.share[i])
    total = sum(facts.share[i] for i in upper)
    return largest if facts.share[largest] >= 0.6 * total else None


def upper_colour(facts: SceneFacts, person: int) -> str | None:
    """The one colour that this person is "in", or None."""
    if facts.dressed(person):
        main = main_garment(facts, person)
        return None if main is None else facts.coloured(main)
    return _band_colour(facts, person, "upper")


def lower_colour(facts: SceneFacts, person: int) -> str | None:
    """The colour of the trousers of a person without clothing masks, seen from head to foot, or None."""
    if facts.dressed(person) or facts.slimness(person) < 2.0 or facts.size[person, 1] < 0.3:
        return None
    colour = _band_colour(facts, person, "lower")
    return colour if colour in ("black", "white", "blue", "red", "green") else None


def _band_colour(facts: SceneFacts, person: int, part: str) -> str | None:
    if facts.size[person, 1] < LEAST_HEIGHT or facts.slimness(person) < LEAST_SLIMNESS:
        return None
    if not _head_in_sight(facts, person):
        return None
    colour = facts.named_colour(facts.shares(person, part))
    return None if colour in SKINLIKE else colour


def _head_in_sight(facts: SceneFacts, person: int) -> bool:
    """Not a hand or a sleeve that reaches in from the edge: there the bands of the body are elsewhere."""
    left, top, right, _ = facts.box[person]
    wide, tall = facts.size[person]
    if top < 0.01 and tall < 0.75:
        return False
    return not ((left < 0.01 or right > 0.99) and wide * facts.aspect < 0.25 * tall)


def _dressed(facts: SceneFacts, person: int, garment: Garment) -> int:
    worn = facts.garments_of[person]
    if garment.category is None:
        if garment.colour is None:
            return YES
        if upper_colour(facts, person) == garment.colour:
            return YES
        clothes = [i for i in worn if facts.categories[i] in WORN]
        return NO if all(facts.not_coloured(i, garment.colour) for i in clothes) else MAYBE
    exact = [i for i in worn if facts.categories[i] == garment.category]
    loose = [i for i in worn if facts.categories[i] in rivals(garment.category)]
    if garment.colour is None:
        return YES if exact else MAYBE if loose else NO
    if any(facts.coloured(i) == garment.colour for i in exact):
        return YES
    return NO if all(facts.not_coloured(i, garment.colour) for i in loose) else MAYBE


def _undressed(facts: SceneFacts, person: int, garment: Garment) -> int:
    if garment.colour is None or (garment.category is not None and garment.category in BODY):
        return MAYBE
    if garment.category in (None, "shirt") and upper_colour(facts, person) == garment.colour:
        return YES
    if garment.category == "pants" and lower_colour(facts, person) == garment.colour:
        return YES
    if garment.category is not None and garment.category not in UPPER | LOWER:
        return MAYBE
    return NO if colours.clearly_not(facts.shares(person, "clothes"), garment.colour) else MAYBE
