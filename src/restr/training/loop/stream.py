"""The batches that a process trains on, in order, prepared ahead by worker processes."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from functools import partial
from typing import Self

import torch
from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling

from restr.data.batch import Batch, Batches
from restr.errors import DataError, RestrError
from restr.model.device import keep_freed_memory
from restr.training.loop.signals import ignore_interrupts

_logger = logging.getLogger("restr")

# Raised if a worker has died after it announced a batch: the memory of the batch can no longer be fetched from it.
_FETCH_FAILED = (ConnectionError, EOFError, FileNotFoundError)
_MAX_RESTARTS = 3  # of the workers in one run; a further death means that it will not end


class BatchStream(Iterator[Batch]):
    """The batches at some positions, one after the other.

    With ``workers`` > 0, worker processes prepare them while this one computes. If a worker dies (out of memory,
    killed), all are restarted at the same position, at most ``_MAX_RESTARTS`` times; then ``DataError`` is raised. An
    error that a batch raises in a worker is raised here.
    """

    def __init__(self, batches: Batches, positions: range, workers: int) -> None:
        self.batches, self.positions, self.workers = batches, positions, workers
        self.deaths = 0
        self._loaded = self._start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        while True:
            try:
                batch = next(self._loaded)
            except (RuntimeError, *_FETCH_FAILED) as error:
                if not self._is_death(error):
                    raise
                self.deaths += 1
                if self.deaths > _MAX_RESTARTS:
                    raise DataError(
                        f"a process that prepares batches has died for the {self.deaths}th time ({error}); is memory "
                        f"short? use fewer workers than {self.workers}, then resume"
                    ) from error
                _logger.warning("a process that prepares batches has died and is started again: %s", error)
                self._loaded = self._start()
                continue
            if isinstance(batch, Exception):
                raise batch
            self.positions = self.positions[1:]
            return batch

    def _is_death(self, error: Exception) -> bool:
        """Whether an error of the loader means that a worker died; else it was raised by a batch."""
        if not self.workers or str(error).startswith("Caught "):  # raised in a worker that is alive
            return False
        return not isinstance(error, RuntimeError) or "DataLoader worker" in str(error)

    def _start(self) -> Iterator[Batch | Exception]:
        loader = DataLoader(
            self.positions,  # type: ignore[arg-type]  # the "dataset" is the positions, each "collated" into its batch
            batch_size=None,
            num_workers=self.workers,
            collate_fn=partial(_batch_or_error, self.batches),  # type: ignore[arg-type]
            worker_init_fn=_start_worker,
            generator=torch.Generator(),  # for the seed that the loader draws: a resumed run must not miss it
        )
        if threading.current_thread() is not threading.main_thread():
            return iter(loader)  # no other thread may set handlers, torch's neither
        # torch's handler, which this loader sets or another one has left, raises a worker's death at any point of this
        # process, also while a death is dealt with; ``next`` notices it by itself. Anybody else's handler is put back.
        handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            return iter(loader)
        finally:
            is_torchs = getattr(handler, "__module__", "") == signal_handling.__name__
            signal.signal(signal.SIGCHLD, signal.SIG_DFL if is_torchs else handler)


def _batch_or_error(batches: Batches, position: int) -> Batch | Exception:
    """A batch, or the error that it raised: a worker can only pass on a raised error as a wall of text."""
    try:
        return batches.batch(position)
    except RestrError as error:
        return error


def _start_worker(_: int) -> None:
    """How a worker process starts: with one thread, as there may be a process for each core."""
    ignore_interrupts()
    keep_freed_memory()
    torch.set_num_threads(1)
