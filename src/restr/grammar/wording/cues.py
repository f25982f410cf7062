"""Single cues in words - a noun, a colour, clothes, a relation - and the speaker who picks them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np

from restr.grammar.meaning.description import Description, Garment, Relation, Side
from restr.grammar.words import frames, lexicon
from restr.grammar.words.lexicon import Choices, words_of
from restr.grammar.words.people import BAGS

OPENERS = Choices.of(frames.OPENERS)
_ASIDES = Choices.of(frames.ASIDES)
_TAILS = Choices.of(frames.TAILS)
NEGATIONS = Choices.of(frames.NEGATIONS)
_RELATIONS = {name: Choices.of(frames) for name, frames in frames.RELATIONS.items()}
_WEARING = Choices.of(frames.WEARING)
_ADORNED = Choices.of(frames.ADORNED)
_CARRYING = Choices.of(frames.CARRYING)
_HAVING = Choices.of(frames.HAVING)
_COLOURED_CLOTHES = Choices.of(frames.COLOURED_CLOTHES)
_STANDING = Choices.of(frames.LOOSE_SIDE_STANDING)
GARMENTS = lexicon.GARMENTS
BEING = Choices.of(frames.LOOSE_SIDE_BEING)
PART_FRAMES = {
    "worn": "of_{o}:6 on_{o}:8 {o}_is_wearing:4 worn_by_{o}:2 that_{o}_is_wearing:1.5 {o}_has_on:0.5",
    "body": "of_{o}:10 on_{o}:5",
    "carried": "of_{o}:3 {o}_is_holding:2 {o}_is_carrying:2 {o}_has:1.5 held_by_{o}:2 of_{o}:2 by_{o}:0.5 with_{o}:0.5",
}
_ADORNING = words_of("hat glasses sunglasses scarf belt tie necklace bracelet watch ring earrings gloves")
_FEMALE = words_of("woman lady girl female chick gal")
_MALE = words_of("man guy boy dude male gentleman fella")
# How often a noun inside a phrase gets "the", "a" or nothing.
_ARTICLES = {
    "terse": Choices.of("the:9 a:3 none:88"),
    "phrase": Choices.of("the:42 a:14 none:44"),
    "sentence": Choices.of("the:54 a:40 none:6"),
}
_CLOTHES_ARTICLES = {
    "terse": Choices.of("the:4 a:3 none:93"),
    "phrase": Choices.of("the:22 a:20 none:58"),
    "sentence": Choices.of("the:16 a:72 none:12"),
}


class Speaker:
    """Someone typing one reference: a source of random numbers and a style."""

    def __init__(self, rng: np.random.Generator, style: str) -> None:
        self.rng = rng
        self.style = style

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, choices: Choices) -> str:
        return choices.pick(self.rng)

    def pick_text(self, text: str) -> str:
        return _choices(text).pick(self.rng)

    def name(self, d: Description) -> str:
        """A noun for the description's category, singular or plural."""
        if d.noun is not None:
            pair = lexicon.KINDS.get(d.noun)
            if pair is None:
                return lexicon.plural_of(d.noun) if d.plural else d.noun
            if self.chance(0.35):
                return lexicon.plural_of(d.noun) if d.plural else d.noun
            return self.pick(pair[int(d.plural > 0)])
        pair = lexicon.NOUNS.get(d.category)
        if pair is None:
            return lexicon.plural_of(d.category) if d.plural else d.category
        return self.pick(pair[int(d.plural > 0)])

    def noun(self, d: Description) -> tuple[str, bool]:
        """A noun, and whether it already tells the relation ("skater" for a person riding a skateboard)."""
        relation = d.relation
        if relation is not None and d.category == "person" and not d.plural and len(relation.others) == 1:
            other = relation.others[0]
            doers = lexicon.DOERS.get(relation.name, {}).get(other.category)
            plain = other.side is None and other.colour is None and other.relation is None and other.ordinal is None
            if doers is not None and self.chance(0.35 if d.noun is None else 0.12):
                return self.pick(doers), plain and self.chance(0.6)
        noun = self.name(d)
        cued = d.side or d.colour or d.ordinal or d.garments or d.relation or d.size or d.part_of
        if noun in ("one", "someone") and not cued:  # "one" alone says nothing
            noun = "person" if d.category == "person" else "thing"
        return noun, False

    def colour(self, colour: str, category: str = "") -> str:
        words = lexicon.HAIR_COLOURS.get(colour) if category == "hair" else None
        words = words or lexicon.COLOURS.get(colour)
        name = colour if words is None else self.pick(words)
        return f"{name} colored" if self.chance(0.008) and category not in ("", "hair") else name

    def with_article(self, text: str, kind: str | None = "draw", *, clothes: bool = False) -> str:
        """``text`` after "the", "a" or nothing; "a" only where grammar lets a typist write it."""
        if kind == "draw":
            kind = self.pick((_CLOTHES_ARTICLES if clothes else _ARTICLES)[self.style])
        first = text.split(" ", 1)[0] if text else ""
        if kind in (None, "none") or not text or first in _DETERMINERS:
            return text
        if first in _LINKING:  # the noun was left out: "the one with a red top"
            text = f"one {text}"
        if kind == "a" and not _takes_a(text):
            kind = "the" if not clothes else "none"
        if kind == "none":
            return text
        return f"{'an' if kind == 'a' and first[0] in 'aeiou' else kind} {text}"


_DETERMINERS = words_of("the a an his her their both all two every group that this not")
_LINKING = words_of("in on at to with w/ from wearing holding carrying who that dressed has having toward towards near")
_PREPOSITIONS = re.compile(
    r" (?:on|in|at|to|of|with|w/|from|next|by|near|who|that|holding|wearing|behind|riding|under)\b"
)


