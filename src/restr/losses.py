"""What training minimises: BCE on the mask, a little BCE on the patches, and Dice against small objects' neglect."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from restr.model.restr import ReSTROutput


class LossTerms(NamedTuple):
    """``total`` is minimised; the rest is for the log. All scalars."""

    total: Tensor
    mask: Tensor
    patch: Tensor
    dice: Tensor


def segmentation_loss(
    output: ReSTROutput,
    mask: Tensor,
    *,
    patch_weight: float = 0.1,
    dice_weight: float = 0.0,
    patch_share: float | None = 0.8,
) -> LossTerms:
    """L = BCE(Y_m) + patch_weight * BCE(y_p) [+ dice_weight * Dice] (paper, section 3.4).

    mask: float (b 1 H W) in [0, 1] at the logits' size. patch_share: a patch is foreground where this share of
    its pixels is (0.8 in the paper); None uses the share itself as a soft label. Dice: Milletari et al. 2016.
    """
    logits = output.logits.float()
    target = mask.to(logits)
    mask_loss = F.binary_cross_entropy_with_logits(logits, target)
    share = F.adaptive_avg_pool2d(target, output.grid).flatten(1)
    label = share if patch_share is None else (share > patch_share).float()
    patch_loss = F.binary_cross_entropy_with_logits(output.patch_logits.float(), label)
    dice = dice_loss(logits, target) if dice_weight else torch.zeros((), device=logits.device)
    return LossTerms(mask_loss + patch_weight * patch_loss + dice_weight * dice, mask_loss, patch_loss, dice)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice, one value a row, averaged: every mask counts alike, however small. logits, target (b 1 H W)."""
    prob = logits.sigmoid().flatten(1)
    target = target.flatten(1)
    overlap = (prob * target).sum(1)
    return (1 - (2 * overlap + 1) / (prob.sum(1) + target.sum(1) + 1)).mean()
