"""The interface between a segmenter and a runtime: an image in, features kept, logits out."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from restr.config import ModelConfig
from restr.errors import ConfigError, ImageError
from restr.inference.exported import ExportManifest
from restr.inference.fastest.machine import usable_cores


class Segmentation(NamedTuple):
    """Masks before the sigmoid, one for each of t sentences."""

    logits: np.ndarray
    """float32 (t 1 H W)."""
    presence: np.ndarray | None = None
    """float32 (t): above 0 if the image shows what the sentence names; None without a presence head."""


class AttentionOutput(NamedTuple):
    """Masks, and the attention that led to them."""

    segmentation: Segmentation
    """As ``Backend.segment`` gives it."""
    words: np.ndarray
    """float32 (t l n): the attention of each word to each patch."""
    seed: np.ndarray
    """float32 (t l): the attention of the class seed to each word."""
    grid: tuple[int, int]
    """(h, w) of the n patches."""


_process: int | None = None  # the process that computed first; in a forked process, that is its parent


class Backend(ABC):
    """Runs a ReSTR model. Images, ids and results are numpy arrays."""

    name: str
    """Such as "torch" or "onnx"."""
    precision: str
    """"fp32", "bf16" or "int8"."""
    device: Any
    """The device that computes."""
    config: ModelConfig
    """The model's config."""
    can_explain: bool = False
    """Whether ``segment_with_attention`` works."""
    concurrent: bool = False
    """Whether several threads may compute at once; ``segment_with_attention`` never."""

    def enter(self) -> None:
        """Called before each computation.

        Raises ``ConfigError`` in a process that was forked after its parent had computed: the threads of the parent's
        runtime do not exist there, and the runtime would wait for them forever.
        """
        global _process
        if _process not in (None, os.getpid()):
            raise ConfigError(
                f"this process was forked from one that has predicted, and {self.name!r} cannot continue there; start processes "
                'with multiprocessing.get_context("spawn"), or predict only in the children'
            )
        _process = os.getpid()

    def open_ahead(self) -> None:  # noqa: B027
        """Begin in threads what the first computation waits for, if there is anything; returns at once.

        For processes that are not forked afterwards.
        """

    def thread_count(self) -> int:
        """How many threads a computation uses."""
        return usable_cores()

    @contextmanager
    def shared(self, workers: int, threads: int) -> Iterator[Backend]:
        """The same model for ``workers`` threads that compute at once, each computation with ``threads`` threads."""
        yield self

    @abstractmethod
    def encode_image(self, image: np.ndarray) -> Any:
        """image float32 (1 3 H W), normalised -> features, in a form that only ``segment`` knows."""

    def encode_images(self, images: np.ndarray) -> list[Any]:
        """images float32 (b 3 H W) -> the features of each; in one call if that is faster."""
        return [self.encode_image(images[row : row + 1]) for row in range(len(images))]

    @abstractmethod
    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """features of one image; ids int64 (t l), 0 = padding."""

    def segment_with_attention(self, features: Any, ids: np.ndarray) -> AttentionOutput:
        """As ``segment``, with the attention of the words and the class seed. Raises ``ConfigError`` unless ``can_explain``."""
        raise ConfigError(
            f"the backend is {self.name!r}, whose graph does not output attention; load the model folder that it was "
            "exported from to ask for attention"
        )


class ExportedBackend(Backend):
    """An export. A subclass runs its graphs."""

    least_patches = 1
    """The smallest side of an image, in patches."""

    def __init__(self, facts: ExportManifest, *, name: str | None = None, threads: int = 0) -> None:
        self.facts, self.threads = facts, threads
        self.name, self.precision, self.config = name or facts.target, facts.precision, facts.config
        self.device = "cpu"
        self._twins: dict[tuple[int, int], Backend] = {}

    def thread_count(self) -> int:
        """As ``Backend.thread_count``."""
        return self.threads or usable_cores()

    @contextmanager
    def shared(self, workers: int, threads: int) -> Iterator[Backend]:
        """As ``Backend.shared``. A runtime fixes its threads when it opens a graph, so the graphs are opened again."""
        if (workers, threads) not in self._twins:
            self._twins = {(workers, threads): self._twin(workers, threads)}  # only the latest: it holds the weights
        yield self._twins[workers, threads]

    def _twin(self, workers: int, threads: int) -> Backend:
        return partial(type(self), **{"device": self.device})(self.facts, threads=threads)

    def __reduce__(self) -> tuple[Callable[..., ExportedBackend], tuple[ExportManifest]]:
        """A copy, also in another process, opens the export's files again: a runtime's sessions cannot be pickled."""
        return partial(type(self), **{"device": self.device, "threads": self.threads}), (self.facts,)

    @abstractmethod
    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of a graph (``ExportManifest.files``) for inputs by name."""

    def encode_image(self, image: np.ndarray) -> np.ndarray:
        """image float32 (b 3 H W) -> patches float32 (b h w D), or (b parts h w D) with the export's
        share of the first fusion block behind them. Raises ``ImageError`` for a size that the export cannot take."""
        self._check(image)
        return self.run("image_encoder", {"image": image})[0]

    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """features of one image, ids (t l) -> ``Segmentation``."""
        return Segmentation(*self.run("expression", {"patches": features, "ids": ids}))

    def whole(self, image: np.ndarray, ids: np.ndarray) -> Segmentation:
        """image (b 3 H W), ids (b l) -> ``Segmentation``, by the single graph. Raises ``WeightsError`` without one."""
        self._check(image)
        return Segmentation(*self.run("whole", {"image": image, "ids": ids}))

    def _check(self, image: np.ndarray) -> None:
        got, size, patch = (image.shape[2], image.shape[3]), self.facts.size, self.config.vision.patch
        if size is not None and got != size:
            raise ImageError(
                f"the input is {got[0]} x {got[1]}, this export takes only {size[0]} x {size[1]}; keep the "
                "preprocessing that it was exported with, or export without --fixed-size"
            )
        if min(got) < self.least_patches * patch or got[0] % patch or got[1] % patch:
            raise ImageError(
                f"the input is {got[0]} x {got[1]}; a {self.name} graph needs multiples of {patch} and at least "
                f"{self.least_patches * patch} per side"
            )
