"""Sentences without a noun ("far left", "red shirt"): everything in sight can be meant."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

from restr.grammar.meaning.description import Description
from restr.grammar.meaning.facts import SceneFacts
from restr.grammar.meaning.places import place_truths
from restr.grammar.meaning.truth import YES
from restr.grammar.words.categories import PERSON_PARTS
from restr.grammar.words.lexicon import NOUNS
from restr.grammar.words.people import AGENT_NOUNS, PERSON_NOUNS

EMPTY_NOUNS = frozenset({"one", "ones", "someone", "thing", "things", "object", "it"})
OVERLOOKED = 0.3  # of the target's area: nobody takes a sentence without a noun for a smaller object


def names_the_kind(text: str, description: Description) -> bool:
    """Whether the text has a noun for the kind of thing that it means."""
    return not _noun_words(description.category).isdisjoint(re.findall(r"[\w-]+", text.lower()))


@functools.cache
def _noun_words(category: str) -> frozenset[str]:
    lists = list(NOUNS.get(category, ()))
    if category == "person":
        lists += [choices for pair in PERSON_NOUNS.values() for choices in pair]
        lists += [choices for agents in AGENT_NOUNS.values() for choices in agents.values()]
    words = {word for choices in lists for phrase in choices.phrases for word in phrase.lower().split()}
    return frozenset(words | {category}) - EMPTY_NOUNS


def clear_without_noun(description: Description, targets: tuple[int, ...], facts: SceneFacts) -> bool:
    """Whether the cues alone single out the target among all objects of any kind.

    "red skirt" must not mean the woman if the skirt has a mask of its own, and "far left" must not mean the left cup
    if a man stands farther left.
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
    least = facts.share[target] * OVERLOOKED
    in_sight = [target]
    for i in range(facts.count):
        if i == target or facts.stuff[i] or facts.categories[i] in PERSON_PARTS:
            continue
        if facts.share[i] >= (facts.share[target] if person and facts.categories[i] != "person" else least):
            in_sight.append(i)
    bare = replace(description, noun=None)
    return place_truths(bare, facts, in_sight)[target] == YES
