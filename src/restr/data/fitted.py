"""Samples at the model's input size, between a reader and a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from restr.data.batch import Fetching, Samples
from restr.data.sample import Sample
from restr.preprocess import Framing


class FittedSamples(Sequence[Sample]):
    """The same samples with image and mask at the model's input size.

    Neighbours that share an image share the fitted one too, so that it is prepared once.
    """

    def __init__(self, samples: Samples, framing: Framing) -> None:
        self.samples, self.framing = samples, framing
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Sample:  # type: ignore[override]
        return self.with_own_mask(number)[0]

    def with_own_mask(self, number: int) -> tuple[Sample, np.ndarray]:
        """The fitted sample, and its mask as it was, bool (H W)."""
        sample = self.samples[number]
        if self._last is None or self._last[0] is not sample.image:
            self._last = (sample.image, self.framing.fit_image(sample.image))
        return replace(sample, image=self._last[1], mask=self.framing.fit_mask(sample.mask)), sample.mask

    def fetch(self, numbers: Sequence[int]) -> None:
        """Fetch these samples ahead, if their source can."""
        if isinstance(self.samples, Fetching):
            self.samples.fetch(numbers)
