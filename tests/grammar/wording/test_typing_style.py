"""Typing noise varies, repeats for a seed, and keeps words recoverable."""

from __future__ import annotations

import numpy as np

from restr.grammar.wording.typing_style import add_typing_noise, misspell
from restr.grammar.words import lexicon
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import RESERVED, UNKNOWN, Vocabulary


def near(a: str, b: str) -> bool:
    """Whether one insertion, deletion, replacement or swap makes ``b`` of ``a``."""
    if abs(len(a) - len(b)) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    x, y = a[i:], b[i:]
    return x[1:] == y[1:] or x[1:] == y or x == y[1:] or (x[:2] == y[1::-1] and x[2:] == y[2:])


def test_slips_are_near_keep_the_first_letter_and_come_back() -> None:
    rng = np.random.default_rng(6)
    vocabulary = Vocabulary(sorted(lexicon.known_words()))
    words = [name for name in sorted(lexicon.known_words()) if len(name) >= 4]
    back = tried = 0
    for name in rng.choice(words, 300):
        slipped = misspell(str(name), rng)
        assert near(str(name), slipped)
        assert slipped[0] == name[0]
        if slipped != name:
            assert slipped not in vocabulary
            tried += 1
            row = vocabulary.row(slipped)
            back += row != UNKNOWN and vocabulary.words[row - RESERVED] == name
    assert tried > 200
    assert back / tried > 0.8


def test_rough_text_still_says_its_side() -> None:
    rng = np.random.default_rng(7)
    tokenizer = Tokenizer(Vocabulary(sorted(lexicon.known_words())))
    changed = 0
    for _ in range(400):
        text = add_typing_noise("the guy's dog on the left of the picture with people in back", rng)
        changed += text != "the guy's dog on the left of the picture with people in back"
        assert {"left", "guy"} & set(tokenizer.words(text))
        assert "right" not in tokenizer.words(text)
    assert 40 < changed < 330


def test_roughening_repeats_for_a_seed() -> None:
    texts = {add_typing_noise("the man on the left with a hat", np.random.default_rng(8)) for _ in range(3)}
    assert len(texts) == 1
