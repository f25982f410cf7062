"""The start of a training: a trained model, or a preset with pre-trained parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from restr.config import ModelConfig
from restr.errors import ConfigError, DataError
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import load_vit
from restr.model.weights import load_pretrained
from restr.presets import preset
from restr.text.tokenizer import Tokenizer
from restr.text.vectors import WordVectors, read_word_vectors
from restr.text.vocabulary import RESERVED, Vocabulary

_MAX_VECTORS = 20_000  # words that are taken from a file of word vectors


@dataclass(frozen=True, kw_only=True)
class Start:
    """A model to start from. Weights that are in no file start at random."""

    preset: str = "restr_tiny"
    """The preset to build."""

    config: ModelConfig | None = None
    """A config to build instead of the preset; its vocabulary must fit the words."""

    folder: Path | None = None
    """A trained model with its words, instead of a preset."""

    vision: Path | None = None
    """Weights of a ViT for the vision encoder."""

    vectors: Path | None = None
    """Word vectors: a file of GloVe, word2vec or NumPy."""

    def __post_init__(self) -> None:
        if self.folder and (self.vision or self.vectors):
            raise ConfigError(f"{self.folder} brings its own vision encoder and words; leave out the files of others")

    def build(self, words: Vocabulary | Callable[[], Vocabulary], seed: int) -> tuple[ReSTR, Vocabulary]:
        """The model and its words: those of the trained model, of the file of vectors, or ``words``."""
        if self.folder:
            return load_pretrained(self.folder)
        vocabulary = words if isinstance(words, Vocabulary) else words()
        vectors: WordVectors | None = None
        if self.vectors:
            vectors = read_word_vectors(self.vectors, most=_MAX_VECTORS, wanted=frozenset(vocabulary.words))
            vocabulary = vectors.vocabulary
        config = self.config or preset(self.preset)
        vocabulary = vocabulary.of(config.language)
        config = self.config or preset(self.preset, vocab=len(vocabulary))
        self._check(config, vectors)
        model = build_model(config, seed=seed)
        if vectors is not None:
            with torch.no_grad():
                model.language.vectors.weight.zero_()
                model.language.vectors.weight[vocabulary.first_row :] = torch.from_numpy(vectors.table[RESERVED:])
        if self.vision:
            load_vit(model.vision, self.vision)
        return model, vocabulary

    def _check(self, config: ModelConfig, vectors: WordVectors | None) -> None:
        """Raises ``ConfigError`` if a frozen part would stay random, or a file does not fit."""
        if config.vision.frozen and not self.vision:
            raise ConfigError(
                f"{config.name}'s vision encoder is frozen; give its weights (--vision), or a trained model (--model)"
            )
        if not config.language.train_vectors and vectors is None:
            raise ConfigError(
                f"{config.name}'s word vectors are frozen; give them (--vectors), or a trained model (--model)"
            )
        if vectors is not None and vectors.table.shape[1] != config.language.vectors:
            raise ConfigError(
                f"{self.vectors} holds vectors of width {vectors.table.shape[1]}, {config.name} takes "
                f"{config.language.vectors}; choose a file of that width"
            )


def vocabulary_of(texts: Iterable[str]) -> Vocabulary:
    """Every word of some texts, the most frequent first. Raises ``DataError`` if there are none."""
    tokenizer = Tokenizer(Vocabulary(()))
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenizer.words(text))
    if not counts:
        raise DataError("the training texts hold no word; is the dataset empty?")
    return Vocabulary(sorted(counts, key=lambda word: (-counts[word], word)))
