"""Single cues in words (a noun, a colour, clothes, a relation), and the speaker who draws them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import numpy as np

from restr.grammar.meaning.description import Description, Garment, Relation, Side
from restr.grammar.words.adjectives import COLOUR_WORDS, HAIR_COLOUR_WORDS
from restr.grammar.words.categories import CARRYABLE, WORN_ACCESSORIES
from restr.grammar.words.choices import Choices, word_set
from restr.grammar.words.frames import (
    ACCESSORY_FRAMES,
    BEING_PHRASES,
    CARRYING_FRAMES,
    CLOTHES_COLOUR_FRAMES,
    HAIR_FRAMES,
    LEADING_FILLERS,
    RELATION_FRAMES,
    STANDING_PHRASES,
    TRAILING_FILLERS,
    WEARING_FRAMES,
)
from restr.grammar.words.lexicon import NOUNS
from restr.grammar.words.nouns import plural_of, takes_a
from restr.grammar.words.people import AGENT_NOUNS, PERSON_NOUNS
from restr.grammar.words.sides import COUNTING_PHRASES, ORDINAL_WORDS, PICTURE_WORDS

Article = Literal["the", "a", "none", "draw"]

_WOMEN = word_set("woman lady girl female chick gal")
_MEN = word_set("man guy boy dude male gentleman fella")
_ANYBODYS = Choices.of("their:5 the_persons:2 the_person's:2 persons:2 person's:2")
_HAIR_COLOUR_FRAMES = Choices.of("{c}_hair:6 {c}_haired:2 {c}:1")
_PHONE_PHRASES = Choices.of("on_phone:5 on_the_phone:6 on_cell_phone:2 on_cell:1 using_phone:1")
_PAIR_DETERMINERS = Choices.of("the_two:8 two:5 the:5 2:1.5 both:1 :3")
# How often a noun inside a phrase gets "the", "a" or nothing, for each style.
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
_DETERMINERS = word_set("the a an his her their both all two every group that this not")
# Words that begin a phrase behind a noun.
_LINKING_WORDS = word_set(
    "in on at to with w/ from wearing holding carrying who that dressed has having toward towards near"
)
_AFTER_THE_NOUN = re.compile(
    r" (?:on|in|at|to|of|with|w/|from|next|by|near|who|that|holding|wearing|behind|riding|under)\b"
)


class Speaker:
    """Someone who types one reference: a source of random numbers and a style."""

    def __init__(self, rng: np.random.Generator, style: str) -> None:
        self.rng = rng
        self.style = style

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def pick(self, choices: Choices) -> str:
        """One of the phrases, by weight."""
        return choices.pick(self.rng)

    def category_noun(self, d: Description) -> str:
        """A noun for the description's category, singular or plural."""
        if d.noun is not None:
            pair = PERSON_NOUNS.get(d.noun)
            if pair is None or self.chance(0.35):
                return plural_of(d.noun) if d.plural else d.noun
            return self.pick(pair[int(d.plural > 0)])
        pair = NOUNS.get(d.category)
        if pair is None:
            return plural_of(d.category) if d.plural else d.category
        return self.pick(pair[int(d.plural > 0)])

    def noun(self, d: Description) -> tuple[str, bool]:
        """A noun, and whether it already tells the relation ("skater" for a person riding a skateboard)."""
        relation = d.relation
        if relation is not None and d.category == "person" and not d.plural and len(relation.others) == 1:
            other = relation.others[0]
            agents = AGENT_NOUNS.get(relation.name, {}).get(other.category)
            plain = other.side is None and other.colour is None and other.relation is None and other.ordinal is None
            if agents is not None and self.chance(0.35 if d.noun is None else 0.12):
                return self.pick(agents), plain and self.chance(0.6)
        noun = self.category_noun(d)
        cued = d.side or d.colour or d.ordinal or d.garments or d.relation or d.size or d.part_of
        if noun in ("one", "someone") and not cued:  # "one" alone says nothing
            noun = "person" if d.category == "person" else "thing"
        return noun, False

    def colour(self, colour: str, category: str = "") -> str:
        """A word for the colour of a thing of this category."""
        words = HAIR_COLOUR_WORDS.get(colour) if category == "hair" else None
        words = words or COLOUR_WORDS.get(colour)
        name = colour if words is None else self.pick(words)
        return f"{name} colored" if self.chance(0.008) and category not in ("", "hair") else name

    def with_article(self, text: str, article: Article | str = "draw", *, clothes: bool = False) -> str:
        """``text`` after "the", "a" or nothing; "a" only if it can stand before the noun."""
        if article == "draw":
            article = self.pick((_CLOTHES_ARTICLES if clothes else _ARTICLES)[self.style])
        first = text.split(" ", 1)[0] if text else ""
        if article == "none" or not text or first in _DETERMINERS:
            return text
        if first in _LINKING_WORDS:  # the noun was dropped: "the one with a red top"
            text = f"one {text}"
        if article == "a" and not _noun_takes_a(text):
            article = "the" if not clothes else "none"
        if article == "none":
            return text
        return f"{'an' if article == 'a' and first[0] in 'aeiou' else article} {text}"


def _noun_takes_a(text: str) -> bool:
    head = _AFTER_THE_NOUN.split(text, maxsplit=1)[0]
    return takes_a(head.rpartition(" ")[2].strip(","))


