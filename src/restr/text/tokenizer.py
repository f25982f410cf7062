"""From what people type to rows of the word table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from restr.config import ModelConfig
from restr.errors import ConfigError, TextError
from restr.text.vocabulary import PADDING, Vocabulary
from restr.text.words import find_words, normal

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "`": "'", "\u00b4": "'", "&": " and ", "_": " "})
_TOKEN = re.compile(r"w/o\b|w/|[^\W_]+(?:['-][^\W_]+)*|'s\b")
_CLITIC = re.compile(r"(n't|'(?:s|re|ve|ll|d|m))$")
_ALIVE = re.compile(r"[^\W_]")


class Tokenizer:
    """Words of a sentence, and sentences as padded rows of ``vocabulary``.

    max_words: longer sentences lose their end. padding: the side on which shorter ones are filled up with row 0, to
    the longest of them or, with ``full``, always to ``max_words``.
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
        """The tokenizer that a model expects."""
        language = config.language
        return cls(vocabulary, language.max_words, padding=language.padding, full=fills_up(config))

    def words(self, text: str) -> list[str]:
        """Lower-case words: "Man's left-hand t-shirt w/ logo!" -> man 's left hand t-shirt with logo.

        Shorthand is written out, words run together and hyphens are split unless the whole is a known word, and a
        word that the vocabulary cannot place stays as typed. Raises TextError for what holds no word.
        """
        if not isinstance(text, str):
            raise TextError(f"the expression is {type(text).__name__} {text!r}; expected a string such as 'left dog'")
        words: list[str] = []
        for token in find_words(_TOKEN, normal(text).translate(_QUOTES)):
            words.extend(self._split(token))
        if not any(_ALIVE.search(word) for word in words):
            raise TextError(f"the expression {text!r} holds no word; name what to segment, such as 'left dog'")
        return words

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the words and where there are none.

        texts: b sentences (a single string is refused: it would be read letter by letter).
        Returns ids (b l) int64 and word_pad (b l) bool, True = padding; l is the longest sentence or ``max_words``.
        Raises TextError.
        """
        if isinstance(texts, str):
            raise TextError(f"got the single string {texts!r}; expected a list of expressions: [{texts!r}]")
        return self.rows([self.words(text) for text in texts])

    def rows(self, sentences: Sequence[Sequence[str]]) -> tuple[np.ndarray, np.ndarray]:
        """The same for sentences that ``words`` has split already."""
        sentences = [words[: self.max_words] for words in sentences]
        longest = self.max_words if self.full else max((len(words) for words in sentences), default=0)
        ids = np.full((len(sentences), longest), PADDING, dtype=np.int64)
        for row, words in zip(ids, sentences, strict=True):
            first = longest - len(words) if self.padding == "left" else 0
            row[first : first + len(words)] = [self.vocabulary.row(word) for word in words]
        return ids, ids == PADDING

    def _split(self, token: str) -> list[str]:
        clitic = _CLITIC.search(token)
        if clitic and clitic.start() > 0:
            rest = token[: clitic.start()]
            return self._split("can" if rest == "ca" else "will" if rest == "wo" else rest) + self._split(clitic[0])
        if token == "'s":  # possession and "is" alike: without a vector of its own it would only be noise
            return [token] if token in self.vocabulary else []
        if "-" in token and token not in self.vocabulary:
            joined = token.replace("-", "")
            if joined in self.vocabulary:
                return [joined]
            return [word for part in token.split("-") for word in self._split(part)]
        return list(self.vocabulary.parts(token)) or [token]


def fills_up(config: ModelConfig) -> bool:
    """Whether every sentence is filled up to ``max_words``, whatever its neighbours in the batch.

    So where padding is attended to, or shifts the words' positions.
    """
    language = config.language
    return language.attend_padding or config.fusion.attend_padding or language.padding == "left"
