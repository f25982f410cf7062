"""Phrases with weights, and the short notation in which the word lists are written."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator

import numpy as np


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as one text."""
    return frozenset(text.split())


def weighted_phrases(text: str) -> Iterator[tuple[str, float]]:
    """Read "phrase:weight" items, separated by white space. "_" joins words; the default weight is 1."""
    for item in text.split():
        phrase, colon, weight = item.rpartition(":")
        yield (phrase if colon else item).replace("_", " "), float(weight) if colon else 1.0


class Choices:
    """Phrases drawn by weight: ``Choices.of("left:20 left_side:3")``."""

    __slots__ = ("_sums", "phrases", "weights")

    def __init__(self, pairs: Iterable[tuple[str, float]]) -> None:
        kept = [(phrase, weight) for phrase, weight in pairs if weight > 0]
        self.phrases = tuple(phrase for phrase, _ in kept)
        self.weights = tuple(weight for _, weight in kept)
        self._sums = tuple(itertools.accumulate(self.weights))

    @classmethod
    def of(cls, text: str) -> Choices:
        """The phrases of a text in the notation of ``weighted_phrases``."""
        return cls(weighted_phrases(text))

    def pick(self, rng: np.random.Generator) -> str:
        """One phrase, drawn with one random number."""
        return self.phrases[min(bisect.bisect(self._sums, rng.random() * self._sums[-1]), len(self.phrases) - 1)]
