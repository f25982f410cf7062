"""Several processes that train one model, started by torchrun; in a single process, everything here does nothing.

``torchrun`` tells each process its rank by environment variables. Decisions that all processes must share (is
this step finite, is it time to save, has a signal arrived) are made by a collective here, so that none waits for
another for ever.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map

from restr.errors import ConfigError
from restr.model.device import choose_device
from restr.model.restr import ReSTR
from restr.nn.transformer import Block

_T = TypeVar("_T")


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    return rank() == 0


def was_restarted() -> bool:
    """Whether torchrun has restarted these processes after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """A context in which the processes started by torchrun train together; in a single process it does nothing.

    NCCL connects GPUs, gloo CPUs. Raises ``ConfigError`` if a process has no GPU of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    chosen = device_of_process(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def device_of_process(device: str) -> torch.device:
    """The device of that name (see ``choose_device``); of several GPUs, the one with the local rank of this process."""
    chosen = choose_device(device)
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if chosen.type != "cuda" or chosen.index is not None or "LOCAL_RANK" not in os.environ:
        return chosen
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"this is process {number} of this machine, which has {torch.cuda.device_count()} GPUs; start at most "
            "as many (--nproc-per-node), or use --device cpu"
        )
    return torch.device("cuda", number)


def all_max(values: Sequence[float], device: torch.device) -> list[float]:
    """The maximum of each value over all processes."""
    if size() == 1:
        return list(values)
    numbers = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return numbers.tolist()


def all_mean(values: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """The mean of each value over all processes."""
    if size() == 1 or not values:
        return dict(values)
    numbers = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(numbers)
    return dict(zip(values, (numbers / size()).tolist(), strict=True))


def all_gather(value: _T) -> list[_T]:
    """The value of every process, by rank; it must be picklable."""
    if size() == 1:
        return [value]
    values: list[Any] = [None] * size()
    dist.all_gather_object(values, value)
    return values


def split_indices(count: int) -> list[tuple[int, bool]]:
    """The indices below ``count`` that this process works on, each with whether its result counts.

    Every process gets equally many, as collectives need; a surplus index belongs to another process and does not count.
    """
    per_process = -(-count // size())
    indices = (rank() + size() * position for position in range(per_process))
    return [(index % count, index < count) for index in indices]


def shard(model: ReSTR) -> None:
    """Shard the model over all processes (FSDP2), block by block. Raises ``ConfigError`` in a single process."""
    if not dist.is_initialized():
        raise ConfigError(
            "strategy is fsdp, but this is the only process; start several: "
            "torchrun --nproc-per-node 2 -m restr train ..."
        )
    # the warning is about outputs that are changed in place; restr changes none
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor", UserWarning)
    for module in model.modules():
        if isinstance(module, Block):
            fully_shard(module)
    fully_shard(model)
    for method in ("encode_image", "project", "segment"):
        register_fsdp_forward_method(model, method)


def reshard(model: nn.Module) -> None:
    """Free the full weights that a pass without gradient has left in memory."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def is_sharded(module: nn.Module) -> bool:
    """Whether some weights of a module are sharded over processes."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def full_tensors(tree: Any) -> Any:
    """The same nested values with every sharded tensor gathered; a collective: all processes must call it."""
    return tree_map(lambda value: value.full_tensor() if isinstance(value, DTensor) else value, tree)


def local_part(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def shard_like(tensor: Tensor, pattern: Tensor) -> Tensor:
    """A full tensor, sharded over the processes as ``pattern`` is."""
    if not isinstance(pattern, DTensor):
        return tensor
    return distribute_tensor(tensor.to(pattern.device), pattern.device_mesh, pattern.placements)
