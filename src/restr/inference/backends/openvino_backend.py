"""An OpenVINO export, or an ONNX one, in OpenVINO on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from restr.errors import ConfigError, WeightsError
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import ExportManifest

try:
    import openvino

    from restr.inference.backends.compiled import compiled_graph
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[openvino]'") from error


class OpenVinoBackend(ExportedBackend):
    """One compiled model per graph, compiled at its first use or taken from the user's cache.

    The precision hint is always given: otherwise OpenVINO computes in bfloat16 on processors that can.
    """

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0) -> None:
        """threads: 0 leaves the number to OpenVINO."""
        super().__init__(facts, name="openvino", threads=threads)
        if device not in ("auto", "cpu"):
            raise ConfigError(f"device is {device!r}; restr runs OpenVINO only on 'cpu'")
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if facts.precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        self._core = openvino.Core()
        self._compiled: dict[str, openvino.CompiledModel] = {}

    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As ``ExportedBackend.run``. Raises ``WeightsError`` for a file that OpenVINO cannot read."""
        if graph not in self._compiled:
            path = self.facts.path(graph)
            try:
                self._compiled[graph] = compiled_graph(self._core, path, self._options)
            except RuntimeError as error:
                raise WeightsError(f"{path} cannot be opened by OpenVINO ({error}); export it again") from error
        found = self._compiled[graph](inputs)
        # copies, because the next run overwrites these arrays
        return [np.array(found[number]) for number in range(len(found))]
