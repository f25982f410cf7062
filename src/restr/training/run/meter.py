"""How fast a run is, and where its time and its memory go."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from restr.data.batch import Batch
from restr.model.restr import ReSTR, ReSTROutput
from restr.training.loop.distributed import whole
from restr.training.loop.forward import forward_batch
from restr.training.loop.optim import trained

logger = logging.getLogger("restr")

Forward = Callable[[ReSTR, Batch], ReSTROutput]

STATUS = Path("/proc/self/status")
GEMM = {"cuda": 8192}  # rows and columns: large enough for a GPU's peak
GEMM_ELSEWHERE = 1024
GEMM_ROUNDS, GEMM_SECONDS = 10, 0.2  # at least


class Meter:
    """Samples a second, the share of the time spent waiting for data, peak memory, and MFU.

    MFU (model FLOPs utilisation, Chowdhery et al. 2022): the FLOPs of the matrix products of forward and backward, what is
    recomputed not counted again, a second, over those of one large matrix product that is timed on this device in ``dtype``.
    It is of this process's device, and known where ``model`` is given (as it was built: not yet compiled, not spread over
    processes, recomputing nothing) or ``flops_per_row``. processes: how many train together, each on as many rows as this one.
    Nothing here draws a random number that training could miss, or leaves a gradient.
    """

    def __init__(
        self,
        device: torch.device,
        model: ReSTR | None = None,
        *,
        forward: Forward = forward_batch,
        dtype: torch.dtype = torch.float32,
        flops_per_row: float | None = None,
        peak: float | None = None,
        processes: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.device, self.dtype, self.processes = device, dtype, processes
        self.flops_per_row, self.peak = flops_per_row, peak
        self._forward, self._clock = forward, clock
        self._uncounted = without_values(model) if model and flops_per_row is None else None
        self.restart()

    def restart(self) -> None:
        """Measure from now on."""
        self._since, self._rows = self._clock(), 0
        self._waited = self._paused = 0.0

    def watched(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches, each waited for and counted as trained on; the first is also what the FLOPs are counted on."""
        while True:
            with self.waiting():
                batch = next(batches, None)
            if batch is None:
                return
            self.count(batch)
            self.step(len(batch))
            yield batch

    def count(self, batch: Batch) -> None:
        """Note what a row of such a batch costs, and this device's peak: once, later calls do nothing. Time begins anew."""
        if self._uncounted is None:
            return
        model, self._uncounted = self._uncounted, None
        try:
            self.flops_per_row = training_flops(model, batch, self._forward) / len(batch)
        except (
            RuntimeError,
            TypeError,
            NotImplementedError,
        ) as error:  # a forward of another's that needs real numbers
            logger.info("no MFU, since the model's FLOPs cannot be counted: %s", error)
        else:
            self.peak = self.peak or peak_flops(self.device, self.dtype, threads=torch.get_num_threads())
        self.restart()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around fetching a batch."""
        start = self._clock()
        try:
            yield
        finally:
            self._waited += self._clock() - start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Around what is no training: evaluating, saving."""
        start = self._clock()
        try:
            yield
        finally:
            self._paused += self._clock() - start

    def step(self, rows: int) -> None:
        """This process has trained on so many more samples."""
        self._rows += rows

    def values(self) -> dict[str, float]:
        """Since the last call: samples_per_s of all processes, data_wait and mfu as shares; memory_gb: the peak so far."""
        taken = max(self._clock() - self._since - self._paused, 1e-9)
        found = {"samples_per_s": self._rows * self.processes / taken, "data_wait": min(self._waited / taken, 1.0)}
        memory = peak_memory(self.device)
        if memory is not None:
            found["memory_gb"] = memory / 1e9
        if self.flops_per_row and self.peak:
            found["mfu"] = self._rows * self.flops_per_row / taken / self.peak
        self.restart()
        return found


def training_flops(model: ReSTR, batch: Batch, forward: Forward = forward_batch) -> int:
    """FLOPs of the matrix products of one forward and backward pass, as ``torch.utils.flop_counter`` counts them.

    model: ``without_values``, so that nothing is computed, and attention counts in full, which the counter overlooks in the
    kernels that a CPU runs. The loss is left out, as it multiplies no matrices.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        output = forward(model, batch.to("meta"))
        (output.logits.float().sum() + output.patch_logits.float().sum()).backward()
    return counter.get_total_flops()


def without_values(model: ReSTR) -> ReSTR:
    """A copy for counting (device "meta"): its weights have shapes, but no values and no memory."""
    kept: dict[int, Tensor] = {
        id(value): nn.Parameter(value.detach().to("meta"), requires_grad=value.requires_grad)
        for value in model.parameters()
    }
    return copy.deepcopy(model, kept | {id(value): value.to("meta") for value in model.buffers()})


@functools.lru_cache  # a process that trains several models times its device once; threads: with how many, on a CPU
def peak_flops(device: torch.device, dtype: torch.dtype, *, threads: int) -> float:
    """FLOPs a second of a large square matrix product, the best of those that fit into a moment."""
    side = GEMM.get(device.type, GEMM_ELSEWHERE)
    random = torch.Generator(device).manual_seed(0)  # zeros would flatter: they take a GPU less power
    one, two = (torch.randn(side, side, generator=random, device=device).to(dtype) for _ in range(2))
    result = one @ two
    best, rounds, until = float("inf"), 0, time.perf_counter() + GEMM_SECONDS
    while rounds < GEMM_ROUNDS or time.perf_counter() < until:
        _finish(device)
        start = time.perf_counter()
        torch.mm(one, two, out=result)
        _finish(device)
        best, rounds = min(best, time.perf_counter() - start), rounds + 1
    if device.type == "cuda":
        del one, two, result
        torch.cuda.reset_peak_memory_stats(device)  # the peak is to be training's
    return 2 * side**3 / best


def peak_memory(device: torch.device) -> int | None:
    """The most bytes so far: tensors on a GPU, else this process's resident memory; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if STATUS.exists():  # Linux: getrusage's would include what the parent held when it started this process
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS, where there is no /proc


def weight_norm(model: nn.Module) -> float:
    """The norm of all trained weights; where they are spread over processes, all must ask at once."""
    weights: list[Tensor] = list(trained(model).values())
    return float(whole(get_total_norm(weights)))


def _finish(device: torch.device) -> None:
    """Wait until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
