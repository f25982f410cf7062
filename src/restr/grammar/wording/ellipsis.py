"""Sentences without a noun ("far left", "red shirt"): what they mean is decided by everything in sight."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

from restr.grammar.meaning.clothes import YES
from restr.grammar.meaning.description import Description
from restr.grammar.meaning.facts import GARMENTS, SceneFacts
from restr.grammar.meaning.places import place_truths
from restr.grammar.words.lexicon import DOERS, KINDS, NOUNS

EMPTY = frozenset({"one", "ones", "someone", "thing", "things", "object", "it"})
LESS_SEEN = 0.3  # of the target's area: what is smaller than this nobody takes a sentence without a noun for


def tells_its_noun(text: str, description: Description) -> bool:
    """Whether the wording names what kind of thing it means."""
    return not _noun_words(description.category).isdisjoint(re.findall(r"[\w-]+", text.lower()))


@functools.cache
def _noun_words(category: str) -> frozenset[str]:
    lists = list(NOUNS.get(category, ()))
    if category == "person":
        lists += [choices for pair in KINDS.values() for choices in pair]
        lists += [choices for doers in DOERS.values() for choices in doers.values()]
    words = {word for choices in lists for phrase in choices.phrases for word in phrase.lower().split()}
    return frozenset(words | {category} - EMPTY) - EMPTY


def fair_without_noun(description: Description, targets: tuple[int, ...], facts: SceneFacts) -> bool:
    """Whether the cues alone still single out the target among all that somebody could mean.

    "red skirt" must not mean the woman where the skirt has a mask of its own, and "far left" must not mean the
    left cup where a man stands farther left.
    """
    if len(targets) != 1:
        return False
    (target,) = targets
    if description.garments:
        return not facts.garments_of
    if description.side is None and description.ordinal is None and not description.superlative:
        return False
    if description.colour is not None or description.relation is not None or description.negated:
        return False
    person = facts.categories[target] == "person"
    least = facts.share[target] * LESS_SEEN
    in_sight = [target]
    for i in range(facts.count):
        if i == target or facts.stuff[i] or facts.categories[i] in GARMENTS:
            continue
        if facts.share[i] >= (facts.share[target] if person and facts.categories[i] != "person" else least):
            in_sight.append(i)
    bare = replace(description, noun=None)
    return place_truths(bare, facts, in_sight)[target] == YES
