"""Studies: the data on which the rows of an ablation are trained and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from restr.config import ModelConfig
from restr.data.generated import vocabulary
from restr.data.sample import Sample
from restr.metrics import length_bin
from restr.model.build import build_model
from restr.model.weights import read_tensors
from restr.presets import preset
from restr.text.vocabulary import Vocabulary
from restr.training import tasks
from restr.training.cached.features import FeatureStore
from restr.training.cached.loader import read_photographs
from restr.training.loop.task import Task
from restr.training.start import Start


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

    return Study(
        config=preset(preset_name, vocab=len(vocabulary("plain"))),
        task=task,
        facts={"data": "scenes", "preset": preset_name, "scenes": scenes, "batch": batch},
    )


def features_study(
    *,
    features: Path,
    parts: Path,
    sentences: tuple[Path, ...],
    val_sentences: Path,
    batch: int = 32,
    preset_name: str = "restr_small",
) -> Study:
    """Photographs whose vision features are cached (``recipes/restr_small/cache.py``), measured on held-out ones.

    Measured at a quarter of the model's input size: to compare rows only with each other.
    """
    words = Vocabulary.from_file(parts / "vocab.txt")
    vectors = read_tensors(parts / "vectors.safetensors")["vectors"]
    store = FeatureStore(features)
    train = [photograph for path in sentences for photograph in read_photographs(path)]
    held_out = read_photographs(val_sentences)

    def task(config: ModelConfig, seed: int) -> Task:
        model = build_model(config, seed=seed)
        with torch.no_grad():
            model.language.vectors.weight.copy_(vectors)
        return tasks.cached_features(model, words, train, held_out, store, batch=batch, seed=seed)

    facts = {
        "data": "cached features of photographs",
        "preset": preset_name,
        "features": store.fingerprint,
        "sentences": sum(len(photograph.sentences) for photograph in train),
        "batch": batch,
    }
    return Study(config=preset(preset_name, vocab=len(words)), task=task, facts=facts, cached=True)


def _length(sample: Sample) -> str:
    return length_bin(sample.text)
