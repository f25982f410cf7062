"""Samples at the model's input size: what stands between a reader and a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from restr.config import ModelConfig
from restr.data.batch import Fetching, Samples
from restr.data.sample import Sample
from restr.preprocess import content_size, fit_image, input_size


class FittedSamples(Sequence[Sample]):
    """The same samples, image and mask resized and padded as the model's preprocessing says.

    Neighbours that share an image share the fitted one too, so that it is prepared once. A pixel belongs to the fitted
    mask where at least half of it did.
    """

    def __init__(self, samples: Samples, config: ModelConfig) -> None:
        self.samples, self.config = samples, config
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Sample:  # type: ignore[override]
        sample = self.samples[number]
        preprocess, patch = self.config.preprocess, self.config.vision.patch
        if self._last is None or self._last[0] is not sample.image:
            self._last = (sample.image, fit_image(sample.image, preprocess, patch))
        return replace(sample, image=self._last[1], mask=self._fitted(sample.mask))

    def fetch(self, numbers: Sequence[int]) -> None:
        """Have these brought sooner, where that can be."""
        if isinstance(self.samples, Fetching):
            self.samples.fetch(numbers)

    def _fitted(self, mask: np.ndarray) -> np.ndarray:
        """``restr.preprocess.fit_mask`` at 0.5; in bytes, as so little precision is needed and reading is to be fast."""
        size, preprocess, patch = (mask.shape[0], mask.shape[1]), self.config.preprocess, self.config.vision.patch
        height, width = content_size(size, preprocess, patch)
        picture = Image.fromarray(mask.view(np.uint8) * np.uint8(255))
        fitted = np.zeros(input_size(size, preprocess, patch), bool)
        fitted[:height, :width] = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) >= 128
        return fitted
