"""Rounds what enters a model's matrix products to 8 bits, as the graph of an int8 export does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from restr.errors import WeightsError
from restr.export.activations import RoundedInput, products
from restr.export.rewriting import PlainAttention
from restr.model.restr import ReSTR

_OPSET = 18  # of QuantizeLinear


class RoundTo8Bits(nn.Module):
    """x / factors, rounded to 8 bits. In an exported graph: ONNX's QuantizeLinear and DequantizeLinear."""

    def __init__(self, how: RoundedInput) -> None:
        super().__init__()
        self.inverse = nn.Parameter(1 / how.factors, requires_grad=False) if len(how.factors) else None
        low, high = min(how.low, 0.0), max(how.high, 0.0)
        self.signed = low == -high
        self.step = max(high / 127 if self.signed else (high - low) / 255, 1e-12)
        self.zero = 0 if self.signed else round(-low / self.step)

    def forward(self, x: Tensor) -> Tensor:
        """x: any shape; channels last if there are factors."""
        scaled = x if self.inverse is None else x * self.inverse
        if not torch.compiler.is_exporting():
            least, largest = (-128, 127) if self.signed else (0, 255)
            return torch.fake_quantize_per_tensor_affine(scaled, self.step, self.zero, least, largest)
        # PyTorch's exporter does not take its own operation
        kind = torch.int8 if self.signed else torch.uint8
        how = torch.tensor(self.step), torch.tensor(self.zero, dtype=kind)
        shape, onnx = scaled.shape, torch.onnx.ops.symbolic
        rounded = onnx("QuantizeLinear", (scaled, *how), dtype=kind, shape=shape, version=_OPSET)
        return onnx("DequantizeLinear", (rounded, *how), dtype=torch.float32, shape=shape, version=_OPSET)


@torch.no_grad()
def round_products(model: ReSTR, inputs: Mapping[str, RoundedInput]) -> None:
    """Change ``for_runtimes(model)``: every matrix product that ``inputs`` name gets a rounded input.

    The weights are multiplied by the factors, so that results stay the same but for rounding. They stay float32:
    ``int8_weights`` rounds them, and biases are corrected here for what that does to the mean input. Attention's weighted
    sum of values stays in float32: this is not slower, and int8 would lose the many small weights of a softmax.

    Raises ``WeightsError`` if the facts do not fit the model.
    """
    for names in list(products(model)):
        how = inputs.get(names[0])
        if how is None:
            continue
        layers = [model.get_submodule(name) for name in names]
        for layer in layers:
            assert isinstance(layer, nn.Linear | nn.Conv2d)
            if len(how.factors):
                _take_factors(layer, how, names[0])
        parent, _, last = names[0].rpartition(".")
        around = model.get_submodule(parent)
        if isinstance(around, PlainAttention) and len(names) > 1:
            around.rounded = RoundTo8Bits(how)
            for number, part in enumerate(("rounded_q", "rounded_k")):
                if f"{names[number]}.out" in inputs:
                    setattr(around, part, RoundTo8Bits(inputs[f"{names[number]}.out"]))
        else:
            setattr(around, last, nn.Sequential(RoundTo8Bits(how), layers[0]))


def _take_factors(layer: nn.Linear | nn.Conv2d, how: RoundedInput, name: str) -> None:
    """Multiply the weights by the factors, and correct the bias for their rounding."""
    if layer.weight.shape[1:] != how.factors.shape:
        raise WeightsError(
            f"the int8 facts of {name} are for {len(how.factors)} channels, the layer has {tuple(layer.weight.shape)[1:]}; "
            "make them again, or give photographs: --photo DIR"
        )
    layer.weight.mul_(how.factors)
    if layer.bias is not None and len(how.mean):
        step = layer.weight.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
        layer.bias.add_((layer.weight - (layer.weight / step).round() * step) @ how.mean)
