"""The order in which an epoch visits samples: by place, so that a run resumes without having kept anything."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Order(Protocol):
    """A permutation for every epoch, which depends on nothing but the epoch and what the order was built with: not on how
    many processes there are, nor on what was visited before."""

    def __len__(self) -> int: ...

    def permutation(self, epoch: int) -> np.ndarray:
        """Every number below the length once: int64."""
        ...


class Uniform:
    """Any permutation as likely as any other."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.count)


class BlockOrder:
    """At random, but so that neighbours come from few blocks, which are read whole.

    A block is what one request fetches: samples beside each other in one file. Each epoch takes the files in another order, a
    ``window`` of them at a time; the window's blocks in a random order, as many at a time as ``mixed`` bytes hold; and the samples
    of those at random. So a process that visits all samples, and keeps ``mixed`` bytes and a block more, fetches every block once an
    epoch. Of several that take the batches in turn each fetches what its batches hold a part of: the more samples are mixed than a
    batch has, the more often a block is fetched.
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
        """files, blocks, sizes: int64 (samples) each: a sample's file, the number of its block there, the block's bytes."""
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
