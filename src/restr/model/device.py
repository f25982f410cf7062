"""Which device to compute on."""

from __future__ import annotations

import logging
import os

import torch

from restr.errors import ConfigError

logger = logging.getLogger("restr")

_process: int | None = None  # the one that used torch first; the parent's, in a process that was forked from it


def do_with_what_a_fork_leaves() -> None:
    """Called before torch computes on the processor: in a process that was forked after its parent had computed, torch's
    threads are not there and would be waited for without end, so it does with one, as in torch's own DataLoader."""
    global _process
    if _process not in (None, os.getpid()):
        torch.set_num_threads(1)
        logger.warning(
            "this process was forked from one that has loaded a model, so PyTorch computes with one thread here; start "
            'processes with multiprocessing.get_context("spawn") to have more'
        )
    _process = os.getpid()


def choose_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one. Raises ``ConfigError`` where there is none such."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device is {device!r}; choose 'auto', 'cpu', 'cuda' or 'cuda:1'") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device is {str(device)!r}, but torch sees {torch.cuda.device_count()} GPUs; use 'auto' or 'cpu'"
        )
    return chosen
