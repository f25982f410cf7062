"""The usual tasks: drawn scenes, a dataset, photographs with cached features, and a few pictures of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from torch.utils.data import Subset

from restr.config import ModelConfig
from restr.data.batch import SampleBatches, Samples
from restr.data.fitted import FittedSamples
from restr.data.generated import UNSEEN_SEED, GeneratedScenes, Grammar, vocabulary
from restr.data.order import Order
from restr.data.sample import Sample
from restr.losses import segmentation_loss
from restr.model.restr import ReSTR
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.cached.features import FeatureStore
from restr.training.cached.loader import CachedBatches, CachedPhotograph
from restr.training.cached.rehearsal import Alternating, Rehearsal
from restr.training.loop.task import Task
from restr.training.loop.validate import (
    in_batches,
    validate,
    validate_cached,
    validate_seed_attention,
    validate_swaps,
)
from restr.training.new_words import add_words, new_words
from restr.training.run.sheet import MAX_SAMPLES, draw_sheet
from restr.training.start import Start, vocabulary_of

_EVERY = 2  # train on every 2nd row and column of patches: things and their names are learnt, not how borders run
_COARSE = 2  # decoder blocks that do not upsample while training: masks have a quarter of the side
_VALIDATION_SENTENCES = 64  # at least, if available: fewer would choose the best weights by chance


def _kind(sample: Sample) -> str:
    return sample.kind


def scenes(
    start: Start,
    *,
    count: int = 20_000,
    unseen: int = 256,
    per_scene: int = 8,
    batch: int = 32,
    grammar: Grammar = "plain",
    overfit: bool = False,
    seed: int = 0,
    first: int | None = None,
    group: Callable[[Sample], str] = _kind,
) -> Task:
    """``count`` drawn scenes; measured on ``unseen`` others or, with ``overfit``, on the training scenes.

    ``seed`` draws the weights and the order; ``first`` is the seed of the first scene (default: ``seed``). ``group`` names
    the groups of samples that are also measured separately.
    """
    model, words = start.build(vocabulary(grammar), seed)
    config = model.config
    train, other = (
        GeneratedScenes(number, at, size=config.preprocess.size, per_scene=per_scene, grammar=grammar)
        for number, at in ((count, seed if first is None else first), (unseen, UNSEEN_SEED))
    )
    measured = train if overfit else other
    tokenizer = Tokenizer.of(words, config)
    return Task(
        model=model,
        words=words,
        batches=SampleBatches(train, tokenizer, config, size=batch, seed=seed, together=per_scene),
        evaluate=partial(validate, samples=measured, tokenizer=tokenizer, group=group, batch=64),
        draw=partial(draw_sheet, samples=_for_sheet(measured), tokenizer=tokenizer),
        final=partial(validate_swaps, scenes=measured, tokenizer=tokenizer) if grammar == "plain" else None,
        seed_attention=partial(_seed_attention, samples=measured, tokenizer=tokenizer, config=config),
    )


class TrainingSamples(Samples, Protocol):
    """Samples that can be trained on, such as ``IndexedSamples``."""

    def texts(self) -> Sequence[str]:
        """Every expression; opens no image."""
        ...

    def order(self, seed: int) -> Order | None:
        """The best order for training; None if any will do."""
        ...


def dataset(
    start: Start,
    train: TrainingSamples,
    val: Samples,
    *,
    batch: int,
    measured: int,
    seed: int,
    group: Callable[[Sample], str] = _kind,
) -> Task:
    """A dataset, letterboxed to the model's input size; measured on ``measured`` samples from all over ``val`` (0: on all).

    They are measured at the pictures' own sizes, as the benchmarks are. ``group`` names the groups of samples that are also
    measured separately.
    """
    model, words = start.build(lambda language: vocabulary_of(train.texts(), language), seed)
    config = model.config
    square = replace(config, preprocess=replace(config.preprocess, fit="letterbox"))
    tokenizer = Tokenizer.of(words, config)
    every: Any = val  # Subset is typed for torch's datasets, but takes any sequence
    some: Any = Subset(every, evenly_spaced(len(val), measured or len(val)))
    return Task(
        model=model,
        words=words,
        batches=SampleBatches(
            FittedSamples(train, square.framing), tokenizer, square, size=batch, seed=seed, order=train.order(seed)
        ),
        evaluate=partial(validate, samples=some, tokenizer=tokenizer, framing=square.framing, group=group),
        draw=partial(draw_sheet, samples=_for_sheet(FittedSamples(some, square.framing)), tokenizer=tokenizer),
        seed_attention=partial(
            _seed_attention, samples=FittedSamples(some, square.framing), tokenizer=tokenizer, config=square
        ),
    )


def cached_features(
    model: ReSTR,
    words: Vocabulary,
    train: Sequence[CachedPhotograph],
    val: Sequence[CachedPhotograph],
    store: FeatureStore,
    *,
    batch: int,
    per_image: int = 2,
    val_per_image: int = 2,
    word_dropout: float = 0.0,
    fill: bool = False,
    seed: int = 0,
) -> Task:
    """Photographs whose vision features are in ``store``; trains all but the vision encoder, on coarse masks.

    Each batch has ``per_image`` sentences of a photograph, measuring takes ``val_per_image``. See ``CachedBatches`` for
    ``word_dropout`` and ``fill``.
    """
    _freeze_vision(model)
    stride = model.config.vision.patch >> model.decoder.coarse
    every = _EVERY if stride % (2 * _EVERY) == 0 else 1
    batches = partial(CachedBatches, store=store, tokenizer=Tokenizer.of(words, model.config), stride=stride, fill=fill)
    held_out = batches(val, batch=8, per_image=val_per_image, seed=1)
    return Task(
        model=model,
        words=words,
        batches=batches(train, batch=batch, per_image=per_image, seed=seed, word_dropout=word_dropout, every=every),
        evaluate=partial(validate_cached, batches=held_out),
        seed_attention=lambda model: validate_seed_attention(model, map(held_out.batch, range(held_out.per_epoch))),
    )


def own_pictures(
    model: ReSTR,
    words: Vocabulary,
    train: Sequence[CachedPhotograph],
    val: Sequence[CachedPhotograph],
    store: FeatureStore,
    *,
    batch: int = 16,
    rehearse: bool = True,
    seed: int = 0,
) -> Task:
    """Fine-tuning of a trained model on a few pictures of one's own, whose vision features are in ``store``.

    Words that are new to the model get rows in its word table (``restr.training.new_words``). With ``rehearse`` every
    second batch is about ordinary sentences, against forgetting (``restr.training.cached.rehearsal``).
    """
    _freeze_vision(model)
    rehearsal = None
    if rehearse:  # asks the model for its answers before training changes anything
        names = [photograph.name for photograph in train]
        rehearsal = Rehearsal(
            model, Tokenizer.of(words, model.config), store, names, batch=max(batch // 2, 2), seed=seed
        )
    sentences = (sentence.text for photograph in train for sentence in photograph.sentences)
    model, words = add_words(model, words, new_words(sentences, words))
    task = cached_features(
        model,
        words,
        train,
        val,
        store,
        batch=batch,
        val_per_image=min(max(-(-_VALIDATION_SENTENCES // len(val)), 2), 8),
        word_dropout=0.03,
        fill=True,
        seed=seed,
    )
    loss = partial(segmentation_loss, dice_weight=1.0, patch_weight=1.0, patch_share=None)
    return replace(task, loss=loss, batches=Alternating(task.batches, rehearsal) if rehearsal else task.batches)


def _seed_attention(model: ReSTR, *, samples: Samples, tokenizer: Tokenizer, config: ModelConfig) -> dict[str, float]:
    return validate_seed_attention(model, in_batches(samples, tokenizer, config))


def evenly_spaced(length: int, count: int) -> list[int]:
    """``count`` of the numbers below ``length`` at equal distances; all of them if there are fewer."""
    return list(range(length)) if length <= count else [index * length // count for index in range(count)]


def _for_sheet(samples: Samples) -> list[Sample]:
    """The samples that a sheet shows."""
    return [samples[index] for index in evenly_spaced(len(samples), MAX_SAMPLES)]


def _freeze_vision(model: ReSTR) -> None:
    """Train all parts behind the vision encoder, on coarse masks."""
    model.vision.requires_grad_(False)
    model.decoder.coarse = min(_COARSE, model.config.vision.patch.bit_length() - 1)
