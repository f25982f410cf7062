"""The multimodal fusion encoder (figure 3) in its variants: how patches, words and the class seed meet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.config import FusionConfig, TransformerConfig
from restr.nn.attention import Known, Layout
from restr.nn.positions import FOURIER_FEATURES, fourier_positions
from restr.nn.transformer import Transformer


class Fused(NamedTuple):
    """inputs (b n D): the patches before fusion; patches (b n D): after they met the words; classifier (b 1 D): the
    seed, adapted to this expression."""

    inputs: Tensor
    patches: Tensor
    classifier: Tensor


class Placed(NamedTuple):
    """An image as the fusion encoder takes it: all that no sentence changes. patches z_v (b n D) on ``grid`` = (h, w);
    ``known``: what they make of each other in the first block."""

    patches: Tensor
    grid: tuple[int, int]
    known: Known | None = None

    def row(self, row: int) -> Placed:
        """One image of a batch, with memory of its own: one that is kept does not keep the others."""
        known = self.known and Known(*(part[row : row + 1].clone() for part in self.known))
        return Placed(self.patches[row : row + 1].clone(), self.grid, known)


class Fusion(nn.Module, ABC):
    """What all variants share: maps to the common width D, the class seed, and which tokens are padding."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.proj_vision = nn.Linear(vision_width, width)
        self.proj_words = nn.Linear(width, width)
        self.proj_place = nn.Linear(FOURIER_FEATURES, width, bias=False) if config.patch_positions else None
        self.seed = nn.Parameter(torch.randn(1, 1, width) * 0.02)

    def forward(self, patches: Tensor, words: Tensor, word_pad: Tensor, grid: tuple[int, int]) -> Fused:
        """patches (b n d_v) on grid (h, w), words (b l D), word_pad bool (b l) -> ``Fused``.

        One image may meet several expressions: patches (1 n d_v).
        """
        return self.meet(self.place(patches, grid), words, word_pad)

    def place(self, patches: Tensor, grid: tuple[int, int]) -> Placed:
        """patches (b n d_v) -> ``Placed``, without what is known; once an image is enough."""
        if self.config.normalise:
            patches = F.normalize(patches, dim=-1)
        z_v = self.proj_vision(patches)
        if self.proj_place is not None:
            z_v = z_v + self.proj_place(fourier_positions(grid).to(z_v))
        return Placed(z_v, grid)

    def foresee(self, image: Placed) -> Placed:
        """With what its patches make of each other: worth its cost where sentences come one by one, and no gradient is wanted."""
        return image._replace(known=self.first.among(image.patches))

    @property
    @abstractmethod
    def first(self) -> Transformer:
        """The encoder that the patches go into."""

    def meet(self, image: Placed, words: Tensor, word_pad: Tensor) -> Fused:
        """An image a row or, for all expressions, one; words (b l D), word_pad bool (b l) -> ``Fused``."""
        z_v = image.patches
        if self.config.normalise:
            words = F.normalize(words, dim=-1)
        z_l = self.proj_words(words)
        b = z_l.shape[0]  # not len(), which would make it a constant of an exported graph
        z_v = z_v.expand(b, -1, -1) if z_v.shape[0] == 1 else z_v
        if self.config.attend_padding:
            z_l, word_pad = z_l.masked_fill(word_pad[..., None], 0.0), torch.zeros_like(word_pad)
        seed = self.seed.expand(b, -1, -1).to(z_l)
        patches, classifier = self.fuse(z_v, z_l, seed, word_pad, Layout(0, image.grid, image.known))
        return Fused(z_v, patches, classifier)

    @abstractmethod
    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, word_pad: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """z_v (b n D) in ``layout``, z_l (b l D), e_s (b 1 D), word_pad bool (b l) -> z_v' (b n D), e_s' (b 1 D)."""


class TwoEncoders(Fusion):
    """A visual-linguistic encoder and a linguistic-seed encoder; one in both roles where they are shared."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__(config, vision_width)
        self.visual_linguistic = Transformer(by_sharing(config.visual_linguistic, config))
        if config.sharing != "encoders":
            self.linguistic_seed = Transformer(by_sharing(config.linguistic_seed, config))

    @property
    def first(self) -> Transformer:
        return self.visual_linguistic

    def see(self, z_v: Tensor, z_l: Tensor, word_pad: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """[z_v', z_l'] = T([z_v, z_l]; th_vl)."""
        tokens = self.visual_linguistic(torch.cat([z_v, z_l], dim=1), _padding(z_v, word_pad), layout)
        return tokens[:, : z_v.shape[1]], tokens[:, z_v.shape[1] :]

    def adapt(self, z_l: Tensor, e_s: Tensor, word_pad: Tensor) -> Tensor:
        """e_s' = last token of T([z_l, e_s]; th_ls)."""
        encoder = self.visual_linguistic if self.config.sharing == "encoders" else self.linguistic_seed
        return encoder(torch.cat([z_l, e_s], dim=1), _padding(word_pad, e_s))[:, -1:]


class CoupledFusion(TwoEncoders):
    """CME, the paper's model: the class seed meets the image only through words that have seen it.

    A seed that attends to patches directly drifts to them, of which there are fifty times as many as words
    (paper, section 3.2).
    """

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, word_pad: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        z_v, z_l = self.see(z_v, z_l, word_pad, layout)
        return z_v, self.adapt(z_l, e_s, word_pad)


class IndependentFusion(TwoEncoders):
    """IME: the seed reads the words as they were before they saw the image; it knows the sentence alone."""

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, word_pad: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        seen, _ = self.see(z_v, z_l, word_pad, layout)
        return seen, self.adapt(z_l, e_s, word_pad)


class VanillaFusion(Fusion):
    """VME: one encoder, as deep as the other variants' two, over patches, words and seed together."""

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__(config, vision_width)
        last = config.linguistic_seed
        blocks = replace(last, depth=config.visual_linguistic.depth + last.depth)  # its end is the seed's
        self.joint = Transformer(by_sharing(blocks, config))

    @property
    def first(self) -> Transformer:
        return self.joint

    def fuse(self, z_v: Tensor, z_l: Tensor, e_s: Tensor, word_pad: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        tokens = self.joint(torch.cat([z_v, z_l, e_s], dim=1), _padding(z_v, word_pad, e_s), layout)
        return tokens[:, : z_v.shape[1]], tokens[:, -1:]


def by_sharing(blocks: TransformerConfig, config: FusionConfig) -> TransformerConfig:
    """An encoder's config with one block over depth, where the fusion shares so."""
    return replace(blocks, shared=True) if config.sharing == "depth" else blocks


def _padding(*parts: Tensor) -> Tensor:
    """The key padding (b n) of tokens in a row: a bool part (b l) is its own padding, a token part (b m D) has none."""
    masks = (part if part.dtype == torch.bool else part.new_zeros(part.shape[:2], dtype=torch.bool) for part in parts)
    return torch.cat(list(masks), dim=1)


FUSIONS: dict[str, type[Fusion]] = {"cme": CoupledFusion, "ime": IndependentFusion, "vme": VanillaFusion}
