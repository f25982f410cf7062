"""Training batches of photographs from cached patch features.

A batch depends only on the seed and the step, so a resumed run sees the same batches as an uninterrupted one, and no
position in the data has to be saved.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from restr.data.batch import Batch
from restr.errors import DataError
from restr.files import read_lines
from restr.masks import rle_decode
from restr.text.tokenizer import Tokenizer
from restr.training.cached.features import FeatureStore

_MAX_KEPT_BYTES = 1 << 30  # of resized masks, in each process that prepares batches


@dataclass(frozen=True)
class CachedSentence:
    """A sentence about a photograph."""

    text: str
    """The sentence."""

    targets: tuple[int, ...]
    """Indices of the masks whose union it names."""

    kind: str = "other"
    """The kind of sentence."""


@dataclass(frozen=True)
class CachedPhotograph:
    """A photograph whose features are in a store."""

    name: str
    """Its key in the feature store."""

    masks: tuple[dict, ...]
    """Its masks, COCO RLE."""

    sentences: tuple[CachedSentence, ...]
    """Its sentences."""


def read_photographs(path: Path) -> list[CachedPhotograph]:
    """Photographs with their sentences, one JSON object per line: name, masks (run lengths), sentences.

    A sentence is [text, indices of its masks, kind]. ``recipes/restr_small/make_sentences.py`` writes such files.
    """
    rows = map(json.loads, read_lines(path))
    return [
        CachedPhotograph(
            name=row["name"],
            masks=tuple(row["masks"]),
            sentences=tuple(CachedSentence(text, tuple(targets), kind) for text, targets, kind in row["sentences"]),
        )
        for row in rows
    ]


class CachedBatches:
    """Batches from cached features: every photograph once per epoch, with ``per_image`` of its sentences.

    All photographs of a batch have the same patch grid, so nothing is padded. Several sentences about one photograph in
    a batch teach by contrast which of the instances is meant.

    word_dropout: share of the words that become the unknown word, so that it is learnt.
    stride: mask pixels per side of a patch: the patch size, divided by 2 for each coarse block (``Decoder.coarse``).
    every: keep every n-th row and column of patches, from a random first one. 2 keeps a quarter of the tokens, which
    suits training that is about words, not borders.
    fill: if the last photographs of a grid do not fill a batch, repeat others of this grid instead of dropping them.
    """

    def __init__(
        self,
        photographs: Sequence[CachedPhotograph],
        store: FeatureStore,
        tokenizer: Tokenizer,
        *,
        batch: int = 24,
        per_image: int = 3,
        stride: int = 16,
        seed: int = 0,
        word_dropout: float = 0.0,
        every: int = 1,
        fill: bool = False,
    ) -> None:
        if batch % per_image:
            raise DataError(f"batch {batch} is not a multiple of per_image {per_image}; change one of them")
        if stride % every or (every - 1) * (stride // every) % 2:
            raise DataError(
                f"stride {stride} and every {every}: a mask pixel would lie across two patches; use an every of 1 or 2 "
                "and a stride that is a multiple of 4"
            )
        self.store, self.tokenizer = store, tokenizer
        self.per_image, self.images, self.stride, self.seed = per_image, batch // per_image, stride, seed
        self.word_dropout, self.every, self.fill = word_dropout, every, fill
        self.buckets: dict[tuple[int, int], list[CachedPhotograph]] = defaultdict(list)
        self.masks: dict[str, tuple[dict, ...]] = {}
        for photograph in photographs:
            if photograph.name in store and photograph.sentences:
                self.buckets[store.entries[photograph.name].grid].append(photograph)
                if self.masks.setdefault(photograph.name, photograph.masks) != photograph.masks:
                    raise DataError(
                        f"two photographs are called {photograph.name}, with different masks; rename one of them"
                    )
        self.per_epoch = sum(
            (len(bucket) + fill * (self.images - 1)) // self.images for bucket in self.buckets.values()
        )
        if not self.per_epoch:
            raise DataError(
                f"no patch grid has the {self.images} photographs that a batch needs: "
                f"{sum(map(len, self.buckets.values()))} photographs have features and sentences; "
                "add some or choose a smaller batch"
            )
        self._epoch: tuple[int, list[list[CachedPhotograph]]] = (-1, [])
        self._kept: dict[tuple[str, tuple[int, ...]], np.ndarray] = {}  # decoding masks is most of the cost of a batch
        self._kept_bytes = 0

    def batch(self, step: int) -> Batch:
        """The batch of a step: patches (b n d) in half precision, mask (b 1 stride*h stride*w)."""
        epoch, position = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._schedule(epoch))
        rng = np.random.default_rng((self.seed, 1, step))
        photographs = self._epoch[1][position]
        grid = whole = self.store.entries[photographs[0].name].grid
        first = int(rng.integers(self.every)), int(rng.integers(self.every))
        rows, columns = (slice(start, None, self.every) for start in first)
        patches, texts, masks = [], [], []
        for photograph in photographs:
            tokens = self.store[photograph.name].reshape(*whole, -1)[rows, columns]
            grid = (tokens.shape[0], tokens.shape[1])
            patches.append(torch.from_numpy(tokens.reshape(-1, tokens.shape[2]).copy()))
            count = len(photograph.sentences)
            for i in rng.choice(count, self.per_image, replace=count < self.per_image):
                sentence = photograph.sentences[i]
                texts.append(sentence.text)
                masks.append(self._mask(photograph, sentence, whole, grid, first))
        ids = self.tokenizer(texts)
        if self.word_dropout:
            unknown = self.tokenizer.vocabulary.unknown_row
            ids = np.where((ids > unknown) & (rng.random(ids.shape) < self.word_dropout), unknown, ids)
        return Batch(
            ids=torch.from_numpy(ids),
            mask=torch.stack(masks),
            patches=torch.stack(patches).repeat_interleave(self.per_image, 0),
            grid=grid,
        )

    def _schedule(self, epoch: int) -> list[list[CachedPhotograph]]:
        rng = np.random.default_rng((self.seed, 0, epoch))
        batches = []
        for grid in sorted(self.buckets):
            bucket = self.buckets[grid]
            order = rng.permutation(len(bucket))
            if self.fill:
                order = np.concatenate([order, rng.integers(0, len(bucket), -len(bucket) % self.images)])
            whole = len(order) // self.images * self.images
            batches += [[bucket[i] for i in row] for row in order[:whole].reshape(-1, self.images)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _mask(
        self,
        photograph: CachedPhotograph,
        sentence: CachedSentence,
        whole: tuple[int, int],
        grid: tuple[int, int],
        first: tuple[int, int],
    ) -> Tensor:
        """The mask of a sentence (1 stride*h stride*w) on the kept patches, each in the middle of its cell."""
        size = grid[0] * self.stride, grid[1] * self.stride
        if not sentence.targets:
            return torch.zeros(1, *size)
        mask = self._resized(photograph.name, sentence.targets, whole)
        if self.every > 1:
            # the cell of patch p, ``every`` patches wide, begins (every - 1) / 2 patches before p
            fine = self.stride // self.every
            mask = np.pad(mask, self.stride, mode="edge")
            top, left = (self.stride + start * fine - (self.every - 1) * fine // 2 for start in first)
            mask = mask[top : top + size[0], left : left + size[1]]
        return torch.from_numpy(mask.astype(np.float32) / 255)[None]

    def _resized(self, name: str, targets: tuple[int, ...], whole: tuple[int, int]) -> np.ndarray:
        """The union of these masks over the whole grid, stride / every pixels per patch: uint8, 255 = foreground."""
        if (name, targets) in self._kept:
            return self._kept[name, targets]
        union = np.logical_or.reduce([rle_decode(self.masks[name][i]) for i in targets])
        fine = self.stride // self.every
        mask = torch.from_numpy(union.astype(np.float32))[None, None]
        mask = F.interpolate(
            mask, size=(whole[0] * fine, whole[1] * fine), mode="bilinear", align_corners=False, antialias=True
        )
        resized = (mask[0, 0] * 255).round().byte().numpy()
        if self._kept_bytes + resized.nbytes <= _MAX_KEPT_BYTES:
            self._kept[name, targets] = resized
            self._kept_bytes += resized.nbytes
        return resized
