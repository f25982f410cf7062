"""From typed sentences to rows of the word table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from restr.config import ModelConfig
from restr.errors import ConfigError, TextError
from restr.text.vocabulary import PADDING, Vocabulary
from restr.text.words import find_words, normal

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "`": "'", "\u00b4": "'", "&": " and ", "_": " "})
_TOKEN = re.compile(r"w/o\b|w/|[^\W_]+(?:['-][^\W_]+)*|'s\b")
_CLITIC = re.compile(r"(n't|'(?:s|re|ve|ll|d|m))$")
_LETTER = re.compile(r"[^\W_]")
_NO_WORD = re.compile(r"(\W+)")


class Sentence(NamedTuple):
    """A text and its words."""

    text: str
    """As typed."""
    words: list[str]
    """As ``Tokenizer.words`` splits it."""


class Tokenizer:
    """Splits sentences into words, and turns them into padded rows of ``vocabulary``.

    max_words: longer sentences are cut. padding: the side of shorter sentences that is filled with row 0, up to the
    longest sentence of the batch or, with ``full``, up to ``max_words``. With a literal vocabulary, sentences are split
    literally too, see ``words``.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        max_words: int = 20,
        *,
        padding: Literal["right", "left"] = "right",
        full: bool = False,
    ) -> None:
        if padding not in ("right", "left"):
            raise ConfigError(f"padding is {padding!r}; choose 'right' or 'left'")
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.padding, self.full = padding, full

    @classmethod
    def of(cls, vocabulary: Vocabulary, config: ModelConfig) -> Tokenizer:
        """The tokenizer that a model expects. Raises ``ConfigError`` if the words have other rows in the model."""
        language = config.language
        if not vocabulary.fits(language):
            raise ConfigError(
                f"the vocabulary is {_described(vocabulary.unknown_row, vocabulary.literal)}, the model's is "
                f"{_described(language.unknown_row, language.reading == 'literal')}; read it with "
                "Vocabulary.from_file(path, config.language), or take vocabulary.of(config.language)"
            )
        return cls(vocabulary, language.max_words, padding=language.padding, full=fills_up(config))

    def words(self, text: str) -> list[str]:
        """Lower-case words: "Man's left-hand t-shirt w/ logo!" -> man 's left hand t-shirt with logo.

        Shorthand is written out. Words run together and words with hyphens are split, unless the whole is a known word.
        A word unknown to the vocabulary stays as typed. With a literal vocabulary, the pieces between letters and other
        characters, in lower case, without white space and a final ".": "Man's hat, red." -> man ' s hat ", " red.
        Raises TextError for a text without words.
        """
        if not isinstance(text, str):
            raise TextError(f"the expression is {type(text).__name__} {text!r}; expected a string such as 'left dog'")
        words: list[str] = []
        if self.vocabulary.literal:
            words = [piece.lower() for piece in _NO_WORD.split(text.strip()) if piece.strip()]
            words = words[:-1] if words[-1:] == ["."] else words
        else:
            for token in find_words(_TOKEN, normal(text).translate(_QUOTES)):
                words.extend(self._split(token))
        if not any(_LETTER.search(word) for word in words):
            raise TextError(f"the expression {text!r} holds no word; name what to segment, such as 'left dog'")
        return words

    def sentences(self, text: str | Sequence[str]) -> list[Sentence]:
        """One text, or several, with their words; all are checked. Raises TextError."""
        if not isinstance(text, (str, Sequence)) or isinstance(text, (bytes, bytearray, memoryview)):
            raise TextError(f"the text is {type(text).__name__} {text!r}; expected a string, or a list of strings")
        texts = [text] if isinstance(text, str) else list(text)
        if not texts:
            raise TextError("got no text; say what to segment, for example 'the dog on the left'")
        return [Sentence(each, self.words(each)) for each in texts]

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Rows of the words.

        texts: b sentences; a single string is refused, because it would be read letter by letter.
        Returns ids (b l) int64, ``PADDING`` beside shorter sentences; l is the longest sentence or ``max_words``.
        Raises TextError.
        """
        if isinstance(texts, str):
            raise TextError(f"got the single string {texts!r}; expected a list of expressions: [{texts!r}]")
        return self.rows([self.words(text) for text in texts])

    def rows(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """The same for sentences that ``words`` has split already."""
        sentences = [words[: self.max_words] for words in sentences]
        longest = self.max_words if self.full else max((len(words) for words in sentences), default=0)
        ids = np.full((len(sentences), longest), PADDING, dtype=np.int64)
        for row, words in zip(ids, sentences, strict=True):
            first = longest - len(words) if self.padding == "left" else 0
            row[first : first + len(words)] = [self.vocabulary.row(word) for word in words]
        return ids

    def _split(self, token: str) -> list[str]:
        clitic = _CLITIC.search(token)
        if clitic and clitic.start() > 0:
            rest = token[: clitic.start()]
            return self._split("can" if rest == "ca" else "will" if rest == "wo" else rest) + self._split(clitic[0])
        if token == "'s":  # possession or "is": noise, unless it has a vector of its own
            return [token] if token in self.vocabulary else []
        if "-" in token and token not in self.vocabulary:
            joined = token.replace("-", "")
            if joined in self.vocabulary:
                return [joined]
            return [word for part in token.split("-") for word in self._split(part)]
        return list(self.vocabulary.parts(token)) or [token]


def _described(unknown_row: int, literal: bool) -> str:
    return f"{'literal' if literal else 'forgiving'} with the unknown word in row {unknown_row}"


def fills_up(config: ModelConfig) -> bool:
    """Whether every sentence is padded to ``max_words``, independent of the others in the batch.

    This holds for models in which padding is attended to or shifts the words' positions.
    """
    language = config.language
    return language.attend_padding or config.fusion.attend_padding or language.padding == "left"
