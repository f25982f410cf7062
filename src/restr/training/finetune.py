"""Own data for a model that is trained already: its pictures through the frozen vision encoder once, its sentences as batches."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from restr.data.dataset import IndexedSamples
from restr.data.sample import Sample
from restr.errors import DataError
from restr.losses import segmentation_loss
from restr.masks import rle_decode, rle_encode
from restr.model.restr import ReSTR
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.cached.features import FeatureStore, cache_features, fingerprint_of
from restr.training.cached.loader import CachedBatches, CachedPhotograph, CachedSentence
from restr.training.cached.rehearsal import Alternating, Rehearsal
from restr.training.config import TrainConfig
from restr.training.loop.trainer import Trainer
from restr.training.loop.validate import measure_cached
from restr.training.new_words import add_words, new_words

HELD_OUT = 8  # every so-many-th picture, where the data has no val split
EVERY = 2  # every so-many-th row and column of patches: what is new are things and their names, not how borders run
COARSE = 2  # decoder blocks that keep the resolution: masks of a quarter of the side while training
WATCHED = 64  # held-out sentences that choose the best weights, if there are so many: fewer choose by chance
CountProgress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Division:
    """The numbers of the samples of each picture: to train on, and to measure with."""

    train: tuple[Sequence[int], ...]
    val: tuple[Sequence[int], ...]


def divide(samples: IndexedSamples) -> Division:
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


@dataclass(frozen=True, kw_only=True)
class OwnPicture:
    """What is kept of a picture that was opened: its masks and sentences, and its size (H W).

    numbers: of its samples; image_id: as theirs. The pixels are gone; what the encoder made of them is in the feature store.
    """

    photograph: CachedPhotograph
    size: tuple[int, int]
    ids: tuple[str, ...]
    image_id: str

    def samples(self) -> list[Sample]:
        """The samples, in order; the image has the right size and no pixels of its own."""
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
    """Open each picture once: keep its masks and sentences, and encode it, if ``folder`` lacks it.

    It can be stopped and gone on with. progress: pictures done.
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


def finetuner(
    model: ReSTR,
    tokenizer: Tokenizer,
    train: Sequence[CachedPhotograph],
    val: Sequence[CachedPhotograph],
    store: FeatureStore,
    settings: TrainConfig,
    folder: Path,
    *,
    batch: int = 16,
    per_image: int = 2,
    resume: bool = False,
) -> tuple[Trainer, Vocabulary]:
    """A trainer of everything but the vision encoder, that measures on ``val`` and keeps the best; and the vocabulary.

    Words that are new to the model get rows in its table (``restr.training.new_words``); where ``settings.accumulate`` is 2
    every second batch is about ordinary sentences (``restr.training.cached.rehearsal``).
    """
    model.vision.requires_grad_(False)
    model.decoder.coarse = min(COARSE, model.config.vision.patch.bit_length() - 1)
    stride = model.config.vision.patch >> model.decoder.coarse
    every = EVERY if stride % (2 * EVERY) == 0 else 1
    rehearsal = None
    if settings.accumulate == 2:  # asked before training changes anything
        names = [photograph.name for photograph in train]
        rehearsal = Rehearsal(model, tokenizer, store, names, batch=max(batch // 2, 2), seed=settings.seed)
    words = new_words((s.text for photograph in train for s in photograph.sentences), tokenizer.vocabulary)
    vocabulary = add_words(model, tokenizer.vocabulary, words)
    batches = partial(
        CachedBatches, store=store, tokenizer=Tokenizer.of(vocabulary, model.config), stride=stride, fill=True
    )
    new = batches(train, batch=batch, per_image=per_image, seed=settings.seed, word_dropout=0.03, every=every)
    each = min(max(-(-WATCHED // len(val)), 2), 8)
    trainer = Trainer(
        model,
        Alternating(new, rehearsal) if rehearsal else new,
        settings,
        folder,
        resume=resume,
        loss=partial(segmentation_loss, dice_weight=1.0, patch_weight=1.0, patch_share=None),
        evaluate=partial(measure_cached, batches=batches(val, batch=8, per_image=each, seed=1)),
    )
    return trainer, vocabulary
