"""Whether a person wears or carries something: from clothing masks, or else from the colours where clothes must be."""

from __future__ import annotations

from restr.grammar.meaning import colours
from restr.grammar.meaning.description import Garment
from restr.grammar.meaning.facts import SceneFacts
from restr.grammar.meaning.truth import MAYBE, NO, YES, Truth
from restr.grammar.words.categories import BODY_PARTS, CLOTHES, LOWER_CLOTHES, UPPER_CLOTHES, rivals

SKIN_COLOURS = frozenset({"brown", "tan", "orange"})  # of bare skin and of wood, so they say nothing about clothes
LEAST_HEIGHT = 0.14  # of the image: the clothes of a smaller person are guesses
LEAST_SLIMNESS = 0.75  # height over width: a lying person, or a part of one, has no known upper body


def garment_truth(facts: SceneFacts, person: int, garment: Garment) -> Truth:
    """Whether this person wears or carries ``garment``."""
    if facts.categories[person] != "person":
        return NO
    if facts.has_clothing_masks(person):
        return _from_masks(facts, person, garment)
    return _from_pixels(facts, person, garment)


def main_garment(facts: SceneFacts, person: int) -> int | None:
    """The garment that covers most of a person's upper clothes; None if no single one does."""
    upper = [i for i in facts.garments_of.get(person, ()) if facts.categories[i] in UPPER_CLOTHES]
    if not upper:
        return None
    largest = max(upper, key=lambda i: facts.share[i])
    total = sum(facts.share[i] for i in upper)
    return largest if facts.share[largest] >= 0.6 * total else None


def upper_colour(facts: SceneFacts, person: int) -> str | None:
    """The one colour that this person is "in", or None."""
    if facts.has_clothing_masks(person):
        main = main_garment(facts, person)
        return None if main is None else facts.colour_of(main)
    return _band_colour(facts, person, "upper")


def lower_colour(facts: SceneFacts, person: int) -> str | None:
    """The colour of the trousers of a person without clothing masks who is seen from head to foot, or None."""
    if facts.has_clothing_masks(person) or facts.slimness(person) < 2.0 or facts.size[person, 1] < 0.3:
        return None
    colour = _band_colour(facts, person, "lower")
    return colour if colour in ("black", "white", "blue", "red", "green") else None


def _band_colour(facts: SceneFacts, person: int, part: str) -> str | None:
    if facts.size[person, 1] < LEAST_HEIGHT or facts.slimness(person) < LEAST_SLIMNESS:
        return None
    if not _head_in_sight(facts, person):
        return None
    colour = facts.trusted_colour(facts.colour_shares(person, part))
    return None if colour in SKIN_COLOURS else colour


def _head_in_sight(facts: SceneFacts, person: int) -> bool:
    """Whether the mask is more than a hand or a sleeve at the image's edge, where the clothes are not in their bands."""
    left, top, right, _ = facts.box[person]
    width, height = facts.size[person]
    if top < 0.01 and height < 0.75:
        return False
    return not ((left < 0.01 or right > 0.99) and width * facts.aspect < 0.25 * height)


def _from_masks(facts: SceneFacts, person: int, garment: Garment) -> Truth:
    worn = facts.garments_of[person]
    if garment.category is None:
        if garment.colour is None:
            return YES
        if upper_colour(facts, person) == garment.colour:
            return YES
        clothes = [i for i in worn if facts.categories[i] in CLOTHES]
        return NO if all(facts.lacks_colour(i, garment.colour) for i in clothes) else MAYBE
    exact = [i for i in worn if facts.categories[i] == garment.category]
    loose = [i for i in worn if facts.categories[i] in rivals(garment.category)]
    if garment.colour is None:
        return YES if exact else MAYBE if loose else NO
    if any(facts.colour_of(i) == garment.colour for i in exact):
        return YES
    return NO if all(facts.lacks_colour(i, garment.colour) for i in loose) else MAYBE


def _from_pixels(facts: SceneFacts, person: int, garment: Garment) -> Truth:
    if garment.colour is None or (garment.category is not None and garment.category in BODY_PARTS):
        return MAYBE
    if garment.category in (None, "shirt") and upper_colour(facts, person) == garment.colour:
        return YES
    if garment.category == "pants" and lower_colour(facts, person) == garment.colour:
        return YES
    if garment.category is not None and garment.category not in UPPER_CLOTHES | LOWER_CLOTHES:
        return MAYBE
    return NO if colours.rules_out(facts.colour_shares(person, "clothes"), garment.colour) else MAYBE
