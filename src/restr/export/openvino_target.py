"""To OpenVINO's own format (``.xml`` and ``.bin``), by way of ONNX; and to int8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restr.errors import ConfigError

try:
    import openvino
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[onnx,openvino]'") from error


def convert(source: Path, path: Path) -> None:
    """An ONNX file as ``path`` (.xml, the weights beside it); nothing is rounded."""
    openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=False)


def quantised(source: Path, path: Path, examples: Sequence[dict[str, np.ndarray]]) -> None:
    """``convert``, with matrix products in int8: weights by output channel, activations by the ranges of the examples.

    NNCF first moves what is large in single channels of the activations into the weights (SmoothQuant, Xiao et al. 2023)
    and corrects biases for the rounding.
    """
    try:
        import nncf
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; run: pip install 'restr[onnx,openvino]'") from error
    model = nncf.quantize(
        openvino.Core().read_model(source),
        nncf.Dataset(list(examples)),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(examples),
    )
    openvino.save_model(model, path, compress_to_fp16=False)
