"""Own data for a model that is trained already: its pictures through the frozen vision encoder once, its sentences as batches."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from restr.data.dataset import Samples
from restr.data.features import FeatureStore, cache_features, fingerprint_of
from restr.data.loader import CachedBatches, Photograph, Sentence
from restr.errors import DataError
from restr.losses import segmentation_loss
from restr.masks import rle_encode
from restr.model.restr import ReSTR
from restr.preprocess import prepare
from restr.text.tokenizer import Tokenizer
from restr.training.config import TrainConfig
from restr.training.trainer import Trainer
from restr.training.validate import measure_cached

HELD_OUT = 8  # every so-many-th picture, where the data has no val split
COARSE = 2  # decoder blocks that keep the resolution: masks of a quarter of the side while training
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Division:
    """The numbers of the samples of each picture: to train on, and to measure with."""

    train: tuple[Sequence[int], ...]
    val: tuple[Sequence[int], ...]


def divide(samples: Samples) -> Division:
    """By the splits "train" and "val" where the data has both, else by picture, the same way every time.

    Raises ``DataError`` where either side stays empty.
    """
    groups = samples.image_groups()
    names = [samples.entry(group[0]) for group in groups]
    if {"train", "val"} <= {entry.split for entry in names}:
        sides = [{"train": "train", "val": "val"}.get(entry.split) for entry in names]
    else:
        ranks = np.argsort(np.argsort([zlib.crc32(entry.image.encode()) for entry in names], kind="stable"))
        sides = ["val" if rank % HELD_OUT == 0 else "train" for rank in ranks]
    found = {side: tuple(g for g, s in zip(groups, sides, strict=True) if s == side) for side in ("train", "val")}
    if not found["train"] or not found["val"]:
        raise DataError(
            f"there are {len(groups)} pictures, {len(found['train'])} to train on and {len(found['val'])} to measure with; give "
            "at least two, or the splits train and val"
        )
    return Division(train=found["train"], val=found["val"])


def photographs(samples: Samples, groups: Sequence[Sequence[int]]) -> list[Photograph]:
    """Each picture's masks and sentences, by the picture's path."""
    found = []
    for group in groups:
        masks: dict[str, dict] = {}
        sentences = []
        for number in group:
            sample = samples[number]
            targets: tuple[int, ...] = ()
            if sample.mask.any():
                rle = rle_encode(sample.mask)
                masks.setdefault(rle["counts"], rle)
                targets = (list(masks).index(rle["counts"]),)
            sentences.append(Sentence(sample.text, targets, sample.kind))
        name = samples.entry(group[0]).image
        found.append(Photograph(name=name, masks=tuple(masks.values()), sentences=tuple(sentences)))
    return found


@torch.inference_mode()
def cache_patches(
    model: ReSTR,
    samples: Samples,
    groups: Sequence[Sequence[int]],
    folder: Path,
    progress: Progress = lambda count: None,
) -> FeatureStore:
    """Encode each picture that ``folder`` lacks; it can be stopped and gone on with. progress: pictures done."""
    config, vision = model.config, model.vision.eval()
    device = next(model.parameters()).device
    first = {samples.entry(group[0]).image: group[0] for group in groups}

    def encode(name: str) -> tuple[np.ndarray, tuple[int, int]]:
        image = prepare(samples[first[name]].image, config.preprocess, config.vision.patch)
        patches, grid = vision(torch.from_numpy(image)[None].to(device))
        return patches[0].float().cpu().numpy(), grid

    def counted():
        for name in first:
            yield name
            progress(1)

    fingerprint = fingerprint_of(vision.state_dict(), (config.preprocess, config.vision.taps))
    cache_features(counted(), encode, folder, width=config.vision.width_out, fingerprint=fingerprint)
    return FeatureStore(folder)


def finetuner(
    model: ReSTR,
    tokenizer: Tokenizer,
    train: Sequence[Photograph],
    val: Sequence[Photograph],
    store: FeatureStore,
    settings: TrainConfig,
    folder: Path,
    *,
    batch: int = 16,
    per_image: int = 2,
    resume: bool = False,
) -> Trainer:
    """A trainer of everything but the vision encoder, that measures on ``val`` and keeps the best."""
    model.vision.requires_grad_(False)
    model.decoder.coarse = min(COARSE, model.config.vision.patch.bit_length() - 1)
    stride = model.config.vision.patch >> model.decoder.coarse
    batches = partial(CachedBatches, store=store, tokenizer=tokenizer, stride=stride, fill=True)
    return Trainer(
        model,
        batches(train, batch=batch, per_image=per_image, seed=settings.seed, word_dropout=0.03),
        settings,
        folder,
        resume=resume,
        loss=partial(segmentation_loss, dice_weight=1.0, patch_weight=1.0, patch_share=None),
        evaluate=partial(measure_cached, batches=batches(val, batch=8, per_image=2, seed=1)),
    )
