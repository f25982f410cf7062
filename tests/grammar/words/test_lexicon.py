"""The word lists agree with each other."""

from __future__ import annotations

from restr.grammar.words import lexicon


def test_hypernyms_hold_known_categories() -> None:
    for hypernym, members in lexicon.HYPERNYMS.items():
        assert hypernym in lexicon.NOUNS
        assert members <= set(lexicon.NOUNS)
