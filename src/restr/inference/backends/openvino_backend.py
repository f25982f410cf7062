"""An OpenVINO export, or an ONNX one, in OpenVINO on the CPU."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from restr.errors import ConfigError, WeightsError
from restr.inference.backends.base import Backend, ExportedBackend
from restr.inference.backends.openvino_import import import_openvino, openvino_core
from restr.inference.exported import ExportManifest

try:
    if TYPE_CHECKING:
        import openvino
    else:
        openvino = import_openvino()

    from restr.inference.backends.compiled import compiled_graph
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[openvino]'") from error


GROUP = 128  # channels of an input of a matrix product that share a scale in int8


class OpenVinoBackend(ExportedBackend):
    """One compiled model per graph, compiled at its first use or taken from the user's cache.

    Threads share it, each with a request of its own. The precision hint is always given: otherwise OpenVINO computes
    fp32 exports in bfloat16 on processors that can. In int8, the inputs of matrix products are rounded as they come, with
    a scale for every ``GROUP`` channels of a token, and the rest is computed in bfloat16 where the processor can.
    """

    concurrent = True

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0, streams: int = 0) -> None:
        """threads: of one computation; 0 leaves the number to OpenVINO. streams: computations at once; 0 means one."""
        super().__init__(facts, name="openvino", threads=threads)
        if device not in ("auto", "cpu"):
            raise ConfigError(f"device is {device!r}; restr runs OpenVINO only on 'cpu'")
        self._core = openvino_core()
        int8 = facts.precision == "int8"
        bf16 = facts.precision == "bf16" or (
            int8 and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        )
        self._options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP if int8 else 0,
        }
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads * max(1, streams)
        if streams:
            self._options["NUM_STREAMS"] = streams
        self._compiled: dict[str, openvino.CompiledModel] = {}
        self._opening = {graph: threading.Lock() for graph in facts.files}
        self._requests = threading.local()

    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As ``ExportedBackend.run``. Raises ``WeightsError`` for a file that OpenVINO cannot read."""
        requests: dict[str, Any] = self._requests.__dict__
        if graph not in requests:
            requests[graph] = self._graph(graph).create_infer_request()
        found = requests[graph].infer(inputs, share_inputs=True)
        # copies, because the next run overwrites these arrays
        return [np.array(found[number]) for number in range(len(found))]

    def open_ahead(self) -> None:
        """As ``Backend.open_ahead``: the graphs in threads, side by side, which a process waits for at its end."""
        for graph in self.facts.files:
            if graph in ("image_encoder", "expression"):
                threading.Thread(target=self._try_graph, args=(graph,)).start()

    def _try_graph(self, graph: str) -> None:
        with suppress(WeightsError):  # raised again where the graph is used
            self._graph(graph)

    def _graph(self, graph: str) -> openvino.CompiledModel:
        path = self.facts.path(graph)  # a graph that the export does not have is an error here
        with self._opening[graph]:
            if graph not in self._compiled:
                self._compiled[graph] = self._open(path)
            return self._compiled[graph]

    def _open(self, path: Path) -> openvino.CompiledModel:
        try:
            return compiled_graph(self._core, path, self._options)
        except RuntimeError as error:
            raise WeightsError(f"{path} cannot be opened by OpenVINO ({error}); export it again") from error

    def _twin(self, workers: int, threads: int) -> Backend:
        return OpenVinoBackend(self.facts, device=self.device, threads=threads, streams=workers)
