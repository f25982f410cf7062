"""What PyTorch itself exports: graphs for its interpreter (torch-export) and compiled ahead of time (AOTInductor)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restr.errors import ConfigError, WeightsError
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import ExportManifest


class Pt2Backend(ExportedBackend):
    """``.pt2`` files: no code of restr's model runs, but torch does."""

    least_patches = 2  # PyTorch's exporter takes a side of one patch for a case of its own

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0) -> None:
        """threads: 0 leaves the number to torch. Raises ``ConfigError`` for another device than it was compiled for."""
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
            except Exception as error:  # whatever a damaged archive makes torch raise
                raise WeightsError(f"{path} cannot be loaded by torch ({error}); export it again") from error
        found = self._programs[graph](*map(torch.from_numpy, inputs.values()))
        return [each.numpy() for each in ([found] if isinstance(found, Tensor) else found)]

    def _load(self, path: str) -> Callable[..., Any]:
        if self.facts.target == "aoti":
            return torch._inductor.aoti_load_package(path)
        return torch.export.load(path).module()
