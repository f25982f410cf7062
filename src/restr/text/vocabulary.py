"""The words that the model knows, and the search for the nearest known word.

People write "catt", "skateboarder", "guyyy" and "redshirt", which have no word vectors. The search goes from certain to
doubtful: the word itself, the same word in plain letters, another form of it, a spelling one slip away, and two words
run together. All other words are the unknown word.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from restr.config import LanguageConfig
from restr.errors import WeightsError
from restr.files import read_lines, write_atomically

PADDING = 0
UNKNOWN = 1  # unless the model's config has another row
RESERVED = 2  # rows before the first word, then

# Word -> the words that it stands for. It applies to known words too: GloVe knows "rt" in another sense. "a" stands for
# "an", because only "an" is in the GloVe files used here.
SHORTHAND: dict[str, tuple[str, ...]] = {
    "1st": ("first",), "2nd": ("second",), "3rd": ("third",), "4th": ("fourth",), "5th": ("fifth",), "6th": ("sixth",),
    "frist": ("first",), "secnd": ("second",), "lft": ("left",), "lf": ("left",), "rt": ("right",), "rgt": ("right",),
    "rght": ("right",), "btm": ("bottom",), "bot": ("bottom",), "mid": ("middle",), "mddle": ("middle",),
    "ctr": ("center",), "cntr": ("center",), "bckgrnd": ("background",), "bkgd": ("background",), "bg": ("background",),
    "bkgrd": ("background",), "frgrnd": ("foreground",), "pic": ("picture",), "pics": ("picture",),
    "pict": ("picture",), "ppl": ("people",), "peeps": ("people",), "peep": ("person",), "bldg": ("building",),
    "bldgs": ("buildings",), "w": ("with",), "w/": ("with",), "w/o": ("without",), "mtn": ("mountain",),
    "mtns": ("mountains",), "mt": ("mountain",), "u": ("you",), "ur": ("your",), "r": ("right",), "l": ("left",),
    "blk": ("black",), "wht": ("white",), "grn": ("green",), "brn": ("brown",), "blu": ("blue",), "yel": ("yellow",),
    "tshirt": ("t-shirt",), "teeshirt": ("t-shirt",), "infront": ("in", "front"), "ontop": ("on", "top"),
    "inbetween": ("in", "between"),
    "rightside": ("right", "side"), "leftside": ("left", "side"), "leftest": ("left", "most"),
    "rightest": ("right", "most"), "redshirt": ("red", "shirt"), "h2o": ("water",), "n": ("and",), "grp": ("group",),
    "a": ("an",), "i": ("me",), "1": ("one",), "2": ("two",), "3": ("three",), "4": ("four",), "5": ("five",),
    "6": ("six",), "7": ("seven",), "8": ("eight",), "kinda": ("kind", "of"), "yea": ("yes",), "yep": ("yes",),
    "mans": ("man",), "womans": ("woman",), "ladys": ("lady",),
    "leftmost": ("left", "most"), "rightmost": ("right", "most"), "topmost": ("top", "most"),
    "bottommost": ("bottom", "most"), "frontmost": ("front", "most"), "backmost": ("back", "most"),
    "lefthand": ("left", "hand"), "righthand": ("right", "hand"), "upperleft": ("upper", "left"),
    "upperright": ("upper", "right"), "lowerleft": ("lower", "left"), "lowerright": ("lower", "right"),
    "closet": ("closest",), "closests": ("closest",), "dont": ("do", "not"), "isnt": ("is", "not"),
    "doesnt": ("does", "not"), "cant": ("can", "not"), "wont": ("will", "not"), "arent": ("are", "not"),
    "n't": ("not",), "dat": ("that",), "da": ("the",), "teh": ("the",), "hte": ("the",), "dem": ("them",),
    "thats": ("that", "is"), "whos": ("who", "is"), "hes": ("he", "is"), "shes": ("she", "is"),
    "theres": ("there", "is"), "grey": ("gray",), "colour": ("color",), "coloured": ("colored",), "centre": ("center",),
}  # fmt: skip

_SHORT_WORDS = frozenset({"in", "on", "of", "to", "at", "by"})  # the only two-letter halves of words run together
_FREQUENT = 6000  # words run together are common; rarer halves would cut typing slips in two
_LETTERS = "abcdefghijklmnopqrstuvwxyz-"
_SHORTEST_SPELLING = 4  # below this every string is one slip from several words


class Vocabulary:
    """Words and their rows in the word table: row 0 is padding, row 1 the unknown word, row 2 the first of ``words``.

    words: most useful first; among spellings equally near the earlier word wins. Lower case, no duplicates.
    unknown_row: another row of the unknown word, which the words follow. literal: the list of another program as it is,
    in which only equal words are found; empty words and words with spaces keep their rows, and of equal ones the later
    counts. Raises WeightsError for a duplicate or an empty word, unless ``literal``.
    """

    def __init__(self, words: Iterable[str], *, unknown_row: int = UNKNOWN, literal: bool = False) -> None:
        self.words: tuple[str, ...] = tuple(words)
        self.unknown_row, self.literal = unknown_row, literal
        self._rows: dict[str, int] = {}
        self._parts: dict[str, tuple[str, ...]] = {}
        if literal:
            self._rows.update((word, row) for row, word in enumerate(self.words, start=self.first_row) if word)
            return
        for row, word in enumerate(self.words, start=self.first_row):
            self._rows.setdefault(_composed(word), row)  # of two Unicode spellings the earlier counts
        if len(set(self.words)) != len(self.words):
            seen: set[str] = set()
            twice = next(word for word in self.words if word in seen or seen.add(word))
            raise WeightsError(f"the vocabulary has {twice!r} twice; every word has one row: remove the later one")
        if any(not word or word.split() != [word] for word in self.words):
            bad = next(word for word in self.words if not word or word.split() != [word])
            raise WeightsError(f"the vocabulary has the word {bad!r}; words are non-empty and hold no white space")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], language: LanguageConfig | None = None) -> Vocabulary:
        """Read UTF-8 text with one word in each line. Raises WeightsError.

        language: the config of the model that the file belongs to. The first line is the row after its unknown word: row 2,
        also without a config.
        """
        try:
            words = read_lines(Path(path))
        except (OSError, UnicodeError) as error:
            raise WeightsError(
                f"cannot read the vocabulary {os.fspath(path)!r} ({error}); expected UTF-8 text, one word per line"
            ) from error
        return cls(words) if language is None else cls(words, **_form(language))

    def of(self, language: LanguageConfig) -> Vocabulary:
        """The same words, in the rows and with the look-up that a model of this config has."""
        return self if self.fits(language) else Vocabulary(self.words, **_form(language))

    def fits(self, language: LanguageConfig) -> bool:
        """Whether a model of this config has words in these rows, and looks them up in this way."""
        return {"unknown_row": self.unknown_row, "literal": self.literal} == _form(language)

    def extended(self, words: Iterable[str]) -> Vocabulary:
        """The same with more words at the end."""
        return Vocabulary([*self.words, *words], unknown_row=self.unknown_row, literal=self.literal)

    @property
    def first_row(self) -> int:
        """The row of the first word."""
        return self.unknown_row + 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file for ``from_file``, whole or not at all."""
        write_atomically(Path(path), "".join(f"{word}\n" for word in self.words))

    def __len__(self) -> int:
        """Rows of the word table, padding and unknown included."""
        return self.first_row + len(self.words)

    def __contains__(self, word: str) -> bool:
        return (word if self.literal else _composed(word)) in self._rows

    def has_form_of(self, word: str) -> bool:
        """Whether the word is known, as it is or in another form; ``parts`` also guesses at its spelling."""
        if self.literal:
            return word in self
        word, plain = _composed(word), _plain(word)
        return word in SHORTHAND or any(form in self._rows for form in (word, plain, *_forms(plain)))

    def row(self, word: str) -> int:
        """The row of a word, or of the known word that it most likely means; ``unknown_row`` if none is near."""
        parts = self.parts(word)
        return self._rows[parts[-1]] if parts else self.unknown_row  # a compound's last part is its head: "treetrunk"

    def parts(self, word: str) -> tuple[str, ...]:
        """The known words that a typed word stands for: one, two for words run together, or none."""
        if self.literal:
            return (word,) if word in self else ()
        word = _composed(word)
        if word not in self._parts:
            if len(self._parts) > 100_000:  # a server sees nonsense without end
                self._parts.clear()
            self._parts[word] = self._find(word)
        return self._parts[word]

    def _find(self, word: str) -> tuple[str, ...]:
        if word in SHORTHAND and all(part in self._rows for part in SHORTHAND[word]):
            return SHORTHAND[word]
        if word in self._rows:
            return (word,)
        plain = _plain(word)
        if plain != word and plain:
            return self.parts(plain)
        if len(plain) > 40:  # no word, and slow: spellings are tried letter by letter
            return ()
        form = next((form for form in _forms(plain) if form in self._rows), None)
        if form is not None:
            return (form,)
        return self._respelt(plain, first=False) or self._run_together(plain) or self._respelt(plain, first=True)

    def _run_together(self, word: str) -> tuple[str, ...]:
        best: tuple[int, tuple[str, ...]] | None = None
        for cut in range(2, len(word) - 1):
            halves = (word[:cut], word[cut:])
            if all(len(half) > 2 or half in _SHORT_WORDS for half in halves):
                rarest = max(self._rows.get(half, _FREQUENT) for half in halves)
                if rarest < _FREQUENT and (best is None or rarest < best[0]):
                    best = (rarest, halves)
        return best[1] if best else ()

    def _respelt(self, word: str, *, first: bool) -> tuple[str, ...]:
        """The likeliest word one slip away. first: the slip may be in the first letter, where slips are rare."""
        if len(word) < _SHORTEST_SPELLING or not word.isalpha():
            return ()
        best: tuple[float, str] | None = None
        for candidate, cost in _slips(word):
            row = self._rows.get(candidate)
            if row is not None and len(candidate) > 2 and (first or candidate[0] == word[0]):
                score = cost + math.log2(row + 64)  # among the most common words the rank says little
                if best is None or (score, candidate) < best:
                    best = (score, candidate)
        return (best[1],) if best else ()


