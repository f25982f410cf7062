"""Studies: the data on which the rows of an ablation are trained and measured.

Drawn scenes, any dataset, or cached features of photographs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from restr.config import ModelConfig
from restr.data.batch import Samples
from restr.data.generated import vocabulary
from restr.data.sample import Sample
from restr.errors import ConfigError, DataError
from restr.metrics import length_bin
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import fit_to_encoder
from restr.model.weights import load_state, read_tensors
from restr.presets import preset
from restr.text.vocabulary import Vocabulary
from restr.training import tasks
from restr.training.cached.features import FeatureStore, fingerprint_of
from restr.training.cached.loader import read_photographs
from restr.training.loop.task import Task
from restr.training.start import Start, vocabulary_of
from restr.training.tasks import TrainingSamples


@dataclass(frozen=True, kw_only=True)
class Study:
    """One task for all rows of a table."""

    config: ModelConfig
    """The model that the rows change."""

    task: Callable[[ModelConfig, int], Task]
    """(the config of a row, seed) -> what is trained and measured."""

    facts: dict[str, Any]
    """The facts that a result depends on, in JSON's types."""

    cached: bool = False
    """Whether the features of the vision encoder are given, so that no row may change it."""


def scenes_study(*, preset_name: str = "restr_tiny", scenes: int = 20_000, batch: int = 32, unseen: int = 256) -> Study:
    """Drawn scenes: every weight is trained, and unseen scenes are measured, also by length of the sentence.

    Every seed has the same scenes, in another order.
    """

    def task(config: ModelConfig, seed: int) -> Task:
        start = Start(config=config)
        return tasks.scenes(start, count=scenes, unseen=unseen, batch=batch, seed=seed, first=0, group=_length)

    words = vocabulary("plain").of(preset(preset_name).language)
    return Study(
        config=preset(preset_name, vocab=len(words)),
        task=task,
        facts={"data": "scenes", "preset": preset_name, "scenes": scenes, "batch": batch},
    )


@dataclass(frozen=True, kw_only=True)
class RowStart(Start):
    """The start of a row: the row's config, with those parts of ``base`` that come from files.

    These files are read once for all rows. Vision weights are fitted to the row's patch size and grid.
    """

    base: ReSTR
    """The model before the row's change."""

    words: Vocabulary
    """Its words."""

    def build(self, words: Vocabulary | Callable[[], Vocabulary], seed: int) -> tuple[ReSTR, Vocabulary]:
        """The row's model and ``self.words``. Raises ``WeightsError`` if a part from a file does not fit the row."""
        model = build_model(self.config or self.base.config, seed=seed)
        if self.folder or self.vision:
            load_state(model.vision, fit_to_encoder(self.base.vision.state_dict(), model.vision))
        if self.folder:
            load_state(model.language, self.base.language.state_dict())
        elif self.vectors:
            with torch.no_grad():
                model.language.vectors.weight.copy_(self.base.language.vectors.weight)
        return model, self.words.of(model.config.language)


def dataset_study(
    start: Start,
    train: TrainingSamples,
    val: Samples,
    *,
    names: tuple[str, str],
    batch: int = 32,
    measured: int = 512,
) -> Study:
    """Any dataset, letterboxed as by ``restr train``; measured on ``measured`` samples of ``val`` (0: all), also by length.

    The rows share what ``start`` has from files: word vectors, the vision encoder, or both encoders of a trained model.
    names: of ``train`` and ``val``.
    """
    base, words = start.build(lambda: vocabulary_of(train.texts()), seed=0)

    def task(config: ModelConfig, seed: int) -> Task:
        row = _row_start(start, config, base, words)
        return tasks.dataset(row, train, val, batch=batch, measured=measured, seed=seed, group=_length)

    facts = {
        "data": names[0],
        "val": names[1],
        "samples": len(train),
        "measured": min(measured or len(val), len(val)),
        **_given(start, base),
        "batch": batch,
    }
    return Study(config=base.config, task=task, facts=facts)


def features_study(
    *,
    features: Path,
    sentences: tuple[Path, ...],
    val_sentences: Path,
    parts: Path | None = None,
    model: Path | None = None,
    batch: int = 32,
    preset_name: str = "restr_small",
) -> Study:
    """Photographs whose vision features are cached (``recipes/restr_small/cache.py``), measured on held-out ones.

    The words are those of ``parts``, or words and language encoder of the trained ``model`` whose features these are.
    Measured at a quarter of the model's input size: to compare rows only with each other.
    """
    if (parts is None) == (model is None):
        raise ConfigError("cached features need the parts that they belong to (fetch.py), or a trained model; give one")
    store = FeatureStore(features)
    train = [photograph for path in sentences for photograph in read_photographs(path)]
    held_out = read_photographs(val_sentences)
    facts = {
        "data": "cached features of photographs",
        "preset": preset_name,
        "features": store.fingerprint,
        "sentences": sum(len(photograph.sentences) for photograph in train),
        "batch": batch,
    }
    if model is not None:
        start = Start(folder=model)
        base, words = start.build(Vocabulary(()), seed=0)
        if (
            fingerprint_of(base.vision.state_dict(), (base.config.preprocess, base.config.vision.taps))
            != store.fingerprint
        ):
            raise DataError(f"{features} holds features of another vision encoder than {model}'s; cache them again")
        facts |= _given(start, base)
    else:
        words = Vocabulary.from_file(Path(parts or "") / "vocab.txt")
        start = Start(preset=preset_name, vectors=parts)
        base = build_model(preset(preset_name, vocab=len(words)))
        with torch.no_grad():
            base.language.vectors.weight.copy_(read_tensors(Path(parts or "") / "vectors.safetensors")["vectors"])

    def task(config: ModelConfig, seed: int) -> Task:
        built, own = _row_start(start, config, base, words).build(words, seed)
        return tasks.cached_features(built, own, train, held_out, store, batch=batch, seed=seed)

    return Study(config=base.config, task=task, facts=facts, cached=True)


def _row_start(start: Start, config: ModelConfig, base: ReSTR, words: Vocabulary) -> RowStart:
    return RowStart(
        config=config, folder=start.folder, vision=start.vision, vectors=start.vectors, base=base, words=words
    )


def _given(start: Start, base: ReSTR) -> dict[str, str]:
    """Which preset or model the rows change, and the hash of what they have from files."""
    facts = {"preset": base.config.name if start.folder else start.preset}
    if start.folder or start.vision:
        facts["vision"] = fingerprint_of(base.vision.state_dict(), base.config.preprocess)
    if start.folder or start.vectors:
        facts["language"] = fingerprint_of(base.language.state_dict(), base.config.language)
    return facts


def _length(sample: Sample) -> str:
    return length_bin(sample.text)
