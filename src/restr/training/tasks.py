"""What a run is about: a model, the batches that it learns from, and how it is measured on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Subset

from restr.config import ModelConfig
from restr.data.batch import SampleBatches, Samples
from restr.data.dataset import IndexedSamples
from restr.data.fitted import FittedSamples
from restr.data.generated import UNSEEN_SEED, GeneratedScenes, Grammar, vocabulary
from restr.data.sample import Sample
from restr.errors import ConfigError, DataError
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import load_vit
from restr.model.weights import load_pretrained
from restr.presets import preset
from restr.text.tokenizer import Tokenizer
from restr.text.vectors import WordVectors, read_word_vectors
from restr.text.vocabulary import Vocabulary
from restr.training.loop.trainer import Batches, Evaluate
from restr.training.loop.validate import measure, measure_swaps
from restr.training.run.sheet import MOST, draw_sheet


@dataclass(frozen=True, kw_only=True)
class Setup:
    """evaluate: while training. at_end: further measures of the finished model, if there are any."""

    model: ReSTR
    words: Vocabulary
    batches: Batches
    evaluate: Evaluate
    draw: Callable[..., None] | None = None
    at_end: Callable[[ReSTR], dict[str, float]] | None = None


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a model begins. folder: a trained model, with its words; else the preset, with ``vision`` (weights of a ViT) and
    ``vectors`` (of words: GloVe's, word2vec's or NumPy's files) where they are given, all else at random."""

    preset: str = "restr_tiny"
    folder: Path | None = None
    vision: Path | None = None
    vectors: Path | None = None

    def __post_init__(self) -> None:
        if self.folder and (self.vision or self.vectors):
            raise ConfigError(f"{self.folder} brings its own vision encoder and words; leave out the files of others")


def on_scenes(
    start: Start, *, scenes: int, unseen: int, per_scene: int, batch: int, grammar: Grammar, overfit: bool, seed: int
) -> Setup:
    """Drawn scenes, which need no file; measured on ``unseen`` others, or on the same ones (overfit)."""
    words = vocabulary(grammar)
    model, words = _begun(start, words, seed)
    config = model.config
    train, other = (
        GeneratedScenes(count, first, size=config.preprocess.size, per_scene=per_scene, grammar=grammar)
        for count, first in ((scenes, seed), (unseen, UNSEEN_SEED))
    )
    measured = train if overfit else other
    tokenizer = Tokenizer.of(words, config)
    return Setup(
        model=model,
        words=words,
        batches=SampleBatches(train, tokenizer, config, size=batch, seed=seed, together=per_scene),
        evaluate=partial(measure, samples=measured, tokenizer=tokenizer),
        draw=partial(draw_sheet, samples=_shown(measured), tokenizer=tokenizer),
        at_end=partial(measure_swaps, scenes=measured, tokenizer=tokenizer) if grammar == "plain" else None,
    )


def on_dataset(
    start: Start, train: IndexedSamples, val: IndexedSamples, *, batch: int, measured: int, seed: int
) -> Setup:
    """A dataset, letterboxed to the model's input size; measured there on ``measured`` samples from all over ``val``."""
    model, words = _begun(start, lambda: words_of(train.texts()), seed)
    config = model.config
    square = replace(config, preprocess=replace(config.preprocess, fit="letterbox"))
    tokenizer = Tokenizer.of(words, config)
    fitted: Any = FittedSamples(val, square.framing)  # any sequence will do, though Subset is typed for torch's own
    some: Any = Subset(fitted, spread(len(val), measured))
    return Setup(
        model=model,
        words=words,
        batches=SampleBatches(
            FittedSamples(train, square.framing), tokenizer, square, size=batch, seed=seed, order=train.order(seed)
        ),
        evaluate=partial(measure, samples=some, tokenizer=tokenizer),
        draw=partial(draw_sheet, samples=_shown(some), tokenizer=tokenizer),
    )


def words_of(texts: Iterable[str]) -> Vocabulary:
    """Every word of some texts, the frequent first. Raises ``DataError`` where there is none."""
    tokenizer = Tokenizer(Vocabulary(()))
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokenizer.words(text))
    if not counts:
        raise DataError("the training texts hold no word; is the dataset empty?")
    return Vocabulary(sorted(counts, key=lambda word: (-counts[word], word)))


def _shown(samples: Samples) -> list[Sample]:
    """Those of them that a sheet shows."""
    return [samples[index] for index in spread(len(samples), MOST)]


def spread(length: int, count: int) -> list[int]:
    """``count`` of the numbers below ``length`` at equal distances; all of them where there are fewer."""
    return list(range(length)) if length <= count else [index * length // count for index in range(count)]


def _begun(start: Start, words: Vocabulary | Callable[[], Vocabulary], seed: int) -> tuple[ReSTR, Vocabulary]:
    """The model and its words: those of a trained model, of the vectors' file, or ``words``."""
    if start.folder:
        return load_pretrained(start.folder)
    found = words if isinstance(words, Vocabulary) else words()
    table: WordVectors | None = None
    if start.vectors:
        table = read_word_vectors(start.vectors, most=20_000, wanted=frozenset(found.words))
        found = table.vocabulary
    config = preset(start.preset, vocab=len(found))
    _check(start, config, table)
    model = build_model(config, seed=seed)
    if table is not None:
        with torch.no_grad():
            model.language.vectors.weight.copy_(torch.from_numpy(table.table))
    if start.vision:
        load_vit(model.vision, start.vision)
    return model, found


def _check(start: Start, config: ModelConfig, table: WordVectors | None) -> None:
    """Raises ``ConfigError`` where a part that is never trained would stay at random, or a file does not fit."""
    if config.vision.frozen and not start.vision:
        raise ConfigError(
            f"{config.name}'s vision encoder is frozen; give its weights (--vision), or a trained model (--model)"
        )
    if not config.language.train_vectors and table is None:
        raise ConfigError(
            f"{config.name}'s word vectors are frozen; give them (--vectors), or a trained model (--model)"
        )
    if table is not None and table.table.shape[1] != config.language.vectors:
        raise ConfigError(
            f"{start.vectors} holds vectors of width {table.table.shape[1]}, {config.name} takes {config.language.vectors}; "
            "choose a file of that width"
        )