def _form(language: LanguageConfig) -> dict[str, Any]:
    """The arguments of ``Vocabulary`` beside the words."""
    return {"unknown_row": language.unknown_row, "literal": language.reading == "literal"}


def _composed(word: str) -> str:
    """The word in Unicode's composed form (NFC), the form of the keys."""
    return word if word.isascii() else unicodedata.normalize("NFC", word)


def _plain(word: str) -> str:
    """Lower case, no accents, no punctuation around or inside except hyphens."""
    letters = unicodedata.normalize("NFKD", word.strip().lower())
    return _composed("".join(c for c in letters if c.isalnum() or c == "-").strip("-"))


def _forms(word: str) -> Iterator[str]:
    """Other forms of a word, the likeliest first: number, tense, degree, and letters held down ("guyyy")."""
    if "-" in word:
        yield word.replace("-", "")
    undoubled = "".join(c for i, c in enumerate(word) if i < 2 or not c == word[i - 1] == word[i - 2])
    single = "".join(c for i, c in enumerate(word) if i == 0 or c != word[i - 1])
    if undoubled != word:
        yield undoubled
        yield single
    if word[-2:-1] == word[-1:]:
        yield word[:-1]
    for ending, replacements in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            for replacement in replacements:
                yield stem + replacement
            if stem[-1] == stem[-2] and "" in replacements:
                yield stem[:-1]
    if len(word) >= 4:
        yield word + "s"
    if single not in (word, undoubled) and len(single) >= 4:
        yield single


_ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("iest", ("y", "ie")), ("ier", ("y",)), ("ies", ("y", "ie")), ("ied", ("y",)), ("ves", ("f", "fe")),
    ("ers", ("er", "", "e", "ing")), ("ings", ("ing",)), ("es", ("e", "")), ("s", ("",)), ("ing", ("", "e", "ed")),
    ("ed", ("", "e", "ing")), ("est", ("", "e", "er")), ("er", ("", "e", "ing", "ers")), ("ish", ("", "e")),
    ("ly", ("",)), ("y", ("", "e", "ey")), ("ey", ("y", "e", "")), ("ie", ("y", "")),
)  # fmt: skip

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, frozenset[str]]:
    """The keys beside each letter on a QWERTY keyboard."""
    place = {c: (y, x + 0.5 * y) for y, keys in enumerate(_KEYBOARD) for x, c in enumerate(keys)}
    return {
        a: frozenset(b for b, (v, u) in place.items() if a != b and abs(v - y) <= 1 and abs(u - x) <= 1)
        for a, (y, x) in place.items()
    }


NEIGHBOUR_KEYS = _neighbours()


def _slips(word: str) -> Iterator[tuple[str, float]]:
    """Every string one typing slip away, with the cost of the slip in bits (rough estimates)."""
    for i in range(len(word)):
        doubled = i > 0 and word[i] == word[i - 1]
        yield word[:i] + word[i + 1 :], 0.0 if doubled else 2.0
        if i + 1 < len(word) and word[i] != word[i + 1]:
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :], 0.0
        for letter in _LETTERS:
            near = letter in NEIGHBOUR_KEYS.get(word[i], ()) or (word[i] in "aeiou" and letter in "aeiou")
            yield word[:i] + letter + word[i + 1 :], 1.0 if near else 3.0
    for i in range(len(word) + 1):
        for letter in _LETTERS:
            yield word[:i] + letter + word[i:], 0.0
