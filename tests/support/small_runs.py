"""A training run of a second, for tests of training."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from restr.config import FusionConfig, LanguageConfig, ModelConfig, PreprocessConfig, TransformerConfig, VisionConfig
from restr.data.batch import SampleBatches
from restr.data.generated import GeneratedScenes, vocabulary
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.text.tokenizer import Tokenizer
from restr.training.config import TrainConfig
from restr.training.loop.task import Task
from restr.training.loop.trainer import Trainer

WORDS = vocabulary()


def small_config(*, frozen: bool = False) -> ModelConfig:
    block = TransformerConfig(width=16, depth=1, heads=2, mlp=32, dropout=0.1)
    return ModelConfig(
        name="test",
        vision=VisionConfig(patch=8, grid=4, blocks=block, frozen=frozen),
        language=LanguageConfig(vocab=len(WORDS), vectors=16, max_words=16, train_vectors=True, blocks=block),
        fusion=FusionConfig(visual_linguistic=block, linguistic_seed=block),
        preprocess=PreprocessConfig(size=32),
    )


@functools.cache
def samples() -> tuple:
    scenes = GeneratedScenes(8, 3, size=32, per_scene=2, most=3)
    return tuple(scenes[index] for index in range(len(scenes)))


def batches(config: ModelConfig) -> SampleBatches:
    return SampleBatches(samples(), Tokenizer(WORDS, 16), config, size=4, together=2, seed=5)


SETTINGS = TrainConfig(steps=8, lr=1e-2, ema=0.9, log_every=1, save_every=3, evaluate_every=2, warmup=0.25)


def trainer(folder: Path, settings: TrainConfig = SETTINGS, *, resume: bool = False, **task: Any) -> Trainer:
    """A trainer of a small model. task: fields that differ from the usual ones."""
    config = task["model"].config if "model" in task else small_config()
    usual: dict[str, Any] = {
        "model": task.get("model") or build_model(config, seed=1),
        "batches": task.get("batches") or batches(config),
        "evaluate": lambda model: {"miou": float(model.decoder.head.weight.sum())},
    }
    return Trainer(Task(words=WORDS, **usual | task), settings, folder, resume=resume)


def steady(config: ModelConfig) -> ModelConfig:
    """The same without dropout, so that it does not matter which process has which sample."""
    still = {"dropout": 0.0}
    block = dataclasses.replace(config.vision.blocks, **still)
    return dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, blocks=block),
        language=dataclasses.replace(config.language, blocks=block),
        fusion=FusionConfig(visual_linguistic=block, linguistic_seed=block),
    )


def seeded(config: ModelConfig) -> ReSTR:
    """The model as every process builds it."""
    return build_model(config, seed=1)
