"""Batches for training, and their sources: any object with ``batch(step) -> Batch``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from restr.config import ModelConfig
from restr.data.order import Order, Uniform
from restr.data.sample import Sample
from restr.errors import DataError, ImageError, UnreachableError
from restr.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The data of one training step: b sentences about u images, or about their cached patch features.

    Either ``image`` or, for a frozen encoder, ``patches`` and ``grid``.
    """

    ids: Tensor
    """int64 (b l): the words' rows, ``PADDING`` beside shorter sentences."""
    mask: Tensor
    """float (b 1 H W) in [0, 1], at the logits' size."""
    image: Tensor | None = None
    """float (u 3 H W), normalised."""
    patches: Tensor | None = None
    """float (u n d_v)."""
    grid: tuple[int, int] | None = None
    """(h, w) of the n patches."""
    image_of: Tensor | None = None
    """int64 (b): the row of each sentence's image, so that each image is encoded once. None: row i for sentence i."""
    unreadable: tuple[str, ...] = ()
    """Reasons, one for each sample that could not be read; other samples of the batch replace it."""

    def __post_init__(self) -> None:
        if (self.image is None) == (self.patches is None or self.grid is None):
            raise DataError("a Batch needs either an image or patches with their grid, and not both")

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        moved = {
            f.name: value.to(device, non_blocking=True)
            for f in dataclasses.fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return dataclasses.replace(self, **moved)


class Batches(Protocol):
    """Batches by step: ``batch(step)`` depends only on the step and the constructor's arguments.

    So a resumed run sees the same batches as an uninterrupted one, in any process.
    """

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0."""
        ...


class Samples(Protocol):
    """Any indexable dataset of samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


@runtime_checkable
class Fetching(Protocol):
    """Samples from a slow source, which can fetch them ahead."""

    def fetch(self, numbers: Sequence[int]) -> None:
        """Fetch the data of these samples, which are read next."""
        ...


class SampleBatches:
    """Batches of samples whose images already have the model's input size.

    An epoch visits every sample once, in an order given by (seed, epoch). Groups of ``together`` neighbours (the
    sentences of one scene) stay side by side, so that an image is drawn once and its contrasting sentences share a
    batch. order: of the groups, such as one made for streamed samples; by default uniformly at random.
    """

    def __init__(
        self,
        samples: Samples,
        tokenizer: Tokenizer,
        config: ModelConfig,
        *,
        size: int,
        seed: int = 0,
        together: int = 1,
        shuffle: bool = True,
        order: Order | None = None,
    ) -> None:
        if size < 1 or size % together or len(samples) % together:
            raise DataError(
                f"batch size {size} and {len(samples)} samples must be multiples of the {together} kept together; "
                "change the batch size"
            )
        self.samples, self.tokenizer, self.config = samples, tokenizer, config
        self.size, self.together, self.shuffle = size, together, shuffle
        self.order = order or Uniform(len(samples) // together, seed)
        if len(self.order) != len(samples) // together:
            raise DataError(
                f"the order is of {len(self.order)}, the samples make {len(samples) // together} groups of {together}; "
                "make it of these samples"
            )
        self._known: tuple[int, np.ndarray] | None = None  # an epoch's order

    def __len__(self) -> int:
        """Batches in an epoch; samples of the next epoch fill the last one."""
        return (len(self.samples) + self.size - 1) // self.size

    def batch(self, step: int) -> Batch:
        """The step-th batch, counted from 0 over all epochs.

        Raises ``DataError`` if none of its samples can be read.
        """
        samples: list[Sample] = []
        unreadable: list[str] = []
        indices = self._indices(step)
        if isinstance(self.samples, Fetching):
            self.samples.fetch(indices)
        for index in indices:
            try:
                samples.append(self.samples[index])
            except UnreachableError:  # not the sample's fault: skipping it would change the batch
                raise
            except (DataError, ImageError) as error:
                unreadable.append(str(error))
        if not samples:
            raise DataError(f"none of the {self.size} samples of batch {step} can be read; the first: {unreadable[0]}")
        filled = [samples[place % len(samples)] for place in range(self.size)]
        return dataclasses.replace(collate(filled, self.tokenizer, self.config), unreadable=tuple(unreadable))

    def _indices(self, step: int) -> list[int]:
        groups = len(self.samples) // self.together
        first = step * self.size // self.together
        indices: list[int] = []
        for place in range(first, first + self.size // self.together):
            epoch, offset = divmod(place, groups)
            group = int(self._permutation(epoch)[offset]) if self.shuffle else offset
            indices += range(group * self.together, (group + 1) * self.together)
        return indices

    def _permutation(self, epoch: int) -> np.ndarray:
        if self._known is None or self._known[0] != epoch:
            self._known = (epoch, self.order.permutation(epoch))
        return self._known[1]


def collate(samples: Sequence[Sample], tokenizer: Tokenizer, config: ModelConfig) -> Batch:
    """Samples of one size as a batch; samples that share an image (the same array) share its row.

    Raises ``DataError`` for an image that does not have the model's input size.
    """
    framing = config.framing
    size, patch = framing.size, framing.patch
    for sample in samples:
        height, width = sample.mask.shape
        if sample.mask.shape != samples[0].mask.shape:
            raise DataError(
                f"sample {sample.id} is {sample.mask.shape}, {samples[0].id} is {samples[0].mask.shape}; the "
                "samples of a batch are of one size: fit them to a square (preprocess.fit letterbox or square)"
            )
        if sample.image.shape != (height, width, 3) or max(height, width) != size or height % patch or width % patch:
            raise DataError(
                f"sample {sample.id}: image {sample.image.shape} and mask {sample.mask.shape}; expected the input "
                f"size, longest side {size} and both multiples of {patch}: prepare it with restr.preprocess first"
            )
    images: dict[int, np.ndarray] = {id(sample.image): sample.image for sample in samples}
    rows = {key: row for row, key in enumerate(images)}
    pixels = np.empty((len(images), 3, *samples[0].mask.shape), np.float32)
    for row, image in enumerate(images.values()):
        framing.normalise(image, out=pixels[row])
    ids = tokenizer([sample.text for sample in samples])
    return Batch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(np.stack([sample.mask for sample in samples])[:, None].astype(np.float32)),
        image=torch.from_numpy(pixels),
        image_of=torch.tensor([rows[id(sample.image)] for sample in samples]),
    )
