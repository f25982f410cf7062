"""Own pictures for fine-tuning: which are held out, and the features that the frozen vision encoder computes once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from restr.data.dataset import IndexedSamples
from restr.data.sample import Sample
from restr.errors import DataError
from restr.masks import rle_decode, rle_encode
from restr.model.restr import ReSTR
from restr.training.cached.features import FeatureStore, cache_features, fingerprint_of
from restr.training.cached.loader import CachedPhotograph, CachedSentence

_HELD_OUT = 8  # without a val split, every 8th picture is held out
CountProgress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class PictureSplit:
    """The indices of the samples of each picture."""

    train: tuple[Sequence[int], ...]
    """Pictures to train on."""

    val: tuple[Sequence[int], ...]
    """Pictures to measure with."""


def split_pictures(samples: IndexedSamples) -> PictureSplit:
    """The splits "train" and "val" if the data has both, else a split by picture that is always the same.

    Raises ``DataError`` if either side is empty.
    """
    groups = samples.image_groups()
    names = [samples.entry(group[0]) for group in groups]
    if {"train", "val"} <= {entry.split for entry in names}:
        sides = [{"train": "train", "val": "val"}.get(entry.split) for entry in names]
    else:
        ranks = np.argsort(np.argsort([zlib.crc32(entry.image.encode()) for entry in names], kind="stable"))
        sides = ["val" if rank % _HELD_OUT == 0 else "train" for rank in ranks]
    found = {side: tuple(g for g, s in zip(groups, sides, strict=True) if s == side) for side in ("train", "val")}
    if not found["train"] or not found["val"]:
        raise DataError(
            f"there are {len(groups)} pictures, {len(found['train'])} to train on and {len(found['val'])} to measure "
            "with; give at least two, or the splits train and val"
        )
    return PictureSplit(train=found["train"], val=found["val"])


@dataclass(frozen=True, kw_only=True)
class OwnPicture:
    """An opened picture without its pixels, whose features are in the feature store."""

    photograph: CachedPhotograph
    """Masks and sentences."""

    size: tuple[int, int]
    """H, W."""

    ids: tuple[str, ...]
    """The id of each sentence's sample."""

    image_id: str
    """The image id of the samples."""

    def samples(self) -> list[Sample]:
        """The samples, in order; their image has the right size, but is black."""
        blank = np.broadcast_to(np.uint8(0), (*self.size, 3))
        return [
            Sample(
                id=id_,
                image=blank,
                text=sentence.text,
                mask=self._mask(sentence),
                kind=sentence.kind,
                image_id=self.image_id,
            )
            for id_, sentence in zip(self.ids, self.photograph.sentences, strict=True)
        ]

    def _mask(self, sentence: CachedSentence) -> np.ndarray:
        return rle_decode(self.photograph.masks[sentence.targets[0]]) if sentence.targets else np.zeros(self.size, bool)


@torch.inference_mode()
def open_pictures(
    model: ReSTR,
    samples: IndexedSamples,
    groups: Sequence[Sequence[int]],
    folder: Path,
    *,
    progress: CountProgress = lambda count: None,
) -> tuple[list[OwnPicture], FeatureStore]:
    """Open each picture once: keep its masks and sentences, and encode it unless its features are in ``folder``.

    Can be interrupted and resumed. ``progress`` is called with 1 after each picture.
    """
    config, vision = model.config, model.vision.eval()
    device = next(model.parameters()).device
    pictures: list[OwnPicture] = []
    image = np.empty((0, 0, 3), np.uint8)

    def opened() -> Iterator[str]:
        nonlocal image
        for group in groups:
            listed = [samples[number] for number in group]
            image = listed[0].image
            pictures.append(_picture(samples.entry(group[0]).image, listed))
            yield pictures[-1].photograph.name
            progress(1)

    def encode(name: str) -> tuple[np.ndarray, tuple[int, int]]:
        values = config.framing.prepare(image)
        patches, grid = vision(torch.from_numpy(values)[None].to(device))
        return patches[0].float().cpu().numpy(), grid

    fingerprint = fingerprint_of(vision.state_dict(), (config.preprocess, config.vision.taps))
    cache_features(opened(), encode, folder, width=config.vision.width_out, fingerprint=fingerprint)
    return pictures, FeatureStore(folder)


def _picture(name: str, samples: Sequence[Sample]) -> OwnPicture:
    masks: dict[str, dict] = {}
    sentences = []
    for sample in samples:
        targets: tuple[int, ...] = ()
        if sample.mask.any():
            rle = rle_encode(sample.mask)
            masks.setdefault(rle["counts"], rle)
            targets = (list(masks).index(rle["counts"]),)
        sentences.append(CachedSentence(sample.text, targets, sample.kind))
    height, width = samples[0].mask.shape
    return OwnPicture(
        photograph=CachedPhotograph(name=name, masks=tuple(masks.values()), sentences=tuple(sentences)),
        size=(height, width),
        ids=tuple(sample.id for sample in samples),
        image_id=samples[0].image_id,
    )
