"""What is exported: the model cut in two where the sentence comes in, and in one piece."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from restr.config import ModelConfig, TransformerConfig
from restr.errors import ConfigError
from restr.model.fusion import Placed
from restr.model.restr import ReSTR
from restr.text.tokenizer import fills_up
from restr.text.vocabulary import PADDING, UNKNOWN

LARGEST_GRID = 128  # patches a side that a graph of any size promises to take
_MOST = 1024  # images or sentences at once


class ImageEncoder(nn.Module):
    """The half that no sentence changes, up to and with the map to the fusion's width."""

    def __init__(self, model: ReSTR) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """image (b 3 H W) -> patches (b h w D); the grid is in the shape, so that nobody has to carry it along."""
        patches, grid = self.model.encode_image(image)
        return self.model.fusion.place(patches, grid).patches.unflatten(1, grid)


class Expression(nn.Module):
    """The half that runs once a sentence: words, fusion, classifier, decoder."""

    def __init__(self, model: ReSTR) -> None:
        super().__init__()
        self.model = model

    def forward(self, patches: Tensor, ids: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """patches (1 h w D) or (t h w D), ids (t l), row 0 where there is no word -> logits (t 1 H W) and, of a model that
        has it, presence (t)."""
        grid = (patches.shape[1], patches.shape[2])
        word_pad = ids == PADDING
        words = self.model.encode_words(ids, word_pad)
        fused = self.model.fusion.meet(Placed(patches.flatten(1, 2), grid), words, word_pad)
        output = self.model.decode(fused, grid)
        return output.logits if output.presence is None else (output.logits, output.presence)


class Whole(nn.Module):
    """Both halves in one graph: an image and a sentence a row."""

    def __init__(self, model: ReSTR) -> None:
        super().__init__()
        self.image_encoder, self.expression = ImageEncoder(model), Expression(model)

    def forward(self, image: Tensor, ids: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """image (b 3 H W), ids (b l) -> as ``Expression.forward``."""
        return self.expression(self.image_encoder(image), ids)


class Graph(NamedTuple):
    """A graph to export: its module, example inputs by name, which of their dimensions are free, and its outputs' names."""

    module: nn.Module
    inputs: dict[str, Tensor]
    free: dict[str, dict[int, Dim]]
    outputs: tuple[str, ...]

    def traced(self, *, bf16: bool = False) -> ExportedProgram:
        """The graph as PyTorch's exporter sees it; with ``bf16``, its matrix products in bfloat16 and the rest in float32."""
        module = InBfloat16(self.module) if bf16 else self.module
        with torch.no_grad():
            return torch.export.export(
                module.eval(), tuple(self.inputs.values()), dynamic_shapes=tuple(self.free.values()), strict=False
            )


class InBfloat16(nn.Module):
    """A module under autocast, so that the casts become part of what is exported."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, first: Tensor, second: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """The module's own arguments and results, float32."""
        with torch.autocast("cpu", torch.bfloat16):
            result = self.module(first) if second is None else self.module(first, second)
        return result.float() if isinstance(result, Tensor) else tuple(each.float() for each in result)


def graphs(model: ReSTR, *, dynamic: bool, whole: bool) -> dict[str, Graph]:
    """The graphs of a model by name: ``image_encoder``, ``expression`` and, if asked for, ``whole``.

    dynamic: of any height and width that are multiples of the patch; otherwise of the preprocessing's size, square.
    Raises ``ConfigError`` where the model cannot be of any size.
    """
    config = model.config
    check_exportable(config, dynamic=dynamic)
    patch, side = config.vision.patch, config.preprocess.size // config.vision.patch
    grid = (side, side + 1) if dynamic else (side, side)  # two sides that happen to be equal would be taken for one
    b, t = Dim("b", min=1, max=_MOST), Dim("t", min=1, max=_MOST)
    h, w = (Dim(name, min=1, max=max(LARGEST_GRID, 2 * side)) for name in "hw")
    sides: dict[int, Dim] = {2: patch * h, 3: patch * w} if dynamic else {}  # type: ignore[dict-item]
    grids: dict[int, Dim] = {1: h, 2: w} if dynamic else {}
    full = fills_up(config)
    words: dict[int, Dim] = {} if full else {1: Dim("l", min=1, max=config.language.max_words)}

    images = torch.randn(3, 3, patch * grid[0], patch * grid[1])
    patches = torch.randn(1, *grid, config.fusion.width)
    ids = torch.full((3, config.language.max_words if full else min(5, config.language.max_words)), UNKNOWN)
    ids[0, -1] = PADDING
    said = ("logits",) if model.presence is None else ("logits", "presence")
    found = {
        "image_encoder": Graph(ImageEncoder(model), {"image": images}, {"image": {0: b} | sides}, ("patches",)),
        "expression": Graph(
            Expression(model), {"patches": patches, "ids": ids}, {"patches": grids, "ids": {0: t} | words}, said
        ),
    }
    if whole:
        free = {"image": {0: b} | sides, "ids": {0: b} | words}
        found["whole"] = Graph(Whole(model), {"image": images, "ids": ids}, free, said)
    return found


def check_exportable(config: ModelConfig, *, dynamic: bool) -> None:
    """Raises ``ConfigError`` where a graph of any size is asked of attention whose windows are cut when it is traced."""
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
