"""To OpenVINO's own format (``.xml`` and ``.bin``), by way of ONNX."""

from __future__ import annotations

from pathlib import Path

from restr.errors import ConfigError

try:
    import openvino
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[onnx,openvino]'") from error


def convert(source: Path, path: Path) -> None:
    """An ONNX file as ``path`` (.xml, the weights beside it); nothing is rounded."""
    openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=False)
