"""The content of a training step: random photographs, a random view of each, and sentences that are true of the view.

Of 100 sentences 12 are borrowed from another photograph (they name a category that this one does not show), 14 are of kind
absent, 22 generated, 2 captions, and the rest everyday sentences. A photograph that lacks the kind gives another one. 55 of
100 views show the whole photograph; the others are crops, and their sentences are free of places and of comparisons.
"""

from __future__ import annotations

import math
import queue
import threading
from collections import defaultdict
from collections.abc import Generator
from typing import NamedTuple

import numpy as np
from packed import ABSENT, CAPTION, GENERATED, ONE, PHOTOS_BOXES, PHOTOS_MORE, Data

from restr.errors import DataError

BORROWED_SHARE = 0.12  # unless told otherwise
SHARES = (("absent", 0.14), ("generated", 0.22), ("caption", 0.02))  # what is left is "everyday"
WHOLE_SHARE = 0.55
POOLS = {ABSENT: "absent", CAPTION: "caption", GENERATED: "generated"}
RARER = "feralcat"  # file names that begin so are half as likely: very many photographs of one category

Pools = dict[tuple[str, bool], np.ndarray]  # (kind, whole view) -> sentences


class Drawn(NamedTuple):
    """A step's choice: photo (b), sentence (b k), borrowed bool (b k); the views: x and y (b 2), each (step, start), pixels
    of the photograph; mirror bool (b); shape: height and width of the views."""

    photo: np.ndarray
    sentence: np.ndarray
    borrowed: np.ndarray
    x: np.ndarray
    y: np.ndarray
    mirror: np.ndarray
    shape: tuple[int, int]


