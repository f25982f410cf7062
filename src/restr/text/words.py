"""Letters of any script: one form for each word, however it was typed, and where words begin and end."""

from __future__ import annotations

import re
import unicodedata

# Inside a word they only say where it may be broken or how its letters join.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufeff"))


def normal(text: str) -> str:
    """A text in lower case and in Unicode's composed form (NFC): "c" with a cedilla behind it is the one letter.

    Keyboards and file systems differ in which of the two they write; a reader sees no difference.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.lower().translate(_INVISIBLE))


def find_words(pattern: re.Pattern[str], text: str) -> list[str]:
    """Every match of a pattern of letters, where a mark on a letter counts as part of the letter.

    Python's ``\\w`` matches no marks, and so would cut Hindi, Thai or pointed Hebrew words at each of theirs.
    """
    if text.isascii():
        return [found[0] for found in pattern.finditer(text)]
    letters = list(text)
    for place, letter in enumerate(letters):
        if place and unicodedata.category(letter)[0] == "M" and letters[place - 1].isalpha():
            letters[place] = "x"  # some letter, in the pattern's eyes
    return [text[found.start() : found.end()] for found in pattern.finditer("".join(letters))]
