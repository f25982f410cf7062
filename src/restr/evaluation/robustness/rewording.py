"""Sentences changed on purpose: words shuffled, dropped, replaced or misspelt, and sides exchanged.

Each function returns the changed sentence, or None if it can change nothing. Random choices come from the generator
that the caller passes in.
"""

from __future__ import annotations

import re

import numpy as np

from restr.evaluation.robustness.synonyms import WORD, find_phrases, synonyms
from restr.grammar.wording.typing_style import misspell
from restr.grammar.words.choices import word_set

# Words that a sentence can lose without naming less.
FUNCTION_WORDS = word_set("""
    a an the this that these those and or of on in at to with w from by for is are was be who which it its one ones
    has have there here his her their our your my me us just only please find show segment select mark pic picture
    photo image frame screen side
""")

# A word for a side and its counterpart in a mirror, both ways. Parts of hyphenated words are looked up separately.
MIRRORED = {
    "left": "right", "leftmost": "rightmost", "lefthand": "righthand", "leftside": "rightside", "leftest": "rightest",
    "upperleft": "upperright", "lowerleft": "lowerright", "topleft": "topright", "bottomleft": "bottomright",
    "lft": "rght", "lf": "rgt", "l": "r",
}  # fmt: skip
MIRRORED |= {right: left for left, right in MIRRORED.items()} | {"rt": "lft"}

# In "the lady right behind a dog" the word names no side; in "on the right behind a dog" it does.
_RIGHT_AS_ADVERB = re.compile(
    r"(?<!\bthe )(?<!\bon )(?<!\bto )(?<!\bat )(?<!\bfar )\bright "
    r"(?:behind|next|beside|above|below|under|underneath|over|by|there|here|in front|in the (?:middle|center))\b",
    re.IGNORECASE,
)


def shuffle_words(text: str, rng: np.random.Generator) -> str | None:
    """The same words in another order."""
    words = text.split()
    if len({word.lower() for word in words}) < 2:
        return None
    while True:
        order = [words[i] for i in rng.permutation(len(words))]
        if [word.lower() for word in order] != [word.lower() for word in words]:
            return " ".join(order)


def drop_word(text: str, rng: np.random.Generator) -> str | None:
    """The sentence without one of its content words; None if it has fewer than two."""
    content = [word for word in WORD.finditer(text) if word[0].lower() not in FUNCTION_WORDS]
    if len(content) < 2:
        return None
    dropped = content[int(rng.integers(len(content)))]
    return " ".join((text[: dropped.start()] + text[dropped.end() :]).split())


def misspell_word(text: str, rng: np.random.Generator) -> str | None:
    """The sentence with one typing slip (``typing_style.misspell``), in a content word if one is long enough."""
    words = list(WORD.finditer(text))
    order = [words[i] for i in rng.permutation(len(words))]
    for word in sorted(order, key=lambda word: word[0].lower() in FUNCTION_WORDS):
        misspelt = misspell(word[0].lower(), rng)
        if misspelt != word[0].lower():
            return text[: word.start()] + _in_case_of(word[0], misspelt) + text[word.end() :]
    return None


def replace_words(text: str, rng: np.random.Generator) -> str | None:
    """The sentence with a synonym for each word that has one in the grammar's lexicon."""
    parts: list[str] = []
    done = 0
    for start, end, phrase in find_phrases(text):
        choices = synonyms(phrase)
        if choices.phrases:
            parts += [text[done:start], _in_case_of(text[start:end], choices.pick(rng))]
            done = end
    return "".join([*parts, text[done:]]) if parts else None


def mirror_sides(text: str) -> str | None:
    """The sentence for the mirror image: words for left and right are exchanged.

    "leftmost", "left-hand" and "lft" are such words, "leftover" is not. A sentence that names no side stays as it is.
    None if "right" may not mean a side: "right behind the car".
    """
    if _RIGHT_AS_ADVERB.search(text):
        return None
    return WORD.sub(lambda word: _mirror_word(word[0]), text)


def exchange_sides(text: str) -> str | None:
    """``mirror_sides`` of a sentence that names a side; None for other sentences."""
    mirrored = mirror_sides(text)
    return None if mirrored == text else mirrored


def _mirror_word(word: str) -> str:
    parts = word.split("-")
    return "-".join(_in_case_of(part, MIRRORED.get(part.lower(), part)) for part in parts)


def _in_case_of(model: str, word: str) -> str:
    """``word`` in the case of ``model``: in capitals, with a first capital, or unchanged."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[:1].isupper() else word
