"""Letters of any script: one form for each word, however it was typed, and the borders of words."""

from __future__ import annotations

import re
import unicodedata

# Characters that only say where a word may be broken or how its letters join.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u2060\ufeff"))


def normal(text: str) -> str:
    """A text in lower case and in Unicode's composed form (NFC): "c" and a combining cedilla become one letter.

    Keyboards and file systems write either form; a reader sees no difference.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.lower().translate(_INVISIBLE))


def find_words(pattern: re.Pattern[str], text: str) -> list[str]:
    """Every match of a pattern of letters; a mark on a letter counts as a part of the letter.

    Python's ``\\w`` matches no marks. It would cut Hindi, Thai or pointed Hebrew words at each mark.
    """
    if text.isascii():
        return [found[0] for found in pattern.finditer(text)]
    letters = list(text)
    for place, letter in enumerate(letters):
        if place and unicodedata.category(letter)[0] == "M" and letters[place - 1].isalpha():
            letters[place] = "x"  # any letter: the pattern must not see the mark
    return [text[found.start() : found.end()] for found in pattern.finditer("".join(letters))]
