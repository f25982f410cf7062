"""The batches that a process trains on, in order, prepared ahead by others."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from functools import partial
from typing import Self

import torch
from torch.utils.data import DataLoader

from restr.data.batch import Batch, Batches
from restr.errors import DataError, RestrError
from restr.model.device import keep_freed_memory
from restr.training.loop.signals import leave_signals_to_the_trainer

logger = logging.getLogger("restr")

# A process that died after it had announced a batch: its tensors' memory can no longer be fetched from it.
HANDED_OVER_BY_THE_DEAD = (ConnectionError, EOFError, FileNotFoundError)
MOST_DEATHS = 3  # of processes that prepare batches, in one run; more mean that it will not end


class BatchStream(Iterator[Batch]):
    """The batches of some places, one after the other.

    With workers, processes prepare them while this one computes. If one of those dies (out of memory, killed), they are all
    started again at the same place; after ``MOST_DEATHS`` times ``DataError`` says so. An error that a batch raises there is
    raised here.
    """

    def __init__(self, batches: Batches, places: range, workers: int) -> None:
        self.batches, self.left, self.workers = batches, places, workers
        self.deaths = 0
        self._loaded = self._start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        while True:
            try:
                batch = next(self._loaded)
            except (RuntimeError, *HANDED_OVER_BY_THE_DEAD) as error:
                own = isinstance(error, RuntimeError) and "DataLoader worker" not in str(error)
                if not self.workers or own or str(error).startswith("Caught "):  # raised in a worker, which lives
                    raise
                self.deaths += 1
                if self.deaths > MOST_DEATHS:
                    raise DataError(
                        f"a process that prepares batches has died for the {self.deaths}th time ({error}); is memory short? use "
                        f"fewer workers than {self.workers}, then resume"
                    ) from error
                logger.warning("a process that prepares batches has died and is started again: %s", error)
                self._loaded = self._start()
                continue
            if isinstance(batch, Exception):
                raise batch
            self.left = self.left[1:]
            return batch

    def _start(self) -> Iterator[Batch | Exception]:
        loader = DataLoader(
            self.left,  # type: ignore[arg-type]  # the "dataset" is the places, each "collated" into its batch
            batch_size=None,
            num_workers=self.workers,
            collate_fn=partial(_prepared, self.batches),  # type: ignore[arg-type]
            worker_init_fn=_worker,
            generator=torch.Generator(),  # the loader draws a seed: not from the generator that a resume restores
        )
        handler = signal.getsignal(signal.SIGCHLD)
        loaded = iter(loader)
        if threading.current_thread() is threading.main_thread():
            # torch's handler would raise a worker's death wherever this process is just then; ``next`` finds it out by itself
            signal.signal(signal.SIGCHLD, handler)
        return loaded


def _prepared(batches: Batches, place: int) -> Batch | Exception:
    """A batch, or why there is none; a process could hand over an error only as a wall of text."""
    try:
        return batches.batch(place)
    except RestrError as error:
        return error


def _worker(_: int) -> None:
    """How a process that prepares batches begins: one thread, since each core has a process of its own to feed."""
    leave_signals_to_the_trainer()
    keep_freed_memory()
    torch.set_num_threads(1)
