"""What becomes of a sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from test_measure import make_samples

from restr.evaluation.robustness.perturbations import PERTURBATIONS
from restr.evaluation.robustness.rewording import (
    FUNCTION_WORDS,
    drop_word,
    exchange_sides,
    mirror_sides,
    misspell_word,
    replace_words,
    shuffle_words,
)
from restr.evaluation.robustness.synonyms import synonyms
from restr.grammar.words.sides import SIDE_PHRASES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the dog on the left", "the dog on the right"),
        ("leftmost guy", "rightmost guy"),
        ("RIGHT-HAND cup, Left shelf", "LEFT-HAND cup, Right shelf"),
        ("second from right", "second from left"),
        ("far lft lady", "far rght lady"),
        ("leftover pizza in bright light", "leftover pizza in bright light"),
        ("the car to the right of the left bus", "the car to the left of the right bus"),
        ("man on the right behind a dog", "man on the left behind a dog"),
        ("upright piano", "upright piano"),
        ("the cup", "the cup"),
    ],
)
def test_words_are_mirror_sides(text: str, expected: str) -> None:
    assert mirror_sides(text) == expected
    assert mirror_sides(expected) == text
    assert exchange_sides(text) == (expected if expected != text else None)


@pytest.mark.parametrize("text", ["the lady right behind a dog", "cup right in front", "Right next to the car"])
def test_right_that_may_be_no_side_is_left_out(text: str) -> None:
    assert mirror_sides(text) is None and exchange_sides(text) is None
    sample = replace(make_samples(1)[0], text=text)
    assert PERTURBATIONS["mirror"]([sample], 0) == PERTURBATIONS["side-swap"]([sample], 0) == []


def test_every_side_of_the_grammar_is_mirrored_to_its_opposite() -> None:
    for side, opposite in (("left", "right"), ("top left", "top right"), ("bottom left", "bottom right")):
        for form, choices in SIDE_PHRASES[side].items():
            turned = {mirror_sides(phrase) for phrase in choices.phrases}
            assert turned == set(SIDE_PHRASES[opposite][form].phrases)


def test_shuffling_keeps_the_words_and_changes_their_order() -> None:
    text = "the small dog on the left"
    for seed in range(20):
        found = shuffle_words(text, np.random.default_rng(seed))
        assert found and found != text and sorted(found.split()) == sorted(text.split())
    assert shuffle_words("dog", np.random.default_rng(0)) is shuffle_words("dog Dog", np.random.default_rng(0)) is None


def test_a_content_word_is_dropped_and_never_the_only_one() -> None:
    text = "the small dog on the left"
    found = {drop_word(text, np.random.default_rng(seed)) for seed in range(30)}
    assert found == {"the dog on the left", "the small on the left", "the small dog on the"}
    assert {"the", "on"} <= FUNCTION_WORDS and drop_word("the one on a dog", np.random.default_rng(0)) is None


def test_synonyms_mean_the_same() -> None:
    same = {"sofa": "couch", "man": "guy", "woman": "lady", "middle": "center", "big": "large", "donut": "doughnut"}
    for word, other in same.items():
        assert other in synonyms(word).phrases
    others = {"man": ("woman", "person"), "girl": ("woman",), "bicycle": ("bike",), "jeans": ("pants",)}
    for word, different in others.items():
        assert not set(different) & set(synonyms(word).phrases)
    for word in ("top", "orange", "glass", "left", "bananas"):  # several meanings, a side, or no other word
        assert synonyms(word).phrases == ()
    assert replace_words("The SOFA in the middle.", np.random.default_rng(0)) == "The COUCH in the center."
    assert replace_words("left bear", np.random.default_rng(0)) is None


def test_one_content_word_is_misspelt() -> None:
    for seed in range(30):
        found = misspell_word("the zebra with a hat", np.random.default_rng(seed))
        assert found and re.fullmatch(r"the \w+ with a hat", found) and found != "the zebra with a hat"
    assert misspell_word("big cat", np.random.default_rng(0)) is None  # no word is long enough
