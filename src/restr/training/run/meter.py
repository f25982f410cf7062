"""The speed of a run, its waiting time and its memory."""

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
from restr.model.restr import ReSTR
from restr.training.loop.distributed import full_tensors
from restr.training.loop.forward import forward_batch
from restr.training.loop.optim import trainable_weights
from restr.training.loop.task import Forward

_logger = logging.getLogger("restr")

_STATUS = Path("/proc/self/status")
_GEMM_SIDE = {"cuda": 8192}  # rows and columns of the timed matrix product: large enough for the peak of a GPU
_GEMM_SIDE_ELSEWHERE = 1024
_MIN_ROUNDS, _MIN_SECONDS = 10, 0.2
_MAX_SECONDS = 2.0  # for products that a device has no fast kernel for, such as fp16 on a CPU


class Meter:
    """Samples per second, the share of the time spent waiting for data, peak memory, and MFU.

    MFU (model FLOPs utilisation, Chowdhery et al. 2022): FLOP/s of the matrix products of forward and backward,
    recomputation not counted, divided by the peak FLOP/s of one large matrix product timed on this device in ``dtype``.
    It is known if ``model`` is given (as built: not yet compiled, sharded or recomputing) or ``flops_per_row``.
    ``processes`` train together, each on as many rows as this one. Nothing here touches the random state or the
    gradients.
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
        self._uncounted = meta_copy(model) if model and flops_per_row is None else None
        self.restart()

    def restart(self) -> None:
        """Restart the measurement."""
        self._since, self._rows = self._clock(), 0
        self._waited = self._paused = 0.0

    def measure(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; measures the waiting time, counts the rows, and takes the FLOPs from the first batch."""
        while True:
            with self.waiting():
                batch = next(batches, None)
            if batch is None:
                return
            self.count(batch)
            self.step(len(batch))
            yield batch

    def count(self, batch: Batch) -> None:
        """Measure the FLOPs per row of this batch and the peak of this device, then restart. Later calls do nothing."""
        if self._uncounted is None:
            return
        model, self._uncounted = self._uncounted, None
        try:
            self.flops_per_row = training_flops(model, batch, self._forward) / len(batch)
        except (RuntimeError, TypeError, NotImplementedError) as error:  # a custom forward that needs real numbers
            _logger.info("no MFU, since the model's FLOPs cannot be counted: %s", error)
        else:
            self.peak = self.peak or peak_flops(self.device, self.dtype, threads=torch.get_num_threads())
        self.restart()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A context for fetching a batch."""
        start = self._clock()
        try:
            yield
        finally:
            self._waited += self._clock() - start

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A context for time that is not training: evaluating, saving."""
        start = self._clock()
        try:
            yield
        finally:
            self._paused += self._clock() - start

    def step(self, rows: int) -> None:
        """Count rows that this process has trained on."""
        self._rows += rows

    def values(self) -> dict[str, float]:
        """Since the last call: samples_per_s of all processes, data_wait and mfu in [0, 1]; memory_gb: the peak."""
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

    ``model`` is a ``meta_copy``: nothing is computed, and attention counts in full, which the counter misses in the
    fused kernels of a CPU. The loss is not included, as it has no matrix products.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        output = forward(model, batch.to("meta"))
        (output.logits.float().sum() + output.patch_logits.float().sum()).backward()
    return counter.get_total_flops()


def meta_copy(model: ReSTR) -> ReSTR:
    """A copy on the device "meta", for counting: its weights have shapes, but no values and no memory."""
    kept: dict[int, Tensor] = {
        id(value): nn.Parameter(value.detach().to("meta"), requires_grad=value.requires_grad)
        for value in model.parameters()
    }
    return copy.deepcopy(model, kept | {id(value): value.to("meta") for value in model.buffers()})


@functools.lru_cache  # a process that trains several models times its device once
def peak_flops(device: torch.device, dtype: torch.dtype, *, threads: int) -> float:
    """FLOP/s of a large square matrix product, the best of several rounds. threads: the CPU threads in use."""
    side = _GEMM_SIDE.get(device.type, _GEMM_SIDE_ELSEWHERE)
    random = torch.Generator(device).manual_seed(0)  # zeros would be too fast: they take a GPU less power
    one, two = (torch.randn(side, side, generator=random, device=device).to(dtype) for _ in range(2))
    result = one @ two
    best, rounds, taken, begin = float("inf"), 0, 0.0, time.perf_counter()
    while (rounds < _MIN_ROUNDS or taken < _MIN_SECONDS) and taken < _MAX_SECONDS:
        _synchronize(device)
        start = time.perf_counter()
        torch.mm(one, two, out=result)
        _synchronize(device)
        best, rounds, taken = min(best, time.perf_counter() - start), rounds + 1, time.perf_counter() - begin
    if device.type == "cuda":
        del one, two, result
        torch.cuda.reset_peak_memory_stats(device)  # the peak is measured for training
    return 2 * side**3 / best


def peak_memory(device: torch.device) -> int | None:
    """Peak bytes: of tensors on a GPU, else of this process's resident memory; None if the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():  # Linux: the value of getrusage includes memory that the parent held at the fork
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS, where there is no /proc


def weight_norm(model: nn.Module) -> float:
    """The norm of all trainable weights; for a sharded model a collective: all processes must call it."""
    weights: list[Tensor] = list(trainable_weights(model).values())
    return float(full_tensors(get_total_norm(weights)))


def _synchronize(device: torch.device) -> None:
    """Wait until the device has finished all work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
