"""The words of the grammar, read from the lists beside this module: nouns, colours, sizes, sides.

Everything is a ``Choices``: phrases with weights, drawn with one random number. Interface for the meaning side:
``NOUNS`` (singular and plural words of every category and hypernym), ``HYPERNYMS`` (hypernym -> its categories),
``COLOURS``, ``SIDES`` and ``all_words`` (for the vocabulary).
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Iterable, Iterator

import numpy as np

from restr.grammar.words import frames, people, sides, things


def words_of(text: str) -> frozenset[str]:
    """The words of a list written as one text."""
    return frozenset(text.split())


_IRREGULAR = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet", "mouse": "mice",
    "knife": "knives", "shelf": "shelves", "sheep": "sheep", "luggage": "luggage", "baggage": "luggage",
    "broccoli": "broccoli", "cattle": "cattle", "scarf": "scarves", "furniture": "furniture", "food": "food",
    "fruit": "fruit", "silverware": "silverware", "cutlery": "cutlery", "stuff": "stuff", "clothing": "clothing",
    "hair": "hair", "skin": "skin", "dog": "dogs", "someone": "people", "electronics": "electronics",
    "loaf": "loaves", "leaf": "leaves", "wineglass": "wineglasses", "dress": "dresses",
}  # fmt: skip

# No "a" before these and no -s after them.
PLURAL_FORMS = words_of(
    "pants trousers slacks jeans denims shorts leggings stockings tights hose pantyhose nylons socks shoes heels "
    "pumps boots "
    "sandals sneakers trainers flats loafers wedges clogs glasses eyeglasses specs spectacles sunglasses shades gloves "
    "mittens earrings rings panties skis scissors shears flowers blossoms curtains drapes windows trees lights bricks "
    "stones "
    "tiles stairs steps tracks rails mountains hills rocks boulders papers cabinets cupboards shelves buildings blinds "
    "skies fruits pebbles women people clothes feet bananas carrots flops accessories"
)
MASS = words_of(
    "hair skin denim jewelry footwear underwear lingerie swimwear luggage baggage wine fruit food stuff sand snow "
    "gravel water "
    "dirt soil earth mud grass lawn asphalt concrete hardwood wood glass sky cardboard paper bedding shelving flooring "
    "fencing netting cattle furniture silverware cutlery electronics clothing clothes broccoli ground"
)


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
        return cls(_parse(text))

    def pick(self, rng: np.random.Generator) -> str:
        return self.phrases[min(bisect.bisect(self._sums, rng.random() * self._sums[-1]), len(self.phrases) - 1)]


def _parse(text: str) -> Iterator[tuple[str, float]]:
    for item in text.split():
        phrase, colon, weight = item.rpartition(":")
        yield (phrase if colon else item).replace("_", " "), float(weight) if colon else 1.0


def plural_of(noun: str) -> str:
    """The plural of a (compound) noun by the rules of spelling: "wine glass" -> "wine glasses"."""
    head, space, last = noun.rpartition(" ")
    if last in PLURAL_FORMS:
        return noun
    if noun.startswith(("piece of", "pair of", "sheet of", "glass of")):
        first, _, rest = noun.partition(" ")
        return f"{plural_of(first)} {rest}"
    if last in _IRREGULAR:
        return head + space + _IRREGULAR[last]
    if last.endswith("man") and last not in ("human",):
        return noun[:-2] + "en"
    if re.search(r"[^aeiou]y$", last):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|ch|sh)$", last) else "s")


def _read(*texts: str) -> dict[str, tuple[Choices, Choices]]:
    """Category -> its singular and plural nouns."""
    nouns: dict[str, tuple[Choices, Choices]] = {}
    for line in re.sub(r"\n +", " ", "\n".join(texts)).strip().split("\n"):
        if not line.strip():
            continue
        category, _, words = line.partition(":")
        singular, _, plural = words.partition("|")
        one = list(_parse(singular))
        many = list(_parse(plural)) or [(plural_of(noun), weight) for noun, weight in one]
        nouns[category.replace("_", " ")] = (Choices(one), Choices(many))
    return nouns


NOUNS: dict[str, tuple[Choices, Choices]] = _read(
    things.HYPERNYM_WORDS,
    things.THINGS,
    things.REGIONS,
    people.GARMENTS,
    people.PERSON,
)
GARMENTS = frozenset(_read(people.GARMENTS)) - people.BAGS
KINDS: dict[str, tuple[Choices, Choices]] = _read(people.KINDS)
DOERS: dict[str, dict[str, Choices]] = {
    relation: {category: one for category, (one, _) in _read(text).items()} for relation, text in people.DOERS.items()
}

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
        "thing": ", ".join(_read(things.THINGS)),
    }.items()
}  # fmt: skip

COLOURS: dict[str, Choices] = {
    name.replace("_", " "): Choices.of(words)
    for name, _, words in (line.partition(": ") for line in sides.COLOURS.strip().split("\n"))
}
HAIR_COLOURS = {
    "yellow": Choices.of("blonde:10 blond:7"), "tan": Choices.of("blonde:10 blond:7 light:2"),
    "brown": Choices.of("brown:12 dark:3 brunette:1"), "black": Choices.of("black:10 dark:8"),
    "orange": Choices.of("red:10 ginger:3 orange:2"), "red": Choices.of("red:12"),
    "gray": Choices.of("gray:10 grey:10 white:2"),
}  # fmt: skip

# Size -> plain adjective and superlative.
SIZES: dict[str, tuple[Choices, Choices]] = {
    name: (Choices.of(plain), Choices.of(most))
    for name, (plain, most) in {
        "big": ("big:14 large:8 bigger:6 larger:5 huge:1 giant:0.5",
                "biggest:14 largest:12 big:4 bigger:1.5 larger:1 large:1.5"),
        "small": ("small:14 little:7 smaller:7 tiny:3 littler:0.3",
                  "smallest:14 tiniest:1.5 littlest:1.5 small:4 little:3 smaller:1.5 tiny:1.5"),
        "tall": ("tall:14 taller:7", "tallest:16 tall:3 taller:2"),
        "short": ("short:12 shorter:8", "shortest:16 short:3 shorter:2"),
        "wide": ("wide:10 wider:5 broad:0.5", "widest:14 broadest:0.6 wide:2"),
        "thin": ("thin:10 thinner:4 narrow:3 skinny:2", "thinnest:10 narrowest:2 skinniest:1.5 thin:2"),
    }.items()
}  # fmt: skip

SIDES: dict[str, dict[str, Choices]] = {
    side: {form: Choices.of(phrases) for form, phrases in forms.items()} for side, forms in sides.SIDES.items()
}
PICTURE = Choices.of(sides.PICTURE)
ORDINALS: dict[int, Choices] = {k: Choices.of(words) for k, words in sides.ORDINALS.items()}
COUNTED_FROM = Choices.of(sides.COUNTED_FROM)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@functools.cache
def known_words() -> frozenset[str]:
    """``all_words`` and the little words of the frames: what a typing slip must not turn another word into."""
    return all_words() | _LITTLE_WORDS


_LITTLE_WORDS = words_of(
    "with from next behind front above below under over holding riding wearing between this that these which where "
    "here there "
    "their lest loft light night right fight sight tight lift felt fright bright want find segment select show click "
    "standing sitting near beside form rode road woman women than then when what pain pans hats hate shore shot "
    "mane main many moan gut gun buy boys toy girt gird lade laid kind kin kip cart cast coat cot boat bat "
    "read rod reed bed blur glue clue grew great green greed wine whit write pick pink pint brow crow blow tip stop "
    "bot button bottle botton"
)


def all_words() -> frozenset[str]:
    """Every word that the lists can produce, so that a vocabulary can be made to hold them all."""
    lists: list[Choices] = [PICTURE, COUNTED_FROM, *COLOURS.values(), *HAIR_COLOURS.values(), *ORDINALS.values()]
    for pairs in (NOUNS, KINDS, SIZES):
        lists += [choices for pair in pairs.values() for choices in pair]
    for table in (SIDES, DOERS):
        lists += [choices for forms in table.values() for choices in forms.values()]
    text = " ".join(phrase for choices in lists for phrase in choices.phrases)
    texts = [value for name, value in vars(frames).items() if name.isupper() and isinstance(value, str)]
    text += " " + " ".join([*texts, *frames.RELATIONS.values()]).replace("_", " ")
    words = re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.sub(r"\{[^}]*\}|:[0-9.]+", " ", text))
    return frozenset(word for word in words if len(word) > 1 and not word.isdigit()) | {"an", "and"}
