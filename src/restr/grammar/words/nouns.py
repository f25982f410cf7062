"""Tables of nouns, the plurals of nouns, and which nouns take no "a"."""

from __future__ import annotations

import re

from restr.grammar.words.choices import Choices, weighted_phrases, word_set

NounPair = tuple[Choices, Choices]
"""The singular and the plural nouns for one thing."""

_IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "mouse": "mice",
    "knife": "knives", "shelf": "shelves", "sheep": "sheep", "luggage": "luggage", "baggage": "luggage",
    "broccoli": "broccoli", "cattle": "cattle", "scarf": "scarves", "furniture": "furniture", "food": "food",
    "fruit": "fruit", "silverware": "silverware", "cutlery": "cutlery", "stuff": "stuff", "clothing": "clothing",
    "hair": "hair", "skin": "skin", "dog": "dogs", "someone": "people", "electronics": "electronics",
    "loaf": "loaves", "leaf": "leaves", "wineglass": "wineglasses", "dress": "dresses",
}  # fmt: skip
_PLURAL_FORMS = word_set("""
    pants trousers slacks jeans denims shorts leggings stockings tights hose pantyhose nylons socks shoes heels pumps
    boots sandals sneakers trainers flats loafers wedges clogs glasses eyeglasses specs spectacles sunglasses shades
    gloves mittens earrings rings panties skis scissors shears flowers blossoms curtains drapes windows trees lights
    bricks stones tiles stairs steps tracks rails mountains hills rocks boulders papers cabinets cupboards shelves
    buildings blinds skies fruits pebbles women people clothes feet bananas carrots flops accessories
""")
_MASS_NOUNS = word_set("""
    hair skin denim jewelry footwear underwear lingerie swimwear luggage baggage wine fruit food stuff sand snow gravel
    water dirt soil earth mud grass lawn asphalt concrete hardwood wood glass sky cardboard paper bedding shelving
    flooring fencing netting cattle furniture silverware cutlery electronics clothing clothes broccoli ground
""")


def noun_table(text: str) -> dict[str, NounPair]:
    """Read lines such as ``knife: knife:20 | knives:20 knifes:0.3``; an indented line continues the line above.

    Without "|" the plurals follow the rules of spelling.
    """
    nouns: dict[str, NounPair] = {}
    for line in re.sub(r"\n +", " ", text).strip().split("\n"):
        category, _, words = line.partition(":")
        singular, _, plural = words.partition("|")
        one = list(weighted_phrases(singular))
        many = list(weighted_phrases(plural)) or [(plural_of(noun), weight) for noun, weight in one]
        nouns[category.replace("_", " ")] = (Choices(one), Choices(many))
    return nouns


def plural_of(noun: str) -> str:
    """The plural of a (compound) noun by the rules of spelling: "wine glass" -> "wine glasses"."""
    head, space, last = noun.rpartition(" ")
    if last in _PLURAL_FORMS:
        return noun
    if noun.startswith(("piece of", "pair of", "sheet of", "glass of")):
        first, _, rest = noun.partition(" ")
        return f"{plural_of(first)} {rest}"
    if last in _IRREGULAR_PLURALS:
        return head + space + _IRREGULAR_PLURALS[last]
    if last.endswith("man") and last != "human":
        return noun[:-2] + "en"
    if re.search(r"[^aeiou]y$", last):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|ch|sh)$", last) else "s")


def takes_a(noun: str) -> bool:
    """Whether "a" can stand before a noun of one word: not before plurals ("jeans") and mass nouns ("snow")."""
    return noun not in _MASS_NOUNS and noun not in _PLURAL_FORMS
