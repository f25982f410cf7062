"""Word vectors from files: GloVe's text, word2vec's text, and NumPy arrays with a list of words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from restr.errors import WeightsError
from restr.files import read_lines
from restr.text.vocabulary import RESERVED, Vocabulary
from restr.text.words import normal


class WordVectors(NamedTuple):
    """Words and their vectors."""

    vocabulary: Vocabulary
    """The words in the file's order, the most frequent first."""

    table: np.ndarray
    """float32 (RESERVED + words, width); the rows of padding and of the unknown word are zero."""

    def at_unit_variance(self) -> WordVectors:
        """Every component with mean 0 and variance 1 over the words.

        GloVe's components share a mean and are small compared with sinusoidal positions. Normalised, the words outweigh
        the positions.
        """
        words = self.table[RESERVED:]
        table = np.zeros_like(self.table)
        table[RESERVED:] = (words - words.mean(0)) / words.std(0).clip(1e-6)
        return WordVectors(self.vocabulary, table)


def read_word_vectors(
    path: str | Path, *, most: int | None = None, wanted: frozenset[str] = frozenset(), words: str | Path | None = None
) -> WordVectors:
    """The vectors of a file's first ``most`` words, and of all ``wanted`` words in it.

    path: ``.txt`` or ``.vec`` with a word and its numbers in each line (GloVe; word2vec and fastText, whose first line
    holds two counts), or ``.npy`` (n, width) with the words in the file ``words``, one in each line. Words are
    lower-cased; of equal words the first counts. Raises ``WeightsError`` with the number of a line that does not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; name GloVe's .txt, a word2vec text file or a .npy array")
    if path.suffix == ".npy":
        if words is None:
            raise WeightsError(f"{path} holds numbers only; name the file of its words too, one per line (words=...)")
        lines = _array_lines(path, Path(words))
    else:
        lines = _text_lines(path)
    rows: dict[str, np.ndarray] = {}
    for number, (word, vector) in enumerate(lines):
        word = normal(word)
        known = word in rows or word.split() != [word]  # GloVe 840B has entries with spaces
        if not known and (most is None or number < most or word in wanted):
            rows[word] = vector
    if not rows:
        raise WeightsError(f"{path} holds no words; expected a word and its numbers on every line")
    table = np.stack(list(rows.values()))
    return WordVectors(Vocabulary(rows), np.concatenate([np.zeros((RESERVED, table.shape[1]), np.float32), table]))


def _text_lines(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    width: int | None = None
    with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            parts = line.rstrip().split(" ")
            if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                width = int(parts[1])  # word2vec: the number of words and the width
                continue
            width = width or len(parts) - 1
            word, numbers = " ".join(parts[:-width]), parts[-width:]
            try:
                vector = np.array(numbers, np.float32)
            except ValueError:
                vector = np.zeros(0, np.float32)
            if len(vector) != width or width < 2:
                raise WeightsError(
                    f"{path}, line {number}: {line[:60].rstrip()!r} is not a word and {width} numbers; is it GloVe's or "
                    "word2vec's text form?"
                )
            yield word, vector


def _array_lines(path: Path, words: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        table = np.load(path, allow_pickle=False, mmap_mode="r")
        listed = read_lines(words)
    except (OSError, ValueError) as error:
        raise WeightsError(f"word vectors cannot be read ({error}); expected {path} and {words}") from error
    if table.ndim != 2 or len(table) != len(listed):
        raise WeightsError(f"{path} is {table.shape}, {words} has {len(listed)} lines; expected one row per word")
    for word, vector in zip(listed, table, strict=True):
        yield word, np.asarray(vector, np.float32)
