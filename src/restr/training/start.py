"""The start of a training: a trained model, or a preset with pre-trained parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restr.config import ModelConfig
from restr.config.settings import setting_texts, with_settings
from restr.errors import ConfigError, DataError, WeightsError
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import load_vit
from restr.model.weights import load_pretrained, load_state
from restr.presets import preset
from restr.text.tokenizer import Tokenizer
from restr.text.vectors import WordVectors, read_word_vectors
from restr.text.vocabulary import RESERVED, Vocabulary
from restr.training.new_words import grow_table

_MAX_VECTORS = 20_000  # words that are taken from a file of word vectors
_LEAST_COSINE = 0.5  # of the rows of a trained table and of the file that it began with; other files have about 0


@dataclass(frozen=True, kw_only=True)
class Start:
    """A model to start from. Weights that are in no file start at random."""

    preset: str = "restr_tiny"
    """The preset to build."""

    config: ModelConfig | None = None
    """A config to build instead of the preset; its vocabulary must fit the words."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the config to change, by dotted path: ``{"fusion.variant": "ime"}``. A trained model takes those that
    leave its weights as they are, such as ``preprocess.size``."""

    folder: Path | None = None
    """A trained model with its words, instead of a preset: a model folder, or a checkpoint of a run."""

    vision: Path | None = None
    """Weights of a ViT for the vision encoder, in place of a trained model's too."""

    vectors: Path | None = None
    """Word vectors: a file of GloVe, word2vec or NumPy. A trained model keeps the rows that it has, and gets rows for the
    words that it lacks."""

    def __post_init__(self) -> None:
        if "language.vocab" in self.settings:
            raise ConfigError("language.vocab cannot be set: it is the number of the words of the data or of --vectors")

    def build(self, words: Vocabulary | Callable[[], Vocabulary], seed: int) -> tuple[ReSTR, Vocabulary]:
        """The model and its words: those of the trained model, of the file of vectors, or ``words``.

        Raises ``ConfigError`` or ``WeightsError`` for parts that do not fit together.
        """
        model, vocabulary = self._trained(words) if self.folder else self._new(words, seed)
        if self.vision:
            load_vit(model.vision, self.vision)
        return model, vocabulary

    def _new(self, words: Vocabulary | Callable[[], Vocabulary], seed: int) -> tuple[ReSTR, Vocabulary]:
        """A model of the preset or config."""
        vocabulary = words if isinstance(words, Vocabulary) else words()
        vectors = _read_vectors(self.vectors, vocabulary) if self.vectors else None
        if vectors is not None:
            vocabulary = vectors.vocabulary
        vocabulary = vocabulary.of(with_settings(self.config or preset(self.preset), self.settings).language)
        config = with_settings(self.config or preset(self.preset, vocab=len(vocabulary)), self.settings)
        self._check(config, vectors)
        model = build_model(config, seed=seed)
        if vectors is not None:
            with torch.no_grad():
                model.language.vectors.weight.zero_()
                model.language.vectors.weight[vocabulary.first_row :] = torch.from_numpy(vectors.table[RESERVED:])
        return model, vocabulary

    def _trained(self, words: Vocabulary | Callable[[], Vocabulary]) -> tuple[ReSTR, Vocabulary]:
        """The trained model, with the settings, and with rows for the words that only the file of vectors has."""
        model, vocabulary = load_pretrained(self.folder or "")
        if self.settings:
            model = self._changed(model)
            vocabulary = vocabulary.of(model.config.language)
        if self.vectors is None:
            return model, vocabulary
        vectors = _read_vectors(self.vectors, words if isinstance(words, Vocabulary) else words())
        self._check_width(model.config, vectors)
        table, row_of = torch.from_numpy(vectors.table), _rows(vectors.vocabulary)
        self._check_space(model, vocabulary, table, row_of)
        new = [word for word in row_of if word not in vocabulary]
        return grow_table(model, vocabulary, new, table[[row_of[word] for word in new]])

    def _changed(self, model: ReSTR) -> ReSTR:
        """The trained model with the settings. Raises ``WeightsError`` if they change the shape of a weight."""
        config = with_settings(model.config, self.settings)
        if config.language.unknown_row != model.config.language.unknown_row:
            raise ConfigError(
                f"language.unknown_row is {model.config.language.unknown_row} in {self.folder} and cannot be changed: its words "
                "have their rows already; leave it out"
            )
        changed = build_model(config)
        try:
            load_state(changed, model.state_dict())
        except WeightsError as error:
            listed = ", ".join(setting_texts(self.settings))
            raise WeightsError(
                f"{self.folder} cannot take the settings {listed}, which need other weights; set them with a preset, or "
                f"leave out those that change a shape: {error}"
            ) from error
        return changed.eval()

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
        if vectors is not None:
            self._check_width(config, vectors)

    def _check_width(self, config: ModelConfig, vectors: WordVectors) -> None:
        if vectors.table.shape[1] != config.language.vectors:
            raise ConfigError(
                f"{self.vectors} holds vectors of width {vectors.table.shape[1]}, {config.name} takes "
                f"{config.language.vectors}; choose a file of that width"
            )

    def _check_space(self, model: ReSTR, known: Vocabulary, table: Tensor, row_of: Mapping[str, int]) -> None:
        """Raises ``ConfigError`` unless the words that both have lie alike: else the new rows would mean nothing."""
        own_row_of = _rows(known)
        common = [word for word in row_of if word in own_row_of]
        ours = model.language.vectors.weight.detach()[[own_row_of[word] for word in common]]
        alike = torch.cosine_similarity(ours, table[[row_of[word] for word in common]]).mean().item()
        if not alike >= _LEAST_COSINE:  # NaN without a common word
            raise ConfigError(
                f"{self.vectors} is not of the kind that {self.folder} was trained with: over {len(common)} words that both "
                f"have, the mean cosine of the vectors is {alike:.2f}, expected at least {_LEAST_COSINE}; give the file "
                "that the model began with, or leave out --vectors (restr finetune learns new words from the data)"
            )


def _read_vectors(path: Path, vocabulary: Vocabulary) -> WordVectors:
    """The file's most frequent words, and all of the vocabulary's that it has."""
    return read_word_vectors(path, most=_MAX_VECTORS, wanted=frozenset(vocabulary.words))


def _rows(vocabulary: Vocabulary) -> dict[str, int]:
    """The row of each word itself; ``Vocabulary.row`` also guesses at what is meant."""
    return {word: row for row, word in enumerate(vocabulary.words, start=len(vocabulary) - len(vocabulary.words))}


def vocabulary_of(texts: Iterable[str]) -> Vocabulary:
    """Every word of some texts, the most frequent first. Raises ``DataError`` if there are none."""
    tokenizer = Tokenizer(Vocabulary(()))
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenizer.words(text))
    if not counts:
        raise DataError("the training texts hold no word; is the dataset empty?")
    return Vocabulary(sorted(counts, key=lambda word: (-counts[word], word)))
