"""Words by what they mean, read from the lists that the sentence grammar speaks from."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from restr.grammar.words import lexicon
from restr.grammar.words.lexicon import Choices

WORD = re.compile(r"[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*")
_LONGEST = 3  # words of a compound
AT_HOME = 0.2  # a word used more than this share as often as the first of a list is at home in it
KNOWN = 0.05  # what is rarer than this share of the first is a slip or slang
ANYTHING = frozenset({"thing", "object", "one"})
_PERSON = "person"


@functools.cache
def synonyms(phrase: str) -> Choices:
    """Phrases that say the same as ``phrase`` (lower case); often none.

    A phrase is at home in the lists that use it often: "bike" in bicycles' and motorcycles'. Another says the same if each
    of these lists knows it, it is at home nowhere else, and it is at home where ``phrase`` comes first, if anywhere. So
    "cycle" stands for "bike", but neither "bicycle", which no motorcycle is, nor "person" for "man", nor "woman" for "girl".
    """
    homes = _homes().get(phrase, frozenset())
    if not homes:
        return Choices(())
    lists = [_lists()[home] for home in sorted(homes)]
    first_in = {home for home in homes if _lists()[home][phrase] == max(_lists()[home].values())}
    found = []
    for other, weight in lists[0].items():
        others = _homes().get(other, frozenset())
        known = all(each.get(other, 0.0) >= KNOWN * max(each.values()) for each in lists)
        if other != phrase and known and others <= homes and (not others or first_in <= others):
            found.append((other, weight))
    return Choices(found)


def named(text: str) -> frozenset[str]:
    """The lexicon's categories that a sentence names; "person" for whoever is named, and for whatever people wear.

    A general word names all that it may mean: "furniture" chairs, beds and the rest, "thing" also ``ANYTHING``.
    """
    return frozenset(category for _, _, phrase in phrases(text) for category in _categories().get(phrase, ()))


def phrases(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, lower case) of a sentence's words, those of a compound of the lexicon ("traffic light") as one."""
    words = list(WORD.finditer(text))
    first = 0
    while first < len(words):
        for last in range(min(first + _LONGEST, len(words)) - 1, first - 1, -1):
            start, end = words[first].start(), words[last].end()
            phrase = text[start:end].lower()
            if last == first or phrase in _homes():
                yield start, end, phrase
                first = last + 1
                break


@functools.cache
def _lists() -> tuple[dict[str, float], ...]:
    """Weighted phrases for one thing each."""
    pairs = [pair for category, pair in lexicon.NOUNS.items() if category != _PERSON]  # who is called man is no woman
    pairs += [*lexicon.KINDS.values(), *lexicon.SIZES.values()]
    lists = [choices for pair in pairs for choices in pair]
    lists += [*lexicon.COLOURS.values(), lexicon.SIDES["middle"]["before"]]
    found = []
    for choices in lists:
        weights: dict[str, float] = {}
        for phrase, weight in zip(choices.phrases, choices.weights, strict=True):
            weights[phrase] = weights.get(phrase, 0.0) + weight  # "banana" and "bananas" have one plural
        found.append(weights)
    return tuple(found)


@functools.cache
def _homes() -> dict[str, frozenset[int]]:
    """The lists, by number, in which each phrase is at home; without the phrases that are so nowhere."""
    homes: dict[str, set[int]] = {}
    for number, weights in enumerate(_lists()):
        for phrase, weight in weights.items():
            if weight > AT_HOME * max(weights.values()):
                homes.setdefault(phrase, set()).add(number)
    return {phrase: frozenset(numbers) for phrase, numbers in homes.items()}


@functools.cache
def _categories() -> dict[str, frozenset[str]]:
    """What each noun of the lexicon may name."""
    found: dict[str, set[str]] = {}
    for category, pair in lexicon.NOUNS.items():
        worn = category == _PERSON or category in lexicon.GARMENTS
        means = {_PERSON} if worn else {category, *lexicon.HYPERNYMS.get(category, ())}
        for choices in pair:
            for phrase in choices.phrases:
                found.setdefault(phrase, set()).update(means)
    people = [choices for pair in lexicon.KINDS.values() for choices in pair]
    people += [choices for forms in lexicon.DOERS.values() for choices in forms.values()]
    for choices in people:
        for phrase in choices.phrases:
            found.setdefault(phrase, set()).add(_PERSON)
    return {phrase: frozenset(means) for phrase, means in found.items()}
