"""Opens an export in a runtime that can run it. Each runtime is imported only when needed."""

from __future__ import annotations

from restr.errors import ConfigError
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import ExportManifest

BACKENDS = ("auto", "own", "torch", "onnx", "openvino", "torch-export", "aoti")
_RUNS = {"onnx": ("onnx", "openvino"), "openvino": ("openvino",), "torch-export": ("torch-export",), "aoti": ("aoti",)}


def open_exported(
    facts: ExportManifest, *, device: str = "auto", backend: str = "auto", precision: str = "auto", threads: int = 0
) -> ExportedBackend:
    """The export in its own runtime, or in ``backend`` if that can run its files.

    threads: 0 leaves the number to the runtime. Raises ``ConfigError`` for arguments that do not fit together.
    """
    chosen = facts.target if backend in ("auto", "own") else backend
    if chosen not in _RUNS[facts.target]:
        raise ConfigError(
            f"backend is {backend!r}, but {facts.folder} was exported to {facts.target}, which "
            f"{' and '.join(_RUNS[facts.target])} can run; export again for another"
        )
    if precision not in ("auto", facts.precision):
        raise ConfigError(
            f"precision is {precision!r}, but {facts.folder} was exported in {facts.precision}; export again for another"
        )
    if chosen == "onnx":
        from restr.inference.backends.onnx_backend import OnnxBackend

        return OnnxBackend(facts, device=device, threads=threads)
    if chosen == "openvino":
        from restr.inference.backends.openvino_backend import OpenVinoBackend

        return OpenVinoBackend(facts, device=device, threads=threads)
    from restr.inference.backends.pt2_backend import Pt2Backend

    return Pt2Backend(facts, device=device, threads=threads)
