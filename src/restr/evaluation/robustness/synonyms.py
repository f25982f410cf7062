"""Synonyms and the categories that words name, read from the word lists of the sentence grammar."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from restr.grammar.words.adjectives import COLOUR_WORDS, SIZE_WORDS
from restr.grammar.words.categories import WEARER_CUES
from restr.grammar.words.choices import Choices
from restr.grammar.words.lexicon import HYPERNYMS, NOUNS
from restr.grammar.words.people import AGENT_NOUNS, PERSON_NOUNS
from restr.grammar.words.sides import SIDE_PHRASES

WORD = re.compile(r"[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*")
_LONGEST = 3  # words of a compound
# Shares of the weight of a list's most frequent word: a word above the first is typical of the list, and a word below
# the second is a typing slip or slang.
TYPICAL = 0.2
KNOWN = 0.05
ANYTHING = frozenset({"thing", "object", "one"})
_PERSON = "person"


@functools.cache
def synonyms(phrase: str) -> Choices:
    """Phrases with the same meaning as ``phrase`` (lower case); often none.

    A phrase is typical of the lists that use it often: "bike" of bicycles and motorcycles. Another is its synonym if each
    of these lists knows it, it is typical of no other list, and it is typical of the lists that ``phrase`` leads, or of
    none at all. So "cycle" is a synonym of "bike". But "bicycle" is none, because no motorcycle is a bicycle, nor is
    "person" one of "man", nor "woman" one of "girl".
    """
    homes = _typical_lists().get(phrase, frozenset())
    if not homes:
        return Choices(())
    lists = [_lists()[home] for home in sorted(homes)]
    led = {home for home in homes if _lists()[home][phrase] == max(_lists()[home].values())}
    found = []
    for other, weight in lists[0].items():
        others = _typical_lists().get(other, frozenset())
        known = all(each.get(other, 0.0) >= KNOWN * max(each.values()) for each in lists)
        if other != phrase and known and others <= homes and (not others or led <= others):
            found.append((other, weight))
    return Choices(found)


def named_categories(text: str) -> frozenset[str]:
    """The lexicon's categories that a sentence names; "person" for all people, and for everything that people wear.

    A general word names all categories that it may mean: "furniture" chairs, beds and others, "thing" also ``ANYTHING``.
    """
    return frozenset(category for _, _, phrase in find_phrases(text) for category in _categories().get(phrase, ()))


def find_phrases(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, lower case) of each word of a sentence; a compound of the lexicon ("traffic light") is one word."""
    words = list(WORD.finditer(text))
    first = 0
    while first < len(words):
        for last in range(min(first + _LONGEST, len(words)) - 1, first - 1, -1):
            start, end = words[first].start(), words[last].end()
            phrase = text[start:end].lower()
            if last == first or phrase in _typical_lists():
                yield start, end, phrase
                first = last + 1
                break


@functools.cache
def _lists() -> tuple[dict[str, float], ...]:
    """The lists of the lexicon, phrase -> weight; the phrases of a list name the same thing."""
    pairs = [pair for category, pair in NOUNS.items() if category != _PERSON]  # a man is no woman
    pairs += [*PERSON_NOUNS.values(), *SIZE_WORDS.values()]
    lists = [choices for pair in pairs for choices in pair]
    lists += [*COLOUR_WORDS.values(), SIDE_PHRASES["middle"]["before"]]
    found = []
    for choices in lists:
        weights: dict[str, float] = {}
        for phrase, weight in zip(choices.phrases, choices.weights, strict=True):
            weights[phrase] = weights.get(phrase, 0.0) + weight  # "banana" and "bananas" have one plural
        found.append(weights)
    return tuple(found)


@functools.cache
def _typical_lists() -> dict[str, frozenset[int]]:
    """Phrase -> the numbers of the lists that it is typical of; without phrases that are typical of none."""
    homes: dict[str, set[int]] = {}
    for number, weights in enumerate(_lists()):
        for phrase, weight in weights.items():
            if weight > TYPICAL * max(weights.values()):
                homes.setdefault(phrase, set()).add(number)
    return {phrase: frozenset(numbers) for phrase, numbers in homes.items()}


@functools.cache
def _categories() -> dict[str, frozenset[str]]:
    """Noun -> the categories that it may name."""
    found: dict[str, set[str]] = {}
    for category, pair in NOUNS.items():
        worn = category == _PERSON or category in WEARER_CUES
        means = {_PERSON} if worn else {category, *HYPERNYMS.get(category, ())}
        for choices in pair:
            for phrase in choices.phrases:
                found.setdefault(phrase, set()).update(means)
    people = [choices for pair in PERSON_NOUNS.values() for choices in pair]
    people += [choices for forms in AGENT_NOUNS.values() for choices in forms.values()]
    for choices in people:
        for phrase in choices.phrases:
            found.setdefault(phrase, set()).add(_PERSON)
    return {phrase: frozenset(means) for phrase, means in found.items()}