@functools.lru_cache(maxsize=256)
def _choices(text: str) -> Choices:
    return Choices.of(text)


def _takes_a(text: str) -> bool:
    head = _PREPOSITIONS.split(text, maxsplit=1)[0]
    last = head.rpartition(" ")[2].strip(",")
    return last not in lexicon.MASS and last not in lexicon.PLURAL_FORMS


def is_phrase(text: str) -> bool:
    """Whether ``text`` begins like "on the left", not like "left"."""
    return text.split(" ", 1)[0] in _LINKING


def with_aside(speaker: Speaker, text: str) -> str:
    """Now and then a word that adds nothing: "just the left one", "left guy in pic"."""
    if speaker.chance(0.012):
        return f"{speaker.pick(_ASIDES)} {text}"
    if speaker.chance(0.012) and not mentions_picture(text):
        return f"{text} {speaker.pick(_TAILS)}"
    return text


def mentions_picture(text: str) -> bool:
    return any(f" {noun}" in text for noun in lexicon.PICTURE.phrases)


def fill_picture(speaker: Speaker, phrases: Choices) -> str:
    """A phrase of place; terse typists leave its article out."""
    phrase = speaker.pick(phrases)
    if speaker.style != "sentence" and speaker.chance(0.75 if speaker.style == "terse" else 0.2):
        phrase = phrase.replace("the ", "")
    if "{picture}" in phrase:
        phrase = phrase.replace("{picture}", speaker.pick(lexicon.PICTURE))
    return phrase


def being(speaker: Speaker, d: Description) -> str:
    """ "who is standing", "that is": what full sentences put before a place."""
    active = d.category == "person" and d.relation is None
    return speaker.pick(_STANDING if active else BEING)


def ordinal(speaker: Speaker, counted: tuple[int, Side]) -> tuple[str, str]:
    """ "second" and "from the left"."""
    number, side = counted
    words = lexicon.ORDINALS.get(number)
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    name = f"{number}{suffix}" if words is None else speaker.pick(words)
    if speaker.chance(0.02):
        name = f"number {number}"
    return name, fill_picture(speaker, lexicon.COUNTED_FROM).replace("{s}", side)


def _garment_words(speaker: Speaker, garment: Garment) -> str:
    noun = speaker.name(Description(category=garment.category or "clothing"))
    if garment.colour is None:
        return noun
    return f"{speaker.colour(garment.colour, garment.category or '')} {noun}"


def compact_clothes(speaker: Speaker, garment: Garment) -> str:
    """ "red shirt", "hat", "red": clothes in the place of an adjective or of the noun."""
    if garment.category is None:
        return speaker.colour(garment.colour or "dark")
    if garment.category == "hair" and garment.colour is not None:
        colour = speaker.colour(garment.colour, "hair")
        return speaker.pick_text("{c}_hair:6 {c}_haired:2 {c}:1").replace("{c}", colour)
    return _garment_words(speaker, garment)


def clothes(speaker: Speaker, garments: tuple[Garment, ...]) -> str:
    """ "in red", "wearing a red shirt and jeans", "with the hat"."""
    if all(garment.category is None for garment in garments):
        colour = " and ".join(speaker.colour(garment.colour or "dark") for garment in garments)
        return speaker.pick(_COLOURED_CLOTHES).replace("{c}", colour)
    worn = [
        speaker.with_article(_garment_words(speaker, garment), clothes=True)
        if garment.category is not None
        else speaker.colour(garment.colour or "dark")
        for garment in garments
    ]
    kinds = {garment.category for garment in garments}
    if kinds & BAGS:
        frames = _CARRYING
    elif "hair" in kinds:
        frames = _HAVING
    elif kinds & _ADORNING:
        frames = _ADORNED
    else:
        frames = _WEARING
    joint = " and " if speaker.style != "terse" or speaker.chance(0.5) else " "
    return speaker.pick(frames).replace("{g}", joint.join(worn))


def relation(speaker: Speaker, relation: Relation, name: Callable[[Description], str]) -> str:
    """ "next to the car"; ``name`` words the other object as a noun phrase."""
    frame = speaker.pick(_RELATIONS[relation.name])
    if len(relation.others) == 2:
        first, second = relation.others
        if first == second:
            nouns = Description(category=first.category, noun=first.noun, plural=2)
            two = speaker.pick_text("the_two:8 two:5 the:5 2:1.5 both:1 :3")
            return frame.replace("{o}", f"{two} {speaker.name(nouns)}")
        return frame.replace("{o}", f"{name(first)} and {name(second)}")
    other = relation.others[0]
    phrase = name(other)
    if "{o's}" in frame:
        simple = speaker.with_article(speaker.name(other)) if _bare(other) else None
        if simple is None:
            return f"held by {phrase}"
        mark = "'s" if speaker.chance(0.75) else "s"
        return frame.replace("{o's}", simple + mark)
    if relation.name == "holding" and other.category == "cell phone" and _bare(other) and speaker.chance(0.35):
        return speaker.pick_text("on_phone:5 on_the_phone:6 on_cell_phone:2 on_cell:1 using_phone:1")
    return frame.replace("{o}", phrase)


def _bare(d: Description) -> bool:
    return not (d.side or d.colour or d.garments or d.relation or d.ordinal or d.size)


def pronoun(speaker: Speaker, owner: Description) -> str:
    if owner.noun in _FEMALE:
        return "her"
    if owner.noun in _MALE:
        return "his"
    return speaker.pick_text("their:5 the_persons:2 the_person's:2 persons:2 person's:2")


def part_kind(category: str) -> str:
    if category in BAGS:
        return "carried"
    return "body" if category in ("hair", "skin") else "worn"
