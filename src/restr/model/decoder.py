"""The adaptive classifier and the coarse-to-fine decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.config import ClassifierConfig, DecoderConfig
from restr.model.fusion import ImageTokens
from restr.nn.shapes import Float


class PatchScores(NamedTuple):
    """The adaptive classifier's verdict on each patch."""

    logits: Float[Tensor, "b n"]
    """Above 0 where the patch belongs to the referent."""
    patches: Float[Tensor, "b n D"]
    """The patches as the classifier compared them."""


class AdaptiveClassifier(nn.Module):
    """Scores every patch by the seed that was adapted to this expression: z_v' e_s'^T / sqrt(D).

    The released code first maps both sides, without a bias, and does not divide.
    """

    def __init__(self, config: ClassifierConfig, width: int) -> None:
        super().__init__()
        maps = config.kind == "maps"
        self.proj_patch = nn.Linear(width, width, bias=False) if maps else nn.Identity()
        self.proj_seed = nn.Linear(width, width, bias=False) if maps else nn.Identity()
        self.scale = 1.0 if maps else width**-0.5

    def forward(self, patches: Float[Tensor, "b n D"], classifier: Float[Tensor, "b 1 D"]) -> PatchScores:
        """z_v' and e_s'."""
        patches, classifier = self.proj_patch(patches), self.proj_seed(classifier)
        return PatchScores((patches @ classifier.transpose(1, 2)).squeeze(2) * self.scale, patches)


class Upsample(nn.Module):
    """One decoder block: halve the channels, double the resolution, LeakyReLU.

    The first two are linear, one over channels and one over space, so they commute; projecting first, the default, needs
    a quarter of the multiplications.
    """

    def __init__(self, channels_in: int, channels_out: int, config: DecoderConfig) -> None:
        super().__init__()
        self.proj = nn.Linear(channels_in, channels_out, bias=config.bias)
        self.config = config

    def forward(self, features: Float[Tensor, "b h w c"], *, enlarge: bool = True) -> Tensor:
        """(b 2h 2w c'), or (b h w c') without ``enlarge``."""
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

    ``coarse``: how many of the last blocks keep the resolution (0 unless training sets it), so the logits are
    (H / 2^coarse, W / 2^coarse). The weights are the same. Coarse logits suffice for most of training, and on a CPU
    the full-size maps would take most of a step's memory.
    """

    coarse: int = 0

    def __init__(self, config: DecoderConfig, width: int, blocks: int) -> None:
        super().__init__()
        self.config = config
        channels = [2 * width] + [max(2 * width >> (k + 1), config.min_channels) for k in range(blocks)]
        self.blocks = nn.ModuleList(Upsample(a, b, config) for a, b in zip(channels, channels[1:], strict=False))
        self.head = nn.Linear(channels[-1], 1, bias=config.head_bias)

    def forward(
        self, image: ImageTokens, patches: Float[Tensor, "b n D"], scores: PatchScores
    ) -> Float[Tensor, "b 1 H W"]:
        """image: before fusion; patches: after it. Logits; H = 2^K h."""
        features = self.first_map(image, patches, scores)
        for i, block in enumerate(self.blocks):
            features = block(features, enlarge=i < len(self.blocks) - self.coarse)
        return self.head(features).permute(0, 3, 1, 2)

    def first_map(
        self, image: ImageTokens, patches: Float[Tensor, "b n D"], scores: PatchScores
    ) -> Float[Tensor, "b h w 2*D"]:
        """The input of the first block: [z_v, z_masked] on the patch grid."""
        beside = image.patches if self.config.beside == "input" else patches
        weight = scores.logits if self.config.mask_by == "logit" else scores.logits.sigmoid()
        masked = scores.patches * weight[..., None]
        return torch.cat([beside.expand_as(masked), masked], dim=-1).unflatten(1, image.grid)


class NoDecoder(nn.Module):
    """The patch logits, enlarged to the pixels: the baseline of the decoder."""

    coarse: int = 0

    def __init__(self, config: DecoderConfig, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks, self.align_corners = blocks, config.align_corners

    def forward(
        self, image: ImageTokens, patches: Float[Tensor, "b n D"], scores: PatchScores
    ) -> Float[Tensor, "b 1 H W"]:
        """As ``Decoder.forward``."""
        scale = 2 ** (self.blocks - self.coarse)
        logits = scores.logits.unflatten(1, image.grid)[:, None]
        return F.interpolate(logits, scale_factor=scale, mode="bilinear", align_corners=self.align_corners)


DECODERS: dict[str, type[Decoder] | type[NoDecoder]] = {"coarse_to_fine": Decoder, "none": NoDecoder}
