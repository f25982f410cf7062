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
    and corrects biases for the rounding. Attention's sum of values stays in float32: no slower, and the many small weights of
    a softmax would be lost.
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
    """The names of the matrix products that a softmax goes into."""
    return [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul" and node.input_value(0).get_node().get_type_name() == "Softmax"
    ]
