"""PyTorch's own exports: graphs for its interpreter (torch-export) and machine code (AOTInductor)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restr.errors import ConfigError, WeightsError, why_unreadable
from restr.inference.backends.base import ExportedBackend
from restr.inference.backends.torch_threads import TorchThreads
from restr.inference.exported import ExportManifest


class Pt2Backend(TorchThreads, ExportedBackend):
    """``.pt2`` files; needs torch, but none of restr's model code."""

    least_patches = 2  # PyTorch's exporter treats a side of one patch as a special case

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0) -> None:
        """threads: 0 leaves the number to torch. Raises ``ConfigError`` for a device other than the CPU."""
        super().__init__(facts, threads=threads)
        if device not in ("auto", "cpu"):
            raise ConfigError(f"device is {device!r}; this {facts.target} export is for 'cpu'")
        if threads:
            torch.set_num_threads(threads)
        self._programs: dict[str, Callable[..., Any]] = {}

    @torch.inference_mode()
    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As ``ExportedBackend.run``. Raises ``WeightsError`` for a file that torch cannot load."""
        if graph not in self._programs:
            path = self.facts.path(graph)
            try:
                self._programs[graph] = self._load(str(path))
            except Exception as error:  # torch raises many kinds for a damaged archive
                reason = why_unreadable(error) if "weights_only" in str(error) else error
                raise WeightsError(f"{path} cannot be loaded by torch ({reason}); export it again") from None
        found = self._programs[graph](*map(torch.from_numpy, inputs.values()))
        return [each.numpy() for each in ([found] if isinstance(found, Tensor) else found)]

    def _load(self, path: str) -> Callable[..., Any]:
        if self.facts.target == "aoti":
            return torch._inductor.aoti_load_package(path)
        return torch.export.load(path).module()
