"""An ONNX export in ONNX Runtime; needs only numpy and onnxruntime."""

from __future__ import annotations

import threading

import numpy as np

from restr.errors import ConfigError, WeightsError
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import ExportManifest

try:
    import onnxruntime
except ImportError as error:
    raise ConfigError("onnxruntime is not installed; run: pip install onnxruntime") from error


class OnnxBackend(ExportedBackend):
    """One session per graph, opened at its first use. Threads share it, each with its own computation."""

    concurrent = True

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0) -> None:
        """threads: 0 leaves the number to ONNX Runtime. Raises ``ConfigError`` for a device it does not offer."""
        super().__init__(facts, name="onnx", threads=threads)
        offered = onnxruntime.get_available_providers()
        if device.startswith("cuda") and "CUDAExecutionProvider" not in offered:
            raise ConfigError(
                f"device is {device!r}, but this onnxruntime offers {', '.join(offered)}; "
                "use 'cpu', or install onnxruntime-gpu"
            )
        on_gpu = device.startswith("cuda") or (device == "auto" and "CUDAExecutionProvider" in offered)
        self.device = "cuda" if on_gpu else "cpu"
        self._providers = [*(["CUDAExecutionProvider"] if on_gpu else []), "CPUExecutionProvider"]
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.log_severity_level = 3  # its warnings are only about skipped optimisations
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._opening = threading.Lock()

    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As ``ExportedBackend.run``. Raises ``WeightsError`` for a file that is not an ONNX graph."""
        with self._opening:
            if graph not in self._sessions:
                self._sessions[graph] = self._open(graph)
        return [np.asarray(output) for output in self._sessions[graph].run(None, inputs)]

    def _open(self, graph: str) -> onnxruntime.InferenceSession:
        path = self.facts.path(graph)
        try:
            return onnxruntime.InferenceSession(path, self._options, providers=self._providers)
        except Exception as error:  # onnxruntime's errors have no other common class
            raise WeightsError(f"{path} cannot be opened by onnxruntime ({error}); export it again") from error