class Draw:
    """Draws steps of ``photos`` photographs with ``each`` sentences, all upright or all lying: ``shape`` is that of lying ones.

    Photographs with more sentences are likelier. Raises ``DataError`` if there is nothing to train on.
    """

    def __init__(
        self,
        data: Data,
        photos: int,
        each: int,
        seed: tuple[int, ...],
        shape: tuple[int, int],
        borrowed: float = BORROWED_SHARE,
    ) -> None:
        self.borrowed = borrowed
        self.table, self.photos, self.each, self.shape = data.table, photos, each, shape
        self.rng = np.random.default_rng(seed)
        self.pools = self._pools(len(data.there))
        table = data.table
        usable = data.there & ~table.val & np.array([bool(pools) for pools in self.pools])
        if not usable.any():
            raise DataError(
                f"none of {len(usable)} photographs is there, not held out and spoken of; pack more of them"
            )
        written = np.bincount(table.photo[table.kind != GENERATED], minlength=len(usable))
        weight = np.sqrt(4.0 + written) * usable
        weight[np.char.startswith(table.name, RARER)] *= 0.5
        height, width = table.size.T.astype(float)
        lying, upright = usable & (width >= 0.9 * height), usable & (height > 0.9 * width)
        self.lying, self.upright = _Choice.of(lying, weight), _Choice.of(upright, weight)
        self.lying_share = weight[width > height].sum() / weight.sum()
        if not lying.any() or not upright.any():
            self.lying_share = float(lying.any())
        # categories of which every photograph of COCO is known to show one or none
        self.known = known = np.logical_or.reduce(table.shows[table.source == PHOTOS_BOXES])
        lendable = (table.named >= 0) & ~table.place & np.isin(table.kind, (ONE, GENERATED)) & known[table.named]
        self.lendable = np.flatnonzero(lendable & ~table.val[table.photo])
        self.borrows = table.complete | (table.source == PHOTOS_MORE)  # there ``shows`` has what may be unannotated too

    def _pools(self, photographs: int) -> list[Pools]:
        table, free = self.table, ~self.table.place
        listed: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(photographs)]
        for row, (photo, kind) in enumerate(zip(table.photo.tolist(), table.kind.tolist(), strict=True)):
            listed[photo][POOLS.get(kind, "everyday")].append(row)
        found = []
        for kinds in listed:
            arrays = {kind: np.array(rows) for kind, rows in kinds.items()}
            pools: Pools = {(kind, True): rows for kind, rows in arrays.items()}
            pools |= {(kind, False): rows[free[rows]] for kind, rows in arrays.items() if free[rows].any()}
            found.append(pools)
        return found

    def __call__(self) -> Drawn:
        rng, (low, long) = self.rng, self.shape
        lies = rng.random() < self.lying_share
        choice = self.lying if lies else self.upright
        photo = rng.choice(choice.rows, self.photos, replace=len(choice.rows) < self.photos, p=choice.weight)
        shape = (low, long) if lies else (long, low)
        whole = rng.random(self.photos) < WHOLE_SHARE
        sentence = np.zeros((self.photos, self.each), np.int64)
        borrowed = np.zeros((self.photos, self.each), bool)
        for i, number in enumerate(photo):
            for j in range(self.each):
                sentence[i, j], borrowed[i, j] = self._sentence(int(number), bool(whole[i]), sentence[i, :j])
        x, y = self._views(self.table.size[photo].astype(float), shape, whole)
        return Drawn(photo, sentence, borrowed, x, y, rng.random(self.photos) < 0.5, shape)

    def _sentence(self, photo: int, whole: bool, taken: np.ndarray) -> tuple[int, bool]:
        """A sentence, and whether it is borrowed."""
        lot = self.rng.random()
        if lot < self.borrowed:
            row = self.borrow(photo)
            if row is not None:
                return row, True
        wanted, limit = "everyday", self.borrowed
        for kind, share in SHARES:
            limit += share
            if lot < limit:  # if none could be borrowed, this is the first kind: absent
                wanted = kind
                break
        pools = self.pools[photo]
        for kind in (wanted, "everyday", "generated", "absent", "caption"):
            rows = pools.get((kind, whole))
            if rows is not None:
                tried = rows[self.rng.integers(len(rows), size=3)].tolist()
                return next((row for row in tried if row not in taken), tried[-1]), False  # rather not the same again
        return int(next(iter(pools.values()))[0]), False  # none is free of places: what is seen of it decides

    def borrow(self, photo: int) -> int | None:
        """A sentence of another photograph that names a category which this one does not show, or None."""
        if self.borrows[photo] and len(self.lendable):
            for _ in range(8):
                row = int(self.lendable[self.rng.integers(len(self.lendable))])
                if not self.table.shows[photo, self.table.named[row]]:
                    return row
        return None

    def _views(self, size: np.ndarray, shape: tuple[int, int], whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of ``Drawn`` for photographs of size (b 2).

        A whole view is the photograph as large as fits, half of the time smaller and stretched a little, with room around it.
        A crop is 1.1 to 2.2 times as large.
        """
        rng, b = self.rng, len(size)
        fit = np.minimum(shape[0] / size[:, 0], shape[1] / size[:, 1])
        plain = rng.random(b) < 0.5
        smaller = np.where(plain, 1.0, rng.uniform(0.65, 1.0, b))
        larger = np.exp(rng.uniform(math.log(1.1), math.log(2.2), b))
        scale = fit * np.where(whole, smaller, larger)
        stretch = np.where(whole & plain, 1.0, np.exp(rng.uniform(-0.12, 0.12, b)))
        found = []
        for axis, factor in ((1, stretch), (0, 1 / stretch)):
            step = 1 / (scale * factor)
            slack = size[:, axis] - shape[axis] * step  # below 0: room around the photograph
            found.append(np.stack([step, rng.random(b) * slack], 1))
        return found[0], found[1]


class _Choice(NamedTuple):
    """Photographs and how likely each is."""

    rows: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, some: np.ndarray, weight: np.ndarray) -> _Choice:
        rows = np.flatnonzero(some)
        return cls(rows, weight[rows] / max(weight[rows].sum(), 1e-9))


def prefetched(draw: Draw) -> Generator[Drawn, None, None]:
    """Endless steps, drawn in a thread, a few ahead; its errors are raised here."""
    ready: queue.Queue[Drawn | Exception] = queue.Queue(maxsize=8)
    ended = threading.Event()

    def put(item: Drawn | Exception) -> None:
        while not ended.is_set():
            try:
                return ready.put(item, timeout=0.5)
            except queue.Full:
                continue

    def work() -> None:
        while not ended.is_set():
            try:
                put(draw())
            except Exception as error:
                return put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        ended.set()
