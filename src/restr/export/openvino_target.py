"""Export to OpenVINO's own format (``.xml`` and ``.bin``), via ONNX."""

from __future__ import annotations

from pathlib import Path

from restr.errors import ConfigError
from restr.inference.backends.openvino_import import openvino_core

try:
    import openvino
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[onnx,openvino]'") from error


def from_onnx(source: Path, path: Path) -> None:
    """Write an ONNX file as ``path`` (.xml, with the weights beside it), without rounding."""
    openvino.save_model(openvino_core().read_model(source), path, compress_to_fp16=False)
