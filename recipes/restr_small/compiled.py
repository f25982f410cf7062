"""Makes a training step fast on a GPU, with the same arithmetic; the model's own code stays unchanged."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.model.decoder import Upsample
from restr.model.restr import ReSTR
from restr.nn.transformer import DropPath


def enlarge_by_products_everywhere(model: ReSTR) -> None:
    """Let every decoder block enlarge by matrix products."""
    for module in model.modules():
        if isinstance(module, Upsample):
            module.forward = enlarge_by_products.__get__(module)  # type: ignore[method-assign]


def same_drop_path(model: ReSTR, rate: float) -> None:
    """One rate of stochastic depth for all vision blocks: with different rates, each block would be compiled."""
    for module in model.vision.modules():
        if isinstance(module, DropPath):
            module.rate = rate


def compile_blocks(model: ReSTR) -> None:
    """Compile the blocks of the vision and the visual-linguistic encoder, each kind once."""
    for encoder in (model.vision, model.fusion.patch_encoder):
        encoder.run_block = _without_layout
        for block in encoder.blocks:
            block.compile(dynamic=False)


def _without_layout(block: nn.Module, tokens: Tensor, key_mask: Tensor | None = None, layout: Any = None) -> Tensor:
    """``Transformer.run_block`` for full attention, which needs no layout; with one, every grid would compile anew."""
    return block(tokens, key_mask)


def enlarge_by_products(upsample: Upsample, features: Tensor, *, enlarge: bool = True) -> Tensor:
    """``Upsample.forward`` with two matrix products: PyTorch's gradient of a bilinear enlargement is slow, channels last."""
    features = upsample.proj(features)
    if enlarge:
        b, h, w, c = features.shape
        rows, columns = (_doubling(side, features) for side in (h, w))
        features = (rows @ features.reshape(b, h, w * c)).view(b * 2 * h, w, c)
        features = (columns @ features).view(b, 2 * h, 2 * w, c)
    return F.leaky_relu(features, upsample.config.negative_slope)


_DOUBLINGS: dict[tuple[Any, ...], Tensor] = {}


def _doubling(side: int, like: Tensor) -> Tensor:
    """The matrix (2 side, side) of a bilinear enlargement along one axis."""
    key = side, like.device, like.dtype
    if key not in _DOUBLINGS:
        doubled = F.interpolate(
            torch.eye(side)[None, None], size=(2 * side, side), mode="bilinear", align_corners=False
        )
        _DOUBLINGS[key] = doubled[0, 0].to(like)
    return _DOUBLINGS[key]
