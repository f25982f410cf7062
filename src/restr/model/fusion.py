"""The multimodal fusion encoder (figure 3) in its variants: how patches, words and the class seed meet.

To add a variant, write a subclass of ``Fusion``, give it a row in ``FUSIONS`` and name it in ``FusionConfig.variant``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.config import FusionConfig, TransformerConfig
from restr.model.vision import PatchFeatures
from restr.nn.attention import Layout
from restr.nn.positions import FOURIER_FEATURES, fourier_positions
from restr.nn.shapes import Bool, Float
from restr.nn.transformer import Transformer


class ImageTokens(NamedTuple):
    """An image as the fusion encoder takes it; the same for every sentence."""

    patches: Float[Tensor, "b n D"]
    """z_v, one token per patch."""
    grid: tuple[int, int]
    """(h, w), in patches; n = h * w."""

    def rows(self, index: Tensor) -> ImageTokens:
        """The images at ``index`` (t): one for each sentence."""
        return self._replace(patches=self.patches[index])


class FusionOutput(NamedTuple):
    """Patches and class seed after they met the words."""

    patches: Float[Tensor, "b n D"]
    """z_v'."""
    classifier: Float[Tensor, "b 1 D"]
    """e_s', the seed, adapted to this expression."""


class AttentionMaps(NamedTuple):
    """Attention in the fusion encoder: means over heads and blocks.

    Attention to other tokens is left out, so rows sum to less than 1.
    """

    words: Float[Tensor, "b l n"]
    """How much each word attends to each patch."""
    seed: Float[Tensor, "b l"]
    """How much the class seed attends to each word."""


class Fusion(nn.Module, ABC):
    """The common part of all variants: maps to the common width D, the class seed, and the padding."""

    coupled = False
    """Whether the encoder of the seed, if it has one of its own, reads words that have seen the image."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.proj_vision = nn.Linear(vision_width, width)
        self.proj_words = nn.Linear(width, width)
        self.proj_place = nn.Linear(FOURIER_FEATURES, width, bias=False) if config.patch_positions else None
        self.seed = nn.Parameter(torch.randn(1, 1, width) * 0.02)

    def project(self, features: PatchFeatures) -> ImageTokens:
        """The vision encoder's patches at the common width."""
        patches, grid = features
        if self.config.normalise:
            patches = F.normalize(patches, dim=-1)
        z_v = self.proj_vision(patches)
        if self.proj_place is not None:
            z_v = z_v + self.proj_place(fourier_positions(grid).to(z_v))
        return ImageTokens(z_v, grid)

    def forward(self, image: ImageTokens, words: Float[Tensor, "b l D"], padding: Bool[Tensor, "b l"]) -> FusionOutput:
        """One image per sentence, or one image for all sentences. padding: True = padding."""
        z_v, grid = image
        if self.config.normalise:
            words = F.normalize(words, dim=-1)
        z_l = self.proj_words(words)
        b = z_l.shape[0]  # not len(), which would become a constant of an exported graph
        z_v = z_v.expand(b, -1, -1) if z_v.shape[0] == 1 else z_v
        if self.config.attend_padding:
            z_l, padding = z_l.masked_fill(padding[..., None], 0.0), torch.zeros_like(padding)
        seed = self.seed.expand(b, -1, -1).to(z_l)
        return FusionOutput(*self.fuse(z_v, z_l, seed, padding, Layout(0, grid)))

    @abstractmethod
    def fuse(
        self,
        z_v: Float[Tensor, "b n D"],
        z_l: Float[Tensor, "b l D"],
        e_s: Float[Tensor, "b 1 D"],
        padding: Bool[Tensor, "b l"],
        layout: Layout,
    ) -> tuple[Float[Tensor, "b n D"], Float[Tensor, "b 1 D"]]:
        """Patches z_v, in ``layout``, words z_l and class seed e_s -> z_v', e_s'."""

    @property
    @abstractmethod
    def patch_encoder(self) -> Transformer:
        """The encoder that the patches go into; they are the first of its tokens."""

    @abstractmethod
    def attention_maps(self, weights: Sequence[Tensor], words: int) -> AttentionMaps:
        """weights: of the last words + 1 tokens, (b 1+l tokens) for each block in the order of computation."""


