"""Export to ONNX, with readable dimension names and the manifest in the file's metadata; and to int8."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restr.errors import ConfigError
from restr.export.graphs import Graph

try:
    import onnx
    import onnxscript  # noqa: F401  (torch.onnx.export needs it)
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ConfigError(f"{error.name} is not installed; run: pip install 'restr[onnx]'") from error

OPSET = 18  # the first with all operations in use; more runtimes read an older one
LEAST_WEIGHTS = 1024  # numbers in a matrix; below, int8 saves nothing


def to_onnx(graph: Graph, facts: dict[str, Any]) -> onnx.ModelProto:
    """A graph in ONNX, float32, with ``facts`` as JSON under "restr" in its metadata."""
    program = torch.onnx.export(
        graph.trace(),
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    name_dimensions(model, graph)
    model.producer_name, model.producer_version = "restr", facts["source"].get("restr", "")
    helper.set_model_props(model, {"restr": json.dumps(facts)})
    for node in model.graph.node:
        del node.metadata_props[:]  # each node's origin in torch: half a megabyte
    onnx.checker.check_model(model)
    return model


def name_dimensions(model: onnx.ModelProto, graph: Graph) -> None:
    """Rename the exporter's symbols (s40) to the names in ``graph.free`` ("b", "h", "w", "l")."""
    names: dict[str, str] = {}
    for value in model.graph.input:
        for axis, free in graph.free[value.name].items():
            symbol = re.search(r"s\d+", value.type.tensor_type.shape.dim[axis].dim_param)
            if symbol:
                names[symbol[0]] = re.sub(r"^\d+\*", "", free.__name__)
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"s\d+", lambda found: names.get(found[0], found[0]), dim.dim_param)


def save(model: onnx.ModelProto, path: Path) -> None:
    """One file, including the weights."""
    onnx.save_model(model, str(path))


def to_int8(source: Path, path: Path) -> None:
    """int8 for ONNX Runtime: weights with one scale per output channel, activations quantised at run time."""
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; run: pip install 'restr[onnx]'") from error
    quantize_dynamic(
        source, path, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8,
        nodes_to_exclude=kept_in_float(onnx.load(source, load_external_data=False)),
        extra_options={"MatMulConstBOnly": True},
    )  # fmt: skip


def int8_weights(model: onnx.ModelProto) -> None:
    """Store the weights of matrix products in int8, a scale per output channel. Their inputs stay float32 in the graph: a
    runtime may round them as it computes."""
    graph = model.graph
    weights = {each.name: each for each in graph.initializer}
    restored: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        name = node.input[1] if node.op_type in ("MatMul", "Gemm") else ""
        if name not in weights or np.prod(weights[name].dims) < LEAST_WEIGHTS:
            continue
        rows_first = any(each.name == "transB" and each.i for each in node.attribute)
        if name not in restored:
            restored[name] = _stored_in_int8(graph, weights[name], axis=0 if rows_first else 1)
        node.input[1] = restored[name].output[0]
    nodes = [*restored.values(), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _stored_in_int8(graph: onnx.GraphProto, weight: onnx.TensorProto, axis: int) -> onnx.NodeProto:
    """Replace a weight by whole numbers, scales and zeros; returns the operation that gives it back."""
    values, name = numpy_helper.to_array(weight), weight.name
    others = tuple(each for each in range(values.ndim) if each != axis)
    scales = np.maximum(np.abs(values).max(others, keepdims=True), 1e-12) / 127
    parts = {
        f"{name}.int8": np.round(values / scales).astype(np.int8),
        f"{name}.scales": scales.ravel().astype(np.float32),
        f"{name}.zeros": np.zeros(scales.size, np.int8),
    }
    graph.initializer.remove(weight)
    graph.initializer.extend(numpy_helper.from_array(value, part) for part, value in parts.items())
    return helper.make_node("DequantizeLinear", list(parts), [f"{name}.restored"], axis=axis, name=f"{name}.restore")


def kept_in_float(model: onnx.ModelProto) -> list[str]:
    """Matrix products with small matrices, such as the decoder's last, where int8 does not help."""
    sizes = {each.name: int(np.prod(each.dims)) for each in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and sizes.get(node.input[1], LEAST_WEIGHTS) < LEAST_WEIGHTS
    ]
