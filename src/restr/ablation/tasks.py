"""What the rows of an ablation are trained and measured on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch

from restr.config import ModelConfig
from restr.data.batch import SampleBatches
from restr.data.generated import UNSEEN_SEED, GeneratedScenes, vocabulary
from restr.metrics import length_bin
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.weights import read_tensors
from restr.presets import preset
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.cached.features import FeatureStore
from restr.training.cached.loader import CachedBatches, read_photographs
from restr.training.loop.trainer import Batches
from restr.training.loop.validate import measure, measure_cached


class Task(Protocol):
    """config: what the rows change. cached: the vision encoder's features are given, so rows must not change it."""

    config: ModelConfig
    cached: bool

    def build(self, config: ModelConfig, seed: int) -> ReSTR: ...

    def batches(self, config: ModelConfig, seed: int) -> Batches: ...

    def measure(self, model: ReSTR) -> dict[str, float]: ...

    def facts(self) -> dict[str, Any]: ...


class ScenesTask:
    """Drawn scenes: every weight is trained, and unseen scenes are measured."""

    cached = False

    def __init__(
        self, *, preset_name: str = "restr_tiny", scenes: int = 20_000, batch: int = 32, unseen: int = 256
    ) -> None:
        self.words = vocabulary("plain")
        self.config = preset(preset_name, vocab=len(self.words))
        self.preset_name, self.scenes, self.batch, self.unseen = preset_name, scenes, batch, unseen

    def build(self, config: ModelConfig, seed: int) -> ReSTR:
        """An untrained model."""
        return build_model(config, seed=seed)

    def batches(self, config: ModelConfig, seed: int) -> Batches:
        """The same scenes for every seed, in another order."""
        scenes = GeneratedScenes(self.scenes, 0, size=config.preprocess.size, per_scene=8)
        return SampleBatches(scenes, Tokenizer.of(self.words, config), config, size=self.batch, seed=seed, together=8)

    def measure(self, model: ReSTR) -> dict[str, float]:
        """mIoU and oIoU on unseen scenes, mIoU also by length of the sentence."""
        unseen = GeneratedScenes(self.unseen, UNSEEN_SEED, size=model.config.preprocess.size, per_scene=8)
        tokenizer = Tokenizer.of(self.words, model.config)
        return measure(model, unseen, tokenizer, group=lambda sample: length_bin(sample.text))

    def facts(self) -> dict[str, Any]:
        """What a result depends on."""
        return {"data": "scenes", "preset": self.preset_name, "scenes": self.scenes, "batch": self.batch}


class FeaturesTask:
    """Photographs with a frozen vision encoder whose features are cached (``recipes/restr_small/cache.py``).

    Measured at a quarter of the model's input size: to compare rows with each other only.
    """

    cached = True

    def __init__(
        self,
        *,
        features: Path,
        parts: Path,
        sentences: tuple[Path, ...],
        val_sentences: Path,
        batch: int = 32,
        preset_name: str = "restr_small",
    ) -> None:
        self.words = Vocabulary.from_file(parts / "vocab.txt")
        self.vectors = read_tensors(parts / "vectors.safetensors")["vectors"]
        self.config = preset(preset_name, vocab=len(self.words))
        self.store = FeatureStore(features)
        self.sentences, self.batch, self.preset_name = sentences, batch, preset_name
        self.photographs = [photograph for path in sentences for photograph in read_photographs(path)]
        self.held_out = read_photographs(val_sentences)

    def build(self, config: ModelConfig, seed: int) -> ReSTR:
        """A model that knows the words' vectors and sees a quarter of the patches at a quarter of the pixels."""
        model = build_model(config, seed=seed)
        with torch.no_grad():
            model.language.vectors.weight.copy_(self.vectors)
        model.decoder.coarse = 2
        return model

    def batches(self, config: ModelConfig, seed: int) -> Batches:
        """Two sentences a photograph, every second patch each way."""
        tokenizer = Tokenizer.of(self.words, config)
        stride = config.vision.patch >> 2
        return CachedBatches(
            self.photographs, self.store, tokenizer, batch=self.batch, per_image=2, stride=stride, seed=seed, every=2
        )

    def measure(self, model: ReSTR) -> dict[str, float]:
        """mIoU and oIoU on held-out photographs, all patches."""
        stride = model.config.vision.patch >> 2
        tokenizer = Tokenizer.of(self.words, model.config)
        return measure_cached(
            model, CachedBatches(self.held_out, self.store, tokenizer, batch=8, per_image=2, stride=stride, seed=1)
        )

    def facts(self) -> dict[str, Any]:
        """What a result depends on."""
        return {
            "data": "cached features of photographs",
            "preset": self.preset_name,
            "features": self.store.fingerprint,
            "sentences": sum(len(photograph.sentences) for photograph in self.photographs),
            "batch": self.batch,
        }
