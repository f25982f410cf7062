"""The presence head: whether the image shows anything that the sentence means."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.model.decoder import Judged


class Presence(nn.Module):
    """Compares the adapted seed, which knows what is asked for, with what its classifier found.

    The paper's model has no such head; generalised referring segmentation (Liu et al., CVPR 2023) asks for one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * width)
        self.fc1 = nn.Linear(2 * width, width)
        self.fc2 = nn.Linear(width, 1)

    def forward(self, judged: Judged, classifier: Tensor) -> Tensor:
        """classifier (b 1 D) -> logits (b): above 0 where something is meant."""
        weight = judged.logits.sigmoid()[:, None]
        found = weight @ judged.patches / (weight.sum(2, keepdim=True) + 1e-3)
        both = torch.cat([classifier, found], dim=2)
        return self.fc2(F.gelu(self.fc1(self.norm(both)))).flatten()
