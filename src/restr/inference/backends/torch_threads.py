"""How backends that compute with PyTorch share its threads, which belong to the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from restr.inference.backends.base import Backend
from restr.model.device import limited_threads


class TorchThreads(Backend):
    """A backend whose computations use PyTorch's number of threads."""

    def thread_count(self) -> int:
        """As ``Backend.thread_count``."""
        return torch.get_num_threads()

    @contextmanager
    def shared(self, workers: int, threads: int) -> Iterator[Backend]:
        """As ``Backend.shared``; meanwhile ``threads`` is PyTorch's number of threads in the whole process."""
        with limited_threads(threads):
            yield self