class TwoEncoders(Fusion):
    """A visual-linguistic encoder and a linguistic-seed encoder, or a shared one in both roles."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__(config, vision_width)
        self.visual_linguistic = Transformer(with_sharing(config.visual_linguistic, config))
        if config.sharing != "encoders":
            self.linguistic_seed = Transformer(with_sharing(config.linguistic_seed, config))

    @property
    def patch_encoder(self) -> Transformer:
        return self.visual_linguistic

    def visual_linguistic_pass(
        self, z_v: Tensor, z_l: Tensor, padding: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """[z_v', z_l'] = T([z_v, z_l]; th_vl)."""
        tokens = self.visual_linguistic(torch.cat([z_v, z_l], dim=1), _padding(z_v, padding), layout)
        return tokens[:, : z_v.shape[1]], tokens[:, z_v.shape[1] :]

    def adapt_seed(self, z_l: Tensor, e_s: Tensor, padding: Tensor) -> Tensor:
        """e_s' = last token of T([z_l, e_s]; th_ls)."""
        encoder = self.visual_linguistic if self.config.sharing == "encoders" else self.linguistic_seed
        return encoder(torch.cat([z_l, e_s], dim=1), _padding(padding, e_s))[:, -1:]

    def attention_maps(self, weights: Sequence[Tensor], words: int) -> AttentionMaps:
        depth = self.visual_linguistic.depth
        visual_linguistic = torch.stack(list(weights[:depth])).mean(0)  # (b 1+l n+l), the words are the last rows
        linguistic_seed = torch.stack(list(weights[depth:])).mean(0)  # (b 1+l l+1)
        return AttentionMaps(visual_linguistic[:, -words:, :-words], linguistic_seed[:, -1, :words])


class CoupledFusion(TwoEncoders):
    """CME, the paper's model: the class seed meets the image only through words that have seen it.

    A seed that attends to patches directly drifts to them, because there are fifty times as many patches as words
    (paper, section 3.2).
    """

    coupled = True

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, padding: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        z_v, z_l = self.visual_linguistic_pass(z_v, z_l, padding, layout)
        return z_v, self.adapt_seed(z_l, e_s, padding)


class IndependentFusion(TwoEncoders):
    """IME: the seed reads the words as they were before they saw the image; it knows only the sentence."""

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, padding: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        patches, _ = self.visual_linguistic_pass(z_v, z_l, padding, layout)
        return patches, self.adapt_seed(z_l, e_s, padding)


class VanillaFusion(Fusion):
    """VME: one encoder, as deep as the other variants' two, over patches, words and seed together."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__(config, vision_width)
        last = config.linguistic_seed
        blocks = replace(last, depth=config.visual_linguistic.depth + last.depth)  # the last LayerNorm is the seed's
        self.joint = Transformer(with_sharing(blocks, config))

    @property
    def patch_encoder(self) -> Transformer:
        return self.joint

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, padding: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        tokens = self.joint(torch.cat([z_v, z_l, e_s], dim=1), _padding(z_v, padding, e_s), layout)
        return tokens[:, : z_v.shape[1]], tokens[:, -1:]

    def attention_maps(self, weights: Sequence[Tensor], words: int) -> AttentionMaps:
        joint = torch.stack(list(weights)).mean(0)  # (b 1+l n+l+1)
        return AttentionMaps(joint[:, -1 - words : -1, : -1 - words], joint[:, -1, -1 - words : -1])


def with_sharing(blocks: TransformerConfig, config: FusionConfig) -> TransformerConfig:
    """An encoder's config, with one block for all depths if the fusion shares over depth."""
    return replace(blocks, shared=True) if config.sharing == "depth" else blocks


def _padding(*parts: Tensor) -> Tensor:
    """The padding (b n) of tokens in a row: a bool part (b l) is its own padding, a token part (b m D) has none."""
    masks = (part if part.dtype == torch.bool else part.new_zeros(part.shape[:2], dtype=torch.bool) for part in parts)
    return torch.cat(list(masks), dim=1)


FUSIONS: dict[str, type[Fusion]] = {"cme": CoupledFusion, "ime": IndependentFusion, "vme": VanillaFusion}
