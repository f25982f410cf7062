"""The adaptive classifier and the coarse-to-fine decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.config import ClassifierConfig, DecoderConfig


class Judged(NamedTuple):
    """logits (b n): how much each patch is of the referent; patches (b n D): what was judged."""

    logits: Tensor
    patches: Tensor


class AdaptiveClassifier(nn.Module):
    """The seed, made into a classifier for this expression, judges every patch: z_v' e_s'^T / sqrt(D).

    The released code first maps both sides, without a bias, and does not divide.
    """

    def __init__(self, config: ClassifierConfig, width: int) -> None:
        super().__init__()
        maps = config.kind == "maps"
        self.proj_patch = nn.Linear(width, width, bias=False) if maps else nn.Identity()
        self.proj_seed = nn.Linear(width, width, bias=False) if maps else nn.Identity()
        self.scale = 1.0 if maps else width**-0.5

    def forward(self, patches: Tensor, classifier: Tensor) -> Judged:
        """patches (b n D), classifier (b 1 D) -> ``Judged``."""
        patches, classifier = self.proj_patch(patches), self.proj_seed(classifier)
        return Judged((patches @ classifier.transpose(1, 2)).squeeze(2) * self.scale, patches)


class Upsample(nn.Module):
    """One decoder block: halve the channels, double the resolution, LeakyReLU.

    Both steps are linear, one over channels and one over space, so they commute; projecting first, the default, needs
    a quarter of the multiplications.
    """

    def __init__(self, channels_in: int, channels_out: int, config: DecoderConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(channels_in, channels_out)
        self.config = config

    def forward(self, features: Tensor, *, enlarge: bool = True) -> Tensor:
        """features (b h w c) -> (b 2h 2w c'), or (b h w c') without ``enlarge``."""
        if self.config.order == "project_first":
            features = self.proj(features)
        if enlarge:
            features = features.permute(0, 3, 1, 2)  # channels first in shape, last in memory
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=self.config.align_corners)
            features = features.permute(0, 2, 3, 1)
        if self.config.order == "enlarge_first":
            features = self.proj(features)
        return F.leaky_relu(features, self.config.negative_slope, inplace=not torch.is_grad_enabled())


class Decoder(nn.Module):
    """K = log2 P blocks from the patch grid to the pixels, then a linear layer to one channel (section 3.3).

    ``coarse`` (0 unless training sets it): this many last blocks keep the resolution, so the logits are
    (H / 2^coarse, W / 2^coarse). The same weights on a coarser raster; most of training can do with it, and pixels
    are what a training step on a CPU spends its memory on.
    """

    coarse: int = 0

    def __init__(self, config: DecoderConfig, width: int, blocks: int) -> None:
        super().__init__()
        self.config = config
        channels = [2 * width] + [max(2 * width >> (k + 1), config.min_channels) for k in range(blocks)]
        self.blocks = nn.ModuleList(Upsample(a, b, config) for a, b in zip(channels, channels[1:], strict=False))
        self.head = nn.Linear(channels[-1], 1, bias=config.head_bias)

    def forward(self, beside: Tensor, judged: Judged, grid: tuple[int, int]) -> Tensor:
        """beside (b n D): what stands beside the masked patches; grid (h, w) -> logits (b 1 H W), H = 2^K h."""
        features = self.coarsest(beside, judged, grid)
        for i, block in enumerate(self.blocks):
            features = block(features, enlarge=i < len(self.blocks) - self.coarse)
        return self.head(features).permute(0, 3, 1, 2)

    def coarsest(self, beside: Tensor, judged: Judged, grid: tuple[int, int]) -> Tensor:
        """What the first block gets: [z_v, z_masked] on the patch grid, (b h w 2D)."""
        weight = judged.logits if self.config.mask_by == "logit" else judged.logits.sigmoid()
        return torch.cat([beside, judged.patches * weight[..., None]], dim=-1).unflatten(1, grid)


class NoDecoder(nn.Module):
    """The patch logits, enlarged to the pixels: what the decoder is measured against."""

    coarse: int = 0

    def __init__(self, config: DecoderConfig, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks, self.align_corners = blocks, config.align_corners

    def forward(self, beside: Tensor, judged: Judged, grid: tuple[int, int]) -> Tensor:
        """As ``Decoder.forward``."""
        scale = 2 ** (self.blocks - self.coarse)
        logits = judged.logits.unflatten(1, grid)[:, None]
        return F.interpolate(logits, scale_factor=scale, mode="bilinear", align_corners=self.align_corners)


DECODERS: dict[str, type[Decoder] | type[NoDecoder]] = {"coarse_to_fine": Decoder, "none": NoDecoder}
