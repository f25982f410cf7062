"""A long evaluation: images are shared among processes and written down one by one, so that it can be interrupted and
resumed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from os import PathLike

from restr.data.sample import SampleSource
from restr.errors import ConfigError, DataError
from restr.evaluation.evaluate import Record, measure_image
from restr.evaluation.journal import Journal
from restr.evaluation.protocol import EvalProtocol
from restr.inference.segmenter import Segmenter

_AHEAD = 3  # images queued for each process


@dataclass(frozen=True, kw_only=True)
class Measurer:
    """Everything that measuring an image needs."""

    segmenter: Segmenter
    """Framed as the protocol demands."""
    samples: SampleSource
    """All of them, of which ``records`` opens some."""
    protocol: EvalProtocol
    """How masks are compared."""
    seed: int | None
    """Of the control's sentences; None for no control."""

    def records(self, numbers: Sequence[int]) -> list[Record]:
        """The records of one image's samples."""
        group = [self.samples[number] for number in numbers]
        return measure_image(self.segmenter, group, self.protocol, self.seed)


@dataclass(frozen=True, kw_only=True)
class EvalSetup:
    """All that a process needs to make its ``Measurer``; sent to each process."""

    samples: SampleSource
    """All samples."""
    model: str | PathLike[str] | None
    """As ``Segmenter.from_pretrained`` takes it, like device, backend and precision."""
    protocol: EvalProtocol
    """How masks are compared."""
    seed: int | None = 0
    """Of the control's sentences; None for no control."""
    device: str = "auto"
    """Where the model runs."""
    backend: str = "own"
    """The runtime; "own" is PyTorch for a model folder, and an export's own."""
    precision: str = "auto"
    """The model's number format."""
    threads: int = 0
    """CPU threads of all processes together; 0 lets the runtime choose."""

    def open(self, processes: int = 1) -> Measurer:
        """Load the model, for one of ``processes`` workers."""
        threads = self.threads if processes == 1 else max(1, (self.threads or os.cpu_count() or 1) // processes)
        segmenter = Segmenter.from_pretrained(
            self.model, device=self.device, backend=self.backend, precision=self.precision, threads=threads
        )
        framed = segmenter.with_framing(self.protocol.framing(segmenter.framing))
        return Measurer(segmenter=framed, samples=self.samples, protocol=self.protocol, seed=self.seed)


def measure_all(
    setup: EvalSetup,
    *,
    processes: int = 1,
    journal: Journal | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Record]:
    """The records of all samples, in the samples' order.

    journal: its images are not measured again. progress: called after each image with its number of samples. Raises
    ``ConfigError``, and ``DataError`` if a process dies.
    """
    if processes < 1:
        raise ConfigError(f"processes is {processes}; it must be at least 1")
    groups = setup.samples.image_groups()
    found = dict(journal.done) if journal else {}
    if progress:
        progress(sum(len(groups[image]) for image in found))
    left = [image for image in range(len(groups)) if image not in found]
    for image, records in _measured(setup, groups, left, min(processes, max(1, len(left)))):
        found[image] = records
        if journal:
            journal.add(image, records)
        if progress:
            progress(len(groups[image]))
    return [record for image in sorted(found) for record in found[image]]


def _measured(
    setup: EvalSetup, groups: Sequence[Sequence[int]], left: Sequence[int], processes: int
) -> Iterator[tuple[int, list[Record]]]:
    """(image, its records) of the images in ``left``, as they are done."""
    if processes == 1:
        if left:
            measurer = setup.open()
            yield from ((image, measurer.records(groups[image])) for image in left)
        return
    # spawned, not forked: torch's threads and CUDA do not survive a fork
    context = multiprocessing.get_context("spawn")
    waiting: dict[Future[list[Record]], int] = {}
    queue = iter(left)
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(setup, processes))
    try:
        while True:
            while len(waiting) < _AHEAD * processes and (image := next(queue, None)) is not None:
                waiting[pool.submit(_measure, groups[image])] = image
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process of the evaluation died, most often for want of memory; the same command resumes, with fewer "
            "--processes"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_measurer: Measurer | None = None  # of a worker process


def _begin(setup: EvalSetup, processes: int) -> None:
    """Initialise a worker; it leaves Ctrl-C to the parent, and ends with the parent in any case."""
    global _measurer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _measurer = setup.open(processes)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _measure(numbers: Sequence[int]) -> list[Record]:
    if _measurer is None:
        raise RuntimeError("the process was not made ready; call measure_all")
    return _measurer.records(numbers)
