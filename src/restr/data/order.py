"""The order in which an epoch visits samples, computed again when a run resumes: there is no state to save."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Order(Protocol):
    """A permutation for every epoch.

    It depends only on the epoch and the constructor's arguments, not on the number of processes or on earlier epochs.
    """

    def __len__(self) -> int: ...

    def permutation(self, epoch: int) -> np.ndarray:
        """Every number below the length once: int64."""
        ...


class Uniform:
    """A uniformly random permutation."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.count)


class BlockOrder:
    """A random order in which neighbours come from few blocks, so that each block is fetched once.

    A block is a run of samples in one file, fetched by one request. Each epoch shuffles the files and takes ``window``
    of them at a time. It shuffles the window's blocks and takes ``mixed`` bytes of them at a time. It visits the
    samples of these blocks at random. A process that visits all samples and keeps ``mixed`` bytes plus one block
    fetches every block once an epoch. With several processes, each fetches every block that its own batches touch.
    """

    def __init__(
        self,
        files: np.ndarray,
        blocks: np.ndarray,
        sizes: np.ndarray,
        *,
        seed: int,
        window: int = 8,
        mixed: int = 4 << 20,
    ) -> None:
        """files, blocks, sizes: int64 (samples) each: a sample's file, its block within the file, and the block's
        bytes."""
        changes = (np.diff(files, prepend=-1) != 0) | (np.diff(blocks, prepend=-1) != 0)
        starts = np.flatnonzero(changes)
        self.block_of = np.cumsum(changes) - 1
        _, self.file_of = np.unique(files[starts], return_inverse=True)
        self.sizes = sizes[starts]
        self.seed, self.window, self.mixed = seed, window, mixed

    def __len__(self) -> int:
        return len(self.block_of)

    def permutation(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch])
        windows = rng.permutation(self.file_of.max() + 1)[self.file_of] // self.window
        turn = np.lexsort((rng.random(len(windows)), windows))  # of the blocks: by window, at random within one
        sizes = self.sizes[turn]
        pools = np.empty_like(turn)
        pools[turn] = (np.cumsum(sizes) - sizes) // self.mixed
        return np.lexsort((rng.random(len(self)), pools[self.block_of]))
