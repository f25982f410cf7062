"""Batches of one picture: a crop at its own scale, or all of it, with sentences that are true there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from restr.data.batch import Batch
from restr.data.sample import Sample, SampleSource
from restr.preprocess import Framing
from restr.text.tokenizer import Tokenizer

TRUE_IN_A_CROP = frozenset(
    {"category", "colour", "clothing", "part", "stuff"}
)  # kinds that compare with no other thing
ROUND = (0, 1, 0, 1, 0, 1, 0, 2)  # of each eight pictures: four crops, three small whole pictures, a large one
MOST_SENTENCES = 4
GRID = 32  # sides are multiples of it, so that every patch up to 32 divides them and shapes are few


@dataclass(frozen=True)
class View:
    """A part of a picture, and the size at which it is shown. All in pixels."""

    top: int
    left: int
    height: int
    width: int
    shown: tuple[int, int]

    def of(self, array: np.ndarray) -> np.ndarray:
        """The part of an array (H W ...)."""
        return array[self.top : self.top + self.height, self.left : self.left + self.width]


class Views:
    """Batches by number: picture and view depend only on the number and the seed (``restr.data.batch.Batches``).

    sizes: side of the square crops, longest side of small and of large whole pictures. Masks have half the view's side.
    """

    def __init__(
        self,
        samples: SampleSource,
        tokenizer: Tokenizer,
        framing: Framing,
        *,
        sizes: tuple[int, ...] = (256, 320, 480),
        seed: int = 0,
    ) -> None:
        self.samples, self.tokenizer, self.framing, self.seed = samples, tokenizer, framing, seed
        self.crop, *self.whole = sizes
        self.groups = samples.image_groups()

    def batch(self, step: int) -> Batch:
        """The step-th picture with up to ``MOST_SENTENCES`` sentences, as one batch."""
        epoch, place = divmod(step, len(self.groups))
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.groups))
        rng = np.random.default_rng((self.seed, step, 1))
        samples = [self.samples[number] for number in self.groups[order[place]]]
        samples = [samples[number] for number in rng.permutation(len(samples))]
        turn = ROUND[step % len(ROUND)]
        chosen = self._crop(samples, rng) if turn == 0 else None
        view, some = chosen or (whole_view(samples[0].mask.shape, self.whole[max(turn, 1) - 1]), samples)
        return self._collate(view, some[:MOST_SENTENCES])

    def _crop(self, samples: Sequence[Sample], rng: np.random.Generator) -> tuple[View, list[Sample]] | None:
        """A square at the input's scale around a target, and the sentences that are true there; None if there is none.

        One sentence about a thing outside it may stay: nothing here is what it names.
        """
        height, width = samples[0].mask.shape
        scale = self.framing.size / max(height, width)
        side = min(round(self.crop / scale), height, width)
        shown = max(GRID, round(side * scale / GRID) * GRID)
        sayable = [sample for sample in samples if sample.kind in TRUE_IN_A_CROP and sample.mask.any()]
        for sample in sayable:
            (top, bottom), (left, right) = (_ends(sample.mask, axis) for axis in (1, 0))
            if max(bottom - top, right - left) > side:
                continue
            view = View(
                int(rng.integers(max(0, bottom - side), min(top, height - side) + 1)),
                int(rng.integers(max(0, right - side), min(left, width - side) + 1)),
                side,
                side,
                (shown, shown),
            )
            inside = [each for each in sayable if _share_in(view, each) == 1]
            outside = [each for each in sayable if _share_in(view, each) == 0]
            return view, inside[: MOST_SENTENCES - 1] + outside[:1]
        return None

    def _collate(self, view: View, samples: Sequence[Sample]) -> Batch:
        height, width = view.shown
        picture = Image.fromarray(np.ascontiguousarray(view.of(samples[0].image)))
        image = self.framing.normalise(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)))
        masks = [_half_size(view.of(sample.mask), (height // 2, width // 2)) for sample in samples]
        return Batch(
            ids=torch.from_numpy(self.tokenizer([sample.text for sample in samples])),
            mask=torch.from_numpy(np.stack(masks)[:, None]),
            image=torch.from_numpy(image)[None],
            image_of=torch.zeros(len(samples), dtype=torch.long),
        )


def whole_view(size: tuple[int, ...], longest: int) -> View:
    """All of a picture of ``size`` (height, width), its longest side shown with ``longest`` pixels."""
    height, width = size
    shown = tuple(max(GRID, round(side * longest / max(size) / GRID) * GRID) for side in (height, width))
    return View(0, 0, height, width, (shown[0], shown[1]))


def _ends(mask: np.ndarray, axis: int) -> tuple[int, int]:
    """Where a mask begins and ends: its rows (axis 1) or its columns (axis 0)."""
    places = np.flatnonzero(mask.any(axis))
    return int(places[0]), int(places[-1]) + 1


def _share_in(view: View, sample: Sample) -> float:
    return np.count_nonzero(view.of(sample.mask)) / np.count_nonzero(sample.mask)


def _half_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask (H W) at ``size``: float32 in [0, 1], the share of each pixel."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(grey, np.float32) / 255
