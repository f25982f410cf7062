"""What int8 must know of a model's activations: for each matrix product, how to round what enters it.

These facts are recorded once from example images. They can be stored beside the weights (``INT8_FACTS``), so that int8
needs no photographs later. Their keys are names of layers in ``for_runtimes(model)``, so no runtime's names matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from restr.errors import ConfigError, WeightsError
from restr.export.rewriting import PlainAttention
from restr.files import hash_of_files, write_atomically
from restr.model.folder import WEIGHTS
from restr.model.restr import ReSTR

INT8_FACTS = "int8.safetensors"
LEAST_WEIGHTS = 1024  # numbers in a matrix; below, int8 saves nothing
_SHARE = 0.85  # of a channel's size that moves into the weights
_STORED = torch.float8_e4m3fn
_FACTORS = (2.0**-6, 256.0)  # exact enough in 8 bits
_FORMAT = "1"

Product = tuple[str, ...]
"""The names of the layers that share an input: queries, keys and values do, other layers stand alone."""


class RoundedInput(NamedTuple):
    """How an input of matrix products becomes 8 bits: x / factors, from ``low`` to ``high`` in 255 equal steps.

    If low is -high, zero is in the middle of the steps. Runtimes need that where both sides of a product are activations.
    """

    factors: Tensor
    """One for each channel (d); the weights are multiplied by them. Empty: no factors."""
    mean: Tensor
    """Of x / factors in each channel (d), from which biases are corrected. Empty: not known."""
    low: float
    """The least x / factors."""
    high: float
    """The largest x / factors."""


def products(model: nn.Module) -> Iterator[Product]:
    """The layers of a rewritten model that int8 takes: linear ones and 1 x 1 convolutions with ``LEAST_WEIGHTS``."""
    for name, module in model.named_modules():
        if isinstance(module, PlainAttention):
            yield tuple(f"{name}.{part}" for part in "qkv")
        elif isinstance(module, nn.Linear | nn.Conv2d) and module.weight.numel() >= LEAST_WEIGHTS:
            parent, _, last = name.rpartition(".")
            if last not in "qkv" or not isinstance(model.get_submodule(parent), PlainAttention):
                yield (name,)


@torch.inference_mode()
def record_inputs(model: ReSTR, examples: Iterable[tuple[Tensor, Tensor]]) -> dict[str, RoundedInput]:
    """Run ``for_runtimes(model)`` over examples (image (1 3 H W), ids (1 l)) and note what enters each matrix product.

    Large channels are made smaller and the weights' columns larger (SmoothQuant, Xiao et al. 2023, equation 4). Keys of
    the result: the first layer of each ``Product``, and NAME.out for the results of queries and keys, which
    are multiplied with each other.
    """
    found = {names: _Seen() for names in products(model)}
    outputs = {name: _Seen() for names in found if len(names) > 1 for name in names[:2]}
    hooks = [model.get_submodule(names[0]).register_forward_hook(seen.note_input) for names, seen in found.items()]
    hooks += [model.get_submodule(name).register_forward_hook(seen.note_output) for name, seen in outputs.items()]
    try:
        for image, ids in examples:
            model(image, ids)
    finally:
        for hook in hooks:
            hook.remove()
    result = {f"{name}.out": seen.symmetric() for name, seen in outputs.items() if seen.count}
    for names, seen in found.items():
        if seen.count:
            layers = [model.get_submodule(name) for name in names]
            matrices = [layer.weight.flatten(1) for layer in layers if isinstance(layer, nn.Linear | nn.Conv2d)]
            convolution = isinstance(
                layers[0], nn.Conv2d
            )  # its map is not scaled, which would cost as much as it gains
            result[names[0]] = seen.unscaled() if convolution else seen.scaled(torch.cat(matrices).abs().amax(0))
    return result


class _Seen:
    """Ranges and means of the channels of one activation."""

    def __init__(self) -> None:
        self.count, self.low, self.high, self.sum = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())

    def note_input(self, module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        self._note(arguments[0].movedim(1, -1) if isinstance(module, nn.Conv2d) else arguments[0])

    def note_output(self, module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        self._note(output)

    def _note(self, tokens: Tensor) -> None:
        rows = tokens.flatten(0, -2)
        self.low, self.high = torch.minimum(self.low, rows.amin(0)), torch.maximum(self.high, rows.amax(0))
        self.sum, self.count = self.sum + rows.mean(0), self.count + 1

    def unscaled(self) -> RoundedInput:
        return RoundedInput(torch.empty(0), torch.empty(0), float(self.low.min()), float(self.high.max()))

    def symmetric(self) -> RoundedInput:
        size = max(-float(self.low.min()), float(self.high.max()))
        return RoundedInput(torch.empty(0), torch.empty(0), -size, size)

    def scaled(self, weights: Tensor) -> RoundedInput:
        """weights: the largest of each column."""
        size = torch.maximum(-self.low, self.high)
        used = (size > 0) & (weights > 0)
        factors = torch.where(used, size**_SHARE / weights.clamp(min=1e-12) ** (1 - _SHARE), 1.0)
        factors = factors.clamp(*_FACTORS).to(_STORED).float()
        mean = (self.sum / self.count / factors).to(_STORED).float()
        return RoundedInput(factors, mean, float((self.low / factors).min()), float((self.high / factors).max()))


def save_int8_facts(inputs: dict[str, RoundedInput], folder: Path) -> Path:
    """Write facts for the weights of a model folder into it."""
    tensors = {}
    for name, each in inputs.items():
        tensors[f"{name}.range"] = torch.tensor([each.low, each.high])
        tensors |= {f"{name}.{part}": getattr(each, part).to(_STORED) for part in ("factors", "mean")}
    facts = {"format": _FORMAT, "weights": hash_of_files([folder / WEIGHTS])}
    write_atomically(folder / INT8_FACTS, save(tensors, facts))
    return folder / INT8_FACTS


def int8_facts_of(folder: Path) -> dict[str, RoundedInput]:
    """As ``read_int8_facts``, for a user: raises ``ConfigError`` with what to do instead."""
    try:
        return read_int8_facts(folder)
    except WeightsError as error:
        raise ConfigError(
            f"{error}; OpenVINO's int8 must know how large activations become. Give at least 8 photographs, better 60, of the "
            "kind that the export is for: --photo DIR. To store this beside your weights, see docs/deployment.md"
        ) from error


def read_int8_facts(folder: Path) -> dict[str, RoundedInput]:
    """The facts in a model folder. Raises ``WeightsError`` if there are none, or if they are of other weights."""
    path = folder / INT8_FACTS
    if not path.is_file():
        raise WeightsError(f"{folder} has no {INT8_FACTS}")
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  (no dict)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read ({error})") from error
    if facts.get("format") != _FORMAT:
        raise WeightsError(f"{path} has format {facts.get('format')}; this restr reads {_FORMAT}")
    if facts.get("weights") != hash_of_files([folder / WEIGHTS]):
        raise WeightsError(f"{path} belongs to other weights than {folder / WEIGHTS}")
    try:
        return {
            name: RoundedInput(tensors[f"{name}.factors"], tensors[f"{name}.mean"], *tensors[f"{name}.range"].tolist())
            for name in (key.removesuffix(".range") for key in tensors if key.endswith(".range"))
        }
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not what restr writes ({error!r})") from error
