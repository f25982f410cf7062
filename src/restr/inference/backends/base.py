"""What a segmenter needs of whatever computes: an image in, features kept, logits out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from restr.config import ModelConfig
from restr.errors import ConfigError, ImageError
from restr.inference.exported import ExportManifest


class Segmentation(NamedTuple):
    """logits float32 (t 1 H W): the masks before the sigmoid; presence float32 (t): whether anything is meant, before the
    sigmoid, or None where the model does not say."""

    logits: np.ndarray
    presence: np.ndarray | None = None


class Watched(NamedTuple):
    """segmentation: as ``Backend.segment`` gives it; words float32 (t l n), where each word looked; seed float32 (t l), whom it
    heard; grid (h, w) of the n patches."""

    segmentation: Segmentation
    words: np.ndarray
    seed: np.ndarray
    grid: tuple[int, int]


_process: int | None = None  # the one that computed first; the parent's, in a process that was forked from it


class Backend(ABC):
    """Computes what a ReSTR model says; everything that goes in and comes out is numpy, on the CPU.

    name: such as "torch" or "onnx". precision: "fp32", "bf16" or "int8". device: where it computes.
    """

    name: str
    precision: str
    device: Any
    config: ModelConfig
    can_explain: bool = False  # whether it can say where the words looked

    def enter(self) -> None:
        """Called before anything is computed. Raises ``ConfigError`` in a process that was forked after its parent had
        computed: the threads of the parent's runtime are not there, and would be waited for without end."""
        global _process
        if _process not in (None, os.getpid()):
            raise ConfigError(
                f"this process was forked from one that has predicted, and {self.name!r} cannot go on there; start processes "
                'with multiprocessing.get_context("spawn"), or predict in the children alone'
            )
        _process = os.getpid()

    @abstractmethod
    def encode_image(self, image: np.ndarray) -> Any:
        """image float32 (1 3 H W), normalised -> features, of a form that only ``segment`` knows."""

    def encode_images(self, images: np.ndarray) -> list[Any]:
        """images float32 (b 3 H W) -> the features of each; in one call where the backend has something to gain by it."""
        return [self.encode_image(images[row : row + 1]) for row in range(len(images))]

    @abstractmethod
    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """features of one image; ids int64 (t l), row 0 where there is no word -> ``Segmentation``."""

    def watched(self, features: Any, ids: np.ndarray) -> Watched:
        """As ``segment``, and what the words and the class seed looked at. Raises ``ConfigError`` where it cannot tell."""
        raise ConfigError(
            f"the backend is {self.name!r}, whose graph does not give attention away; load the model folder that it was "
            "exported from to ask for attention"
        )


class ExportedBackend(Backend):
    """An export; a subclass says how one of its graphs is run."""

    least_patches = 1  # a side

    def __init__(self, facts: ExportManifest, *, name: str | None = None, threads: int = 0) -> None:
        self.facts, self.threads = facts, threads
        self.name, self.precision, self.config = name or facts.target, facts.precision, facts.config
        self.device = "cpu"

    def __reduce__(self) -> tuple[Callable[..., ExportedBackend], tuple[ExportManifest]]:
        """A copy, here or in another process, opens the export's files again: a runtime's sessions do not travel."""
        return partial(type(self), **{"device": self.device, "threads": self.threads}), (self.facts,)

    @abstractmethod
    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of a graph (``ExportManifest.files``) for inputs by name."""

    def encode_image(self, image: np.ndarray) -> np.ndarray:
        """image float32 (b 3 H W) -> patches float32 (b h w D). Raises ``ImageError`` for a size that it is not for."""
        self._check(image)
        return self.run("image_encoder", {"image": image})[0]

    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """features (1 h w D), ids (t l) -> ``Segmentation``."""
        return Segmentation(*self.run("expression", {"patches": features, "ids": ids}))

    def whole(self, image: np.ndarray, ids: np.ndarray) -> Segmentation:
        """image (b 3 H W), ids (b l) -> ``Segmentation``, by the single graph. Raises ``WeightsError`` without one."""
        self._check(image)
        return Segmentation(*self.run("whole", {"image": image, "ids": ids}))

    def _check(self, image: np.ndarray) -> None:
        got, size, patch = (image.shape[2], image.shape[3]), self.facts.size, self.config.vision.patch
        if size is not None and got != size:
            raise ImageError(
                f"the input is {got[0]} x {got[1]}, this export takes {size[0]} x {size[1]} alone; keep the "
                "preprocessing that it was exported with, or export without --fixed-size"
            )
        if min(got) < self.least_patches * patch or got[0] % patch or got[1] % patch:
            raise ImageError(
                f"the input is {got[0]} x {got[1]}; a {self.name} graph needs multiples of {patch} and at least "
                f"{self.least_patches * patch} a side"
            )
