"""Export to OpenVINO's own format (``.xml`` and ``.bin``), via ONNX; and to int8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restr.errors import ConfigError

try:
    import openvino
except ImportError as error:
    raise ConfigError("openvino is not installed; run: pip install 'restr[onnx,openvino]'") from error


def from_onnx(source: Path, path: Path) -> None:
    """Write an ONNX file as ``path`` (.xml, with the weights beside it), without rounding."""
    openvino.save_model(openvino.Core().read_model(source), path, compress_to_fp16=False)


def from_onnx_to_int8(source: Path, path: Path, examples: Sequence[dict[str, np.ndarray]]) -> None:
    """As ``from_onnx``, with matrix products in int8: weights per output channel, activations by the examples' ranges.

    NNCF first moves large values in single channels of the activations into the weights (SmoothQuant, Xiao et al. 2023),
    and corrects biases for the rounding. Attention's weighted sum of values stays in float32: this is not slower, and int8
    would lose the many small weights of a softmax.
    """
    try:
        import nncf
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; run: pip install 'restr[onnx,openvino]'") from error
    model = openvino.Core().read_model(source)
    model = nncf.quantize(
        model,
        nncf.Dataset(list(examples)),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(examples),
        ignored_scope=nncf.IgnoredScope(names=sums_of_values(model)),
    )
    openvino.save_model(model, path, compress_to_fp16=False)


def sums_of_values(model: openvino.Model) -> list[str]:
    """The names of the matrix products whose input is a softmax."""
    return [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul" and node.input_value(0).get_node().get_type_name() == "Softmax"
    ]