def is_phrase(text: str) -> bool:
    """Whether ``text`` begins like "on the left", not like "left"."""
    return text.split(" ", 1)[0] in _LINKING_WORDS


def with_filler(speaker: Speaker, text: str) -> str:
    """Sometimes with words that add no meaning: "just the left one", "left guy in pic"."""
    if speaker.chance(0.012):
        return f"{speaker.pick(LEADING_FILLERS)} {text}"
    if speaker.chance(0.012) and not mentions_picture(text):
        return f"{text} {speaker.pick(TRAILING_FILLERS)}"
    return text


def mentions_picture(text: str) -> bool:
    """Whether the text has a word for the photograph."""
    return any(f" {noun}" in text for noun in PICTURE_WORDS.phrases)


def place_phrase(speaker: Speaker, phrases: Choices) -> str:
    """A phrase of place; terse speakers omit its article."""
    phrase = speaker.pick(phrases)
    if speaker.style != "sentence" and speaker.chance(0.75 if speaker.style == "terse" else 0.2):
        phrase = phrase.replace("the ", "")
    if "{picture}" in phrase:
        phrase = phrase.replace("{picture}", speaker.pick(PICTURE_WORDS))
    return phrase


def being(speaker: Speaker, d: Description) -> str:
    """ "who is standing", "that is": full sentences have it before a place."""
    active = d.category == "person" and d.relation is None
    return speaker.pick(STANDING_PHRASES if active else BEING_PHRASES)


def ordinal(speaker: Speaker, counted: tuple[int, Side]) -> tuple[str, str]:
    """ "second" and "from the left"."""
    number, side = counted
    words = ORDINAL_WORDS.get(number)
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    name = f"{number}{suffix}" if words is None else speaker.pick(words)
    if speaker.chance(0.02):
        name = f"number {number}"
    return name, place_phrase(speaker, COUNTING_PHRASES).replace("{s}", side)


def _garment_words(speaker: Speaker, garment: Garment) -> str:
    noun = speaker.category_noun(Description(category=garment.category or "clothing"))
    if garment.colour is None:
        return noun
    return f"{speaker.colour(garment.colour, garment.category or '')} {noun}"


def compact_clothes(speaker: Speaker, garment: Garment) -> str:
    """ "red shirt", "hat", "red": clothes in the place of an adjective or of the noun."""
    if garment.category is None:
        return speaker.colour(garment.colour or "dark")
    if garment.category == "hair" and garment.colour is not None:
        colour = speaker.colour(garment.colour, "hair")
        return speaker.pick(_HAIR_COLOUR_FRAMES).replace("{c}", colour)
    return _garment_words(speaker, garment)


def clothes(speaker: Speaker, garments: tuple[Garment, ...]) -> str:
    """ "in red", "wearing a red shirt and jeans", "with the hat"."""
    if all(garment.category is None for garment in garments):
        colour = " and ".join(speaker.colour(garment.colour or "dark") for garment in garments)
        return speaker.pick(CLOTHES_COLOUR_FRAMES).replace("{c}", colour)
    worn = [
        speaker.with_article(_garment_words(speaker, garment), clothes=True)
        if garment.category is not None
        else speaker.colour(garment.colour or "dark")
        for garment in garments
    ]
    categories = {garment.category for garment in garments}
    if categories & CARRYABLE:
        frames = CARRYING_FRAMES
    elif "hair" in categories:
        frames = HAIR_FRAMES
    elif categories & WORN_ACCESSORIES:
        frames = ACCESSORY_FRAMES
    else:
        frames = WEARING_FRAMES
    joint = " and " if speaker.style != "terse" or speaker.chance(0.5) else " "
    return speaker.pick(frames).replace("{g}", joint.join(worn))


def relation(speaker: Speaker, relation: Relation, landmark: Callable[[Description], str]) -> str:
    """ "next to the car"; ``landmark`` puts the other object into words."""
    frame = speaker.pick(RELATION_FRAMES[relation.name])
    if len(relation.others) == 2:
        first, second = relation.others
        if first == second:
            nouns = Description(category=first.category, noun=first.noun, plural=2)
            two = speaker.pick(_PAIR_DETERMINERS)
            return frame.replace("{o}", f"{two} {speaker.category_noun(nouns)}")
        return frame.replace("{o}", f"{landmark(first)} and {landmark(second)}")
    other = relation.others[0]
    phrase = landmark(other)
    if "{o's}" in frame:
        simple = speaker.with_article(speaker.category_noun(other)) if _is_bare(other) else None
        if simple is None:
            return f"held by {phrase}"
        mark = "'s" if speaker.chance(0.75) else "s"
        return frame.replace("{o's}", simple + mark)
    if relation.name == "holding" and other.category == "cell phone" and _is_bare(other) and speaker.chance(0.35):
        return speaker.pick(_PHONE_PHRASES)
    return frame.replace("{o}", phrase)


def _is_bare(d: Description) -> bool:
    return not (d.side or d.colour or d.garments or d.relation or d.ordinal or d.size)


def possessive(speaker: Speaker, owner: Description) -> str:
    """ "her", "his" or "their", by the owner's noun."""
    if owner.noun in _WOMEN:
        return "her"
    if owner.noun in _MEN:
        return "his"
    return speaker.pick(_ANYBODYS)
