"""The vision encoder: a Vision Transformer for every input size that its patch divides."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.config import VisionConfig
from restr.errors import ImageError
from restr.nn.attention import Layout
from restr.nn.patches import PatchEmbed, resize_positions
from restr.nn.shapes import Float
from restr.nn.transformer import Transformer

MOST_GRIDS = 64  # resized position embeddings to keep; photographs come in few shapes


class PatchFeatures(NamedTuple):
    """The vision encoder's output: one token per patch."""

    patches: Float[Tensor, "b n d_v"]
    """d_v is the blocks' width, and once more for each tap of the config."""
    grid: tuple[int, int]
    """(h, w), in patches; n = h * w."""


class VisionEncoder(Transformer):
    """ViT (Dosovitskiy et al. 2021) with timm's parameter names; LayerScale makes it DINOv2's.

    The class token and the registers, if any, take part in attention and are dropped at the end: ReSTR has a seed of
    its own.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(config.blocks)
        self.config = config
        width = config.blocks.width
        self.patch_embed = PatchEmbed(config.patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + config.grid**2, width) * 0.02)
        self.reg_token = nn.Parameter(torch.randn(1, config.registers, width) * 0.02) if config.registers else None
        self._resized: dict[tuple[int, int], Tensor] = {}  # by patch grid ...
        self._resized_from: tuple[object, ...] = ()  # ... and from which weights
        if config.frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> VisionEncoder:
        """As ``Module.train``; a frozen encoder stays in eval mode, so that its features never change."""
        self._resized = {}  # a change of sharded weights does not show in the version that ``positions`` compares
        return super().train(mode and not self.config.frozen)

    def forward(self, image: Float[Tensor, "b 3 H W"]) -> PatchFeatures:  # type: ignore[override]
        """image: normalised. Raises ``ImageError`` if P does not divide H and W."""
        grid = self.grid_of(image)
        tokens = self.patch_embed(image) + self.positions(grid)
        b = tokens.shape[0]  # not len(), which would become a constant of an exported graph
        first = (self.cls_token + self.pos_embed[:, :1]).expand(b, -1, -1)
        registers = [] if self.reg_token is None else [self.reg_token.expand(b, -1, -1)]
        tokens = torch.cat([first, *registers, tokens], dim=1)
        layout = Layout(1 + self.config.registers, grid)
        tapped = []
        for depth, block in enumerate(self.in_order(), start=1):
            tokens = self.run_block(block, tokens, layout=layout)
            if depth in self.config.taps:
                tapped.append(F.layer_norm(tokens, tokens.shape[-1:]))
        tokens = torch.cat([self.norm(tokens), *tapped], dim=-1)
        return PatchFeatures(tokens[:, 1 + self.config.registers :], grid)

    def grid_of(self, image: Tensor) -> tuple[int, int]:
        """The patch grid (h, w) of an image tensor."""
        patch = self.config.patch
        height, width = image.shape[-2:]
        if height % patch or width % patch or not height or not width:
            raise ImageError(
                f"the input is {height} x {width}; both sides must be multiples of the patch, {patch}: "
                "use ModelConfig.framing.prepare"
            )
        return height // patch, width // patch

    def positions(self, grid: tuple[int, int]) -> Float[Tensor, "1 n d"]:
        """The position embedding for a patch grid; cached until the weights change."""
        trained = self.pos_embed[:, 1:]
        if (
            torch.compiler.is_compiling()
            or (torch.is_grad_enabled() and self.pos_embed.requires_grad)
            or self.pos_embed.is_inference()  # built under inference_mode: changes of the weights cannot be seen
        ):
            return resize_positions(trained, grid)
        version = (self.pos_embed.data_ptr(), self.pos_embed._version, self.pos_embed.dtype)
        if version != self._resized_from:
            self._resized, self._resized_from = {}, version
        if grid not in self._resized:
            if len(self._resized) == MOST_GRIDS:
                self._resized.clear()
            self._resized[grid] = resize_positions(trained.detach(), grid).clone()
        return self._resized[grid]
