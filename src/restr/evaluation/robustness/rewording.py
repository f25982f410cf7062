"""Sentences changed on purpose: shuffled, shortened, with other words or a typing slip, or with the sides exchanged.

Each function gives the changed sentence, or None where it can change nothing. Random choices come from the generator
that the caller passes in.
"""

from __future__ import annotations

import re

import numpy as np

from restr.evaluation.robustness.synonyms import WORD, phrases, synonyms
from restr.grammar.wording.typing_style import slip
from restr.grammar.words.lexicon import words_of

# Words that a sentence can lose without naming less.
LITTLE = words_of(
    "a an the this that these those and or of on in at to with w from by for is are was be who which it its one ones "
    "has have there here his her their our your my me us just only please find show segment select mark pic picture "
    "photo image frame screen side"
)

# A word for a side and the one that stands there in a mirror, both ways; parts of hyphenated words are looked up alone.
MIRRORED = {
    "left": "right", "leftmost": "rightmost", "lefthand": "righthand", "leftside": "rightside", "leftest": "rightest",
    "upperleft": "upperright", "lowerleft": "lowerright", "topleft": "topright", "bottomleft": "bottomright",
    "lft": "rght", "lf": "rgt", "l": "r",
}  # fmt: skip
MIRRORED |= {right: left for left, right in MIRRORED.items()} | {"rt": "lft"}

# "The lady right behind a dog" is at no side; "on the right behind a dog" is.
_ADVERB = re.compile(
    r"(?<!\bthe )(?<!\bon )(?<!\bto )(?<!\bat )(?<!\bfar )\bright "
    r"(?:behind|next|beside|above|below|under|underneath|over|by|there|here|in front|in the (?:middle|center))\b",
    re.IGNORECASE,
)


def shuffled(text: str, rng: np.random.Generator) -> str | None:
    """The same words in another order."""
    words = text.split()
    if len({word.lower() for word in words}) < 2:
        return None
    while True:
        order = [words[i] for i in rng.permutation(len(words))]
        if [word.lower() for word in order] != [word.lower() for word in words]:
            return " ".join(order)


def shortened(text: str, rng: np.random.Generator) -> str | None:
    """The sentence without one of its telling words; None where it has only one."""
    telling = [word for word in WORD.finditer(text) if word[0].lower() not in LITTLE]
    if len(telling) < 2:
        return None
    lost = telling[int(rng.integers(len(telling)))]
    return " ".join((text[: lost.start()] + text[lost.end() :]).split())


def slipped(text: str, rng: np.random.Generator) -> str | None:
    """The sentence with one typing slip (``typing_style.slip``), in a telling word where one is long enough."""
    words = list(WORD.finditer(text))
    order = [words[i] for i in rng.permutation(len(words))]
    for word in sorted(order, key=lambda word: word[0].lower() in LITTLE):
        wrong = slip(word[0].lower(), rng)
        if wrong != word[0].lower():
            return text[: word.start()] + _cased(word[0], wrong) + text[word.end() :]
    return None


def reworded(text: str, rng: np.random.Generator) -> str | None:
    """The sentence with another word of the same meaning for each that the grammar's lexicon has one for."""
    parts: list[str] = []
    done = 0
    for start, end, phrase in phrases(text):
        choices = synonyms(phrase)
        if choices.phrases:
            parts += [text[done:start], _cased(text[start:end], choices.pick(rng))]
            done = end
    return "".join([*parts, text[done:]]) if parts else None


def mirrored(text: str) -> str | None:
    """What the sentence says of the mirror image: each word for left becomes the one for right, and the other way round.

    "leftmost", "left-hand" and "lft" are such words, "leftover" is not. The sentence itself where it names no side; None
    where "right" may be no side: "right behind the car".
    """
    if _ADVERB.search(text):
        return None
    return WORD.sub(lambda word: _turned(word[0]), text)


def sides_exchanged(text: str) -> str | None:
    """``mirrored`` of a sentence that names a side; None of others."""
    turned = mirrored(text)
    return None if turned == text else turned


def _turned(word: str) -> str:
    parts = word.split("-")
    return "-".join(_cased(part, MIRRORED.get(part.lower(), part)) for part in parts)


def _cased(like: str, word: str) -> str:
    """``word`` written as ``like`` is: in capitals, with a first capital, or as it comes."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[:1].isupper() else word
