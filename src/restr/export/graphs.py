"""The graphs of an export: the model's two halves and, on request, the whole model."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from restr.config import ModelConfig, TransformerConfig
from restr.errors import ConfigError
from restr.export.rewriting import PACKED, FirstAttention, reusing
from restr.model.fusion import ImageTokens
from restr.model.restr import ReSTR
from restr.nn.transformer import Block
from restr.text.tokenizer import fills_up
from restr.text.vocabulary import PADDING, UNKNOWN

LARGEST_GRID = 128  # patches per side; the least upper limit of a graph of any size
_MOST = 1024  # images or sentences at once


class ImageEncoder(nn.Module):
    """``ReSTR.encode_image`` as a graph, for a model of ``for_runtimes`` with its part of the first fusion block."""

    def __init__(self, model: ReSTR, *, reuse: bool = True) -> None:
        """reuse: whether that part is given out; ``Expression`` computes it if it is not."""
        super().__init__()
        self.model, self.reuse = model, reuse

    def forward(self, image: Tensor) -> Tensor:
        """image (b 3 H W) -> patches (b h w D), or (b 1+PACKED h w D) before what ``FirstAttention.pack`` gives."""
        patches, grid = self.model.encode_image(image)
        first = first_attention(self.model) if self.reuse else None
        if first is not None:
            block = cast("Block", self.model.fusion.patch_encoder.blocks[0])
            packed = first.pack(patches if block.post_norm else block.norm1(patches))
            return torch.cat([patches[:, None], packed], 1).unflatten(2, grid)
        return patches.unflatten(1, grid)


class Expression(nn.Module):
    """``ReSTR.segment`` as a graph."""

    def __init__(self, model: ReSTR) -> None:
        super().__init__()
        self.model = model

    def forward(self, patches: Tensor, ids: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """patches: of ``ImageEncoder``, of one image or one for each sentence; ids (t l), 0 = padding -> logits (t 1 H W) and,
        with a presence head, presence (t)."""
        packed = patches[:, 1:].flatten(2, 3) if patches.ndim == 5 else None
        patches = patches if packed is None else patches[:, 0]
        image = ImageTokens(patches.flatten(1, 2), (patches.shape[1], patches.shape[2]))
        with nullcontext() if packed is None else reusing(packed):
            output = self.model.segment(image, ids)
        return output.logits if output.presence is None else (output.logits, output.presence)


class Whole(nn.Module):
    """Both halves in one graph: one sentence per image."""

    def __init__(self, model: ReSTR) -> None:
        super().__init__()
        self.image_encoder, self.expression = ImageEncoder(model, reuse=False), Expression(model)

    def forward(self, image: Tensor, ids: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """image (b 3 H W), ids (b l) -> as ``Expression.forward``."""
        return self.expression(self.image_encoder(image), ids)


def first_attention(model: ReSTR) -> FirstAttention | None:
    """The attention of the fusion encoder's first block, if its part among the patches can be computed with the image."""
    encoder = model.fusion.patch_encoder
    attention = cast("Block", encoder.blocks[0]).attn if encoder.depth else None
    return attention if isinstance(attention, FirstAttention) else None


class Graph(NamedTuple):
    """A graph to export."""

    module: nn.Module
    """The module to trace."""
    inputs: dict[str, Tensor]
    """Example inputs by name."""
    free: dict[str, dict[int, Dim]]
    """The dimensions of each input that may change."""
    outputs: tuple[str, ...]
    """The names of the outputs."""

    def trace(self, *, bf16: bool = False) -> ExportedProgram:
        """The graph as PyTorch's exporter sees it; with ``bf16``, its matrix products in bfloat16 and the rest in float32."""
        module = InBfloat16(self.module) if bf16 else self.module
        with torch.no_grad():
            return torch.export.export(
                module.eval(), tuple(self.inputs.values()), dynamic_shapes=tuple(self.free.values()), strict=False
            )


class InBfloat16(nn.Module):
    """A module under autocast, so that the casts become part of the graph."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """The module's own arguments and results, in float32."""
        with torch.autocast("cpu", torch.bfloat16):
            result = self.module(first) if second is None else self.module(first, second)
        return result.float() if isinstance(result, Tensor) else tuple(each.float() for each in result)


def graphs(model: ReSTR, *, dynamic: bool, whole: bool) -> dict[str, Graph]:
    """The graphs of a model by name: ``image_encoder``, ``expression`` and, on request, ``whole``.

    dynamic: for every height and width that are multiples of the patch; otherwise for a square of the preprocessing's
    size. Raises ``ConfigError`` if the model cannot be dynamic.
    """
    config = model.config
    check_exportable(config, dynamic=dynamic)
    patch, side = config.vision.patch, config.preprocess.size // config.vision.patch
    grid = (side, side + 1) if dynamic else (side, side)  # equal sides would be taken for one dimension
    b, t = Dim("b", min=1, max=_MOST), Dim("t", min=1, max=_MOST)
    h, w = (Dim(name, min=1, max=max(LARGEST_GRID, 2 * side)) for name in "hw")
    sides: dict[int, Dim] = {2: patch * h, 3: patch * w} if dynamic else {}  # type: ignore[dict-item]
    full = fills_up(config)
    words: dict[int, Dim] = {} if full else {1: Dim("l", min=1, max=config.language.max_words)}

    images = torch.randn(3, 3, patch * grid[0], patch * grid[1])
    parts = () if first_attention(model) is None else (1 + PACKED,)
    patches = torch.randn(1, *parts, *grid, config.fusion.width)
    grids: dict[int, Dim] = {patches.ndim - 3: h, patches.ndim - 2: w} if dynamic else {}
    ids = torch.full((3, config.language.max_words if full else min(5, config.language.max_words)), UNKNOWN)
    ids[0, -1] = PADDING
    outputs = ("logits",) if model.presence is None else ("logits", "presence")
    found = {
        "image_encoder": Graph(ImageEncoder(model), {"image": images}, {"image": {0: b} | sides}, ("patches",)),
        "expression": Graph(
            Expression(model), {"patches": patches, "ids": ids}, {"patches": grids, "ids": {0: t} | words}, outputs
        ),
    }
    if whole:
        free = {"image": {0: b} | sides, "ids": {0: b} | words}
        found["whole"] = Graph(Whole(model), {"image": images, "ids": ids}, free, outputs)
    return found


def check_exportable(config: ModelConfig, *, dynamic: bool) -> None:
    """Raises ``ConfigError`` for a dynamic graph with windowed attention, whose windows are fixed by the tracing."""
    fusion = config.fusion
    encoders: dict[str, TransformerConfig] = {
        "vision.blocks": config.vision.blocks,
        "fusion.visual_linguistic": fusion.visual_linguistic,
    }
    windowed = [name for name, blocks in encoders.items() if blocks.attention == "windowed"]
    if dynamic and windowed:
        raise ConfigError(
            f"{windowed[0]}.attention is 'windowed', whose windows depend on the size of the picture; export for one "
            "size: --fixed-size"
        )
