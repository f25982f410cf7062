"""Noise of typing: slips, missing apostrophes, capitals, shorthand; the meaning stays."""

from __future__ import annotations

import numpy as np

from restr.grammar.words.choices import Choices
from restr.grammar.words.lexicon import known_words
from restr.text.vocabulary import NEIGHBOUR_KEYS

# Chances, for each word ...
TYPO = 0.012
SHORT_FORM = 0.02
NO_APOSTROPHE = 0.35
# ... and for each sentence.
ALL_CAPS = 0.012
FIRST_CAPITAL = 0.05
FULL_STOP = 0.015

# Word -> its short forms, and the word itself for the cases in which it stays.
_SHORT_FORMS: dict[str, Choices] = {
    "left": Choices.of("lft:2 left:12 L:0.3"),
    "right": Choices.of("rt:4 right:12 rght:0.4"),
    "with": Choices.of("w/:6 with:3 w:1.5"),
    "picture": Choices.of("pic:1"),
    "people": Choices.of("ppl:2 people:3 peeps:0.5"),
    "bottom": Choices.of("btm:1 bottom:9 bot:0.3"),
    "background": Choices.of("bckgrnd:1 bg:0.5 background:6"),
    "second": Choices.of("2nd:1"),
    "third": Choices.of("3rd:1"),
    "and": Choices.of("&:2 n:0.5 and:6"),
    "building": Choices.of("bldg:1 building:3"),
    "black": Choices.of("blk:1 black:5"),
    "middle": Choices.of("mid:1 middle:4"),
    "two": Choices.of("2:1"),
    "three": Choices.of("3:1"),
    "you": Choices.of("u:1 you:2"),
    "t-shirt": Choices.of("tshirt:2 t_shirt:1 tee_shirt:1"),
    "in front": Choices.of("infront:1"),
}
_LEAST_LETTERS = 4  # of a word with a slip: nobody could tell what a shorter one was


def add_typing_noise(text: str, rng: np.random.Generator) -> str:
    """``text`` as typed in a hurry; the same generator state gives the same text.

    A word gets at most one slip: two neighbours swapped, or one letter dropped, doubled or typed with the key beside
    it. Its first letter stays, and the result is not another known word: "left" never becomes "lest" or "right".
    """
    words = text.split(" ")
    draws = rng.random((len(words), 3)).tolist()
    for i, word in enumerate(words):
        if draws[i][0] < TYPO:
            words[i] = misspell(word, rng)
        elif draws[i][1] < SHORT_FORM and word in _SHORT_FORMS:
            words[i] = _SHORT_FORMS[word].pick(rng)
        elif "'" in word and draws[i][2] < NO_APOSTROPHE:
            words[i] = word.replace("'", "")
    text = " ".join(words)
    capitals, end = rng.random(2)
    if capitals < ALL_CAPS:
        text = text.upper()
    elif capitals < ALL_CAPS + FIRST_CAPITAL:
        text = text[:1].upper() + text[1:]
    if end < FULL_STOP:
        text += "."
    return text


def misspell(word: str, rng: np.random.Generator) -> str:
    """``word`` with one typing slip; unchanged if it is too short or the slips make other known words."""
    if len(word) < _LEAST_LETTERS or not word.isalpha() or not word.isascii():
        return word
    for _ in range(4):
        misspelt = _with_slip(word, rng)
        if misspelt != word and misspelt not in known_words() and len(misspelt) >= _LEAST_LETTERS:
            return misspelt
    return word


def _with_slip(word: str, rng: np.random.Generator) -> str:
    kind = rng.random()
    i = int(rng.integers(1, len(word)))
    if kind < 0.35:  # swapped neighbours, but not the first letter
        i = max(i, 2)
        return word[: i - 1] + word[i] + word[i - 1] + word[i + 1 :] if i < len(word) else word
    if kind < 0.62:
        return word[:i] + word[i + 1 :]
    if kind < 0.82:
        return word[:i] + word[i] + word[i:]
    keys = sorted(NEIGHBOUR_KEYS.get(word[i].lower(), ()))
    return word[:i] + keys[int(rng.integers(len(keys)))] + word[i + 1 :] if keys else word
