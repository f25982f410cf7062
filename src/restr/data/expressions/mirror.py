"""What a sentence says of the mirror image."""

from __future__ import annotations

import re

# A word for a side and the one that stands there in a mirror, both ways; parts of hyphenated words are looked up alone.
MIRRORED = {
    "left": "right", "leftmost": "rightmost", "lefthand": "righthand", "leftside": "rightside", "leftest": "rightest",
    "upperleft": "upperright", "lowerleft": "lowerright", "topleft": "topright", "bottomleft": "bottomright",
    "lft": "rght", "lf": "rgt", "l": "r",
}  # fmt: skip
MIRRORED |= {right: left for left, right in MIRRORED.items()} | {"rt": "lft"}

# "The lady right behind a dog" is at no side; "on the right behind a dog" is.
_ADVERB = re.compile(
    r"(?<!\bthe )(?<!\bon )(?<!\bto )(?<!\bat )(?<!\bfar )\bright "
    r"(?:behind|next|beside|above|below|under|underneath|over|by|there|here|in front|in the (?:middle|center))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*")


def mirrored(text: str) -> str | None:
    """What the sentence says of the mirror image: each word for left becomes the one for right, and the other way round.

    "leftmost", "left-hand" and "lft" are such words, "leftover" is not. The sentence itself where it names no side; None
    where "right" may be no side: "right behind the car".
    """
    if _ADVERB.search(text):
        return None
    return _WORD.sub(lambda word: _turned(word[0]), text)


def _turned(word: str) -> str:
    parts = word.split("-")
    return "-".join(cased(part, MIRRORED.get(part.lower(), part)) for part in parts)


def cased(like: str, word: str) -> str:
    """``word`` written as ``like`` is: in capitals, with a first capital, or as it comes."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[:1].isupper() else word
