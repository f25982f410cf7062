"""The words of the grammar: the nouns of every category, the general terms, and the set of all words.

The other modules of this package hold the lists: ``things``, ``people``, ``sides``, ``adjectives`` and ``frames``.
"""

from __future__ import annotations

import functools
import re

from restr.grammar.words.adjectives import COLOUR_WORDS, HAIR_COLOUR_WORDS, SIZE_WORDS
from restr.grammar.words.choices import word_set
from restr.grammar.words.frames import FRAMES
from restr.grammar.words.nouns import NounPair
from restr.grammar.words.people import AGENT_NOUNS, ANY_PERSON_NOUNS, GARMENT_NOUNS, PERSON_NOUNS
from restr.grammar.words.sides import COUNTING_PHRASES, ORDINAL_WORDS, PICTURE_WORDS, SIDE_PHRASES
from restr.grammar.words.things import HYPERNYM_NOUNS, REGION_NOUNS, THING_NOUNS

NOUNS: dict[str, NounPair] = HYPERNYM_NOUNS | THING_NOUNS | REGION_NOUNS | GARMENT_NOUNS | ANY_PERSON_NOUNS
"""Category or hypernym -> its singular and plural nouns."""

HYPERNYMS: dict[str, frozenset[str]] = {
    name: frozenset(categories.split(", "))
    for name, categories in {
        "animal": "bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe",
        "vehicle": "bicycle, car, motorcycle, airplane, bus, train, truck, boat",
        "food": "banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, fruit, food",
        "fruit": "banana, apple, orange, fruit",
        "vegetable": "broccoli, carrot",
        "furniture": "chair, couch, bed, dining table, table, bench, cabinet, shelf",
        "device": "tv, laptop, mouse, remote, keyboard, cell phone",
        "appliance": "microwave, oven, toaster, refrigerator",
        "utensil": "fork, knife, spoon",
        "thing": ", ".join(THING_NOUNS),
    }.items()
}
"""General term ("animal") -> the categories that it covers."""

# Common words that a typing slip must not produce, besides ``all_words``.
_COMMON_WORDS = word_set("""
    with from next behind front above below under over holding riding wearing between this that these which where
    here there their lest loft light night right fight sight tight lift felt fright bright want find segment select
    show click standing sitting near beside form rode road woman women than then when what pain pans hats hate shore
    shot mane main many moan gut gun buy boys toy girt gird lade laid kind kin kip cart cast coat cot boat bat read
    rod reed bed blur glue clue grew great green greed wine whit write pick pink pint brow crow blow tip stop bot
    button bottle botton
""")


@functools.cache
def known_words() -> frozenset[str]:
    """``all_words`` and other common words: a typing slip must not turn one word into another of these."""
    return all_words() | _COMMON_WORDS


def all_words() -> frozenset[str]:
    """Every word that the lists can produce: the vocabulary that a model needs."""
    lists = [PICTURE_WORDS, COUNTING_PHRASES, *COLOUR_WORDS.values(), *HAIR_COLOUR_WORDS.values(), *FRAMES]
    lists += ORDINAL_WORDS.values()
    for pairs in (NOUNS, PERSON_NOUNS, SIZE_WORDS):
        lists += [choices for pair in pairs.values() for choices in pair]
    for table in (SIDE_PHRASES, AGENT_NOUNS):
        lists += [choices for forms in table.values() for choices in forms.values()]
    text = " ".join(phrase for choices in lists for phrase in choices.phrases)
    words = re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.sub(r"\{[^}]*\}", " ", text))
    return frozenset(word for word in words if len(word) > 1 and not word.isdigit()) | {"an", "and"}
