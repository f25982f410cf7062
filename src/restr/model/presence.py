"""The presence head: whether the image shows what the sentence names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.model.decoder import PatchScores
from restr.nn.shapes import Float


class PresenceHead(nn.Module):
    """Compares the adapted seed, which stands for the sentence, with the mean of the patches that its classifier found.

    The paper's model has no such head; generalised referring segmentation (Liu et al., CVPR 2023) asks for one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * width)
        self.fc1 = nn.Linear(2 * width, width)
        self.fc2 = nn.Linear(width, 1)

    def forward(self, scores: PatchScores, classifier: Float[Tensor, "b 1 D"]) -> Float[Tensor, " b"]:
        """Logits: above 0 if the image shows it."""
        weight = scores.logits.sigmoid()[:, None]
        found = weight @ scores.patches / (weight.sum(2, keepdim=True) + 1e-3)
        return self.answer(torch.cat([classifier, found], dim=2))

    def answer(self, both: Float[Tensor, "*rows read"]) -> Float[Tensor, " n"]:
        """The logits of what was read: adapted seeds, each beside the mean of the patches found."""
        return self.fc2(F.gelu(self.fc1(self.norm(both)))).flatten()
