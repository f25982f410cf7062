"""Several processes that train one model, as torchrun starts them; alone, everything here does nothing.

``torchrun`` tells each process its rank by the environment. What the processes must agree on (may this step count, is it time to
save, has somebody asked to stop) is agreed on here, so that none waits for another for ever.
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

T = TypeVar("T")


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and talks."""
    return rank() == 0


def was_restarted() -> bool:
    """Whether torchrun has started these processes again after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Within it, the processes that torchrun has started train together; alone, nothing happens.

    NCCL connects GPUs, gloo CPUs. Raises ``ConfigError`` where a process has no GPU of its own.
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
    """The device of that name (see ``choose_device``); of several GPUs, the one with this process's number on its machine."""
    chosen = choose_device(device)
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if chosen.type != "cuda" or chosen.index is not None or "LOCAL_RANK" not in os.environ:
        return chosen
    if number >= torch.cuda.device_count():
        raise ConfigError(
            f"this is process {number} of this machine, which has {torch.cuda.device_count()} GPUs; start at most so many "
            "(--nproc-per-node), or use --device cpu"
        )
    return torch.device("cuda", number)


def highest(values: Sequence[float], device: torch.device) -> list[float]:
    """The highest of each value over all processes: what any of them has seen, all know."""
    if size() == 1:
        return list(values)
    numbers = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return numbers.tolist()


def mean(values: Mapping[str, float], device: torch.device) -> dict[str, float]:
    """Each value's mean over all processes."""
    if size() == 1 or not values:
        return dict(values)
    numbers = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.all_reduce(numbers)
    return dict(zip(values, (numbers / size()).tolist(), strict=True))


def gathered(value: T) -> list[T]:
    """Everybody's value, by rank; it must be picklable."""
    if size() == 1:
        return [value]
    values: list[Any] = [None] * size()
    dist.all_gather_object(values, value)
    return values


def share(count: int) -> list[tuple[int, bool]]:
    """This process's numbers below ``count``: as many for each, so that all compute in step; False: another has it already."""
    each = -(-count // size())
    numbers = (rank() + size() * place for place in range(each))
    return [(number % count, number < count) for number in numbers]


def shard(model: ReSTR) -> None:
    """Let each process hold a part of every weight (FSDP2), block by block."""
    if not dist.is_initialized():
        raise ConfigError(
            "strategy is fsdp, but this is the only process; start several: torchrun --nproc-per-node 2 -m restr train ..."
        )
    # restr changes no output in place, which is all that this warning is about
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor", UserWarning)
    for module in model.modules():
        if isinstance(module, Block):
            fully_shard(module)
    fully_shard(model)
    for method in ("encode_image", "project", "segment"):
        register_fsdp_forward_method(model, method)


def reshard(model: nn.Module) -> None:
    """Let go of the whole weights that a pass without gradient has left behind."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def is_sharded(module: nn.Module) -> bool:
    """Whether some of a module's weights are spread over processes."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def whole(tree: Any) -> Any:
    """The same nested values with every tensor whole; all processes must ask at once."""
    return tree_map(lambda value: value.full_tensor() if isinstance(value, DTensor) else value, tree)


def here(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def spread_like(tensor: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor, spread over the processes as ``pattern`` is."""
    if not isinstance(pattern, DTensor):
        return tensor
    return distribute_tensor(tensor.to(pattern.device), pattern.device_mesh, pattern.placements)
