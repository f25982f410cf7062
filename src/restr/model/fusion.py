"""The multimodal fusion encoder: words see the image, then the class seed reads the words (figure 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from restr.config import FusionConfig
from restr.nn.positions import FOURIER_FEATURES, fourier_positions
from restr.nn.transformer import Transformer


class Fused(NamedTuple):
    """patches (b n D): what the image says once the words were read; classifier (b 1 D): the seed, adapted."""

    patches: Tensor
    classifier: Tensor


class CoupledFusion(nn.Module):
    """CME, the paper's model: the class seed meets the image only through words that have seen it.

    [z_v', z_l'] = T([z_v, z_l]; th_vl), then e_s' = last token of T([z_l', e_s]; th_ls). A seed that attends to
    patches directly drifts to them, of which there are fifty times as many as words (paper, section 3.2).
    """

    def __init__(self, config: FusionConfig, vision_width: int) -> None:
        super().__init__()
        width = config.width
        self.proj_vision = nn.Linear(vision_width, width)
        self.proj_words = nn.Linear(width, width)
        self.proj_place = nn.Linear(FOURIER_FEATURES, width, bias=False) if config.patch_positions else None
        self.visual_linguistic = Transformer(config.visual_linguistic)
        self.linguistic_seed = Transformer(config.linguistic_seed)
        self.seed = nn.Parameter(torch.randn(1, 1, width) * 0.02)

    def forward(self, patches: Tensor, words: Tensor, word_pad: Tensor, grid: tuple[int, int]) -> Fused:
        """patches (b n d_v) on grid (h, w), words (b l D), word_pad bool (b l) -> ``Fused``."""
        b, n = patches.shape[:2]
        no_pad = word_pad.new_zeros((b, 1))
        z_v = self.proj_vision(patches)
        if self.proj_place is not None:
            z_v = z_v + self.proj_place(fourier_positions(grid).to(z_v))
        tokens = torch.cat([z_v, self.proj_words(words)], dim=1)
        tokens = self.visual_linguistic(tokens, torch.cat([no_pad.expand(b, n), word_pad], dim=1))
        z_v, z_l = tokens[:, :n], tokens[:, n:]
        seeded = torch.cat([z_l, self.seed.expand(b, -1, -1).to(z_l)], dim=1)
        seeded = self.linguistic_seed(seeded, torch.cat([word_pad, no_pad], dim=1))
        return Fused(patches=z_v, classifier=seeded[:, -1:])


FUSIONS = {"cme": CoupledFusion}
