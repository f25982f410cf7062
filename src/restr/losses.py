"""The training loss: BCE on the mask, a little BCE on the patches, and terms from later work."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from restr.model.restr import ReSTROutput


class LossTerms(NamedTuple):
    """The loss and its terms, all scalars."""

    total: Tensor
    """The weighted sum, which training minimises; the rest is for the log."""
    mask: Tensor
    """BCE of the pixels."""
    patch: Tensor
    """BCE of the patches."""
    dice: Tensor
    """1 - Dice; 0 if it has no weight."""
    presence: Tensor
    """BCE of the presence head; 0 without one."""


def segmentation_loss(
    output: ReSTROutput,
    mask: Tensor,
    *,
    patch_weight: float = 0.1,
    patch_share: float | None = 0.8,
    dice_weight: float = 0.0,
    focal_gamma: float = 0.0,
    boundary_weight: float = 0.0,
    smoothing: float = 0.0,
    presence_weight: float = 0.3,
) -> LossTerms:
    """L = BCE(Y_m) + patch_weight * BCE(y_p) [+ dice_weight * Dice] (paper, section 3.4).

    mask: float (b 1 H W) in [0, 1] at the logits' size. patch_share: a patch is foreground if more than this share of
    its pixels is (0.8 in the paper; 0.0, any pixel, is the released code's rule); None uses the share itself as a soft
    label. The paper has none of the following, which are off by default. dice_weight (Milletari et al. 2016): every mask
    counts alike, however small. focal_gamma (Lin et al. 2017): the mask's BCE fades for pixels that are right already.
    boundary_weight (Ronneberger et al. 2015): pixels near an outline count this much more. smoothing (Szegedy et al.
    2016): the mask's labels are mixed with 1/2, so 0 and 1 become smoothing / 2 and 1 - smoothing / 2. presence_weight:
    of ``presence_loss``, if the model has a presence head.
    """
    logits = output.logits.float()
    target = mask.to(logits)
    pixel_loss = focal_bce(logits, target * (1 - smoothing) + smoothing / 2, focal_gamma)
    if boundary_weight:
        weights = 1 + boundary_weight * near_boundary(target)
        mask_loss = (pixel_loss * weights).sum() / weights.sum()
    else:
        mask_loss = pixel_loss.mean()
    share = F.adaptive_avg_pool2d(target, output.grid).flatten(1)
    label = share if patch_share is None else (share > patch_share).float()
    patch_loss = F.binary_cross_entropy_with_logits(output.patch_logits.float(), label)
    dice = dice_loss(logits, target) if dice_weight else torch.zeros((), device=logits.device)
    presence = torch.zeros_like(dice) if output.presence is None else presence_loss(output.presence.float(), target)
    total = mask_loss + patch_weight * patch_loss + dice_weight * dice + presence_weight * presence
    return LossTerms(total, mask_loss, patch_loss, dice, presence)


def presence_loss(logits: Tensor, target: Tensor) -> Tensor:
    """BCE of whether a mask (b 1 H W) has any pixel; logits (b).

    0 for a batch without an empty mask: most data has no sentences about absent things, and would teach the head that
    everything is there.
    """
    present = (target.flatten(1) > 0.5).any(1)
    return F.binary_cross_entropy_with_logits(logits, present.to(logits)) * (~present).any()


def focal_bce(logits: Tensor, target: Tensor, gamma: float) -> Tensor:
    """BCE of every pixel, times (1 - p of the right answer)^gamma; gamma 0 is BCE."""
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if not gamma:
        return bce
    prob = logits.sigmoid()
    wrong = prob * (1 - target) + (1 - prob) * target
    return bce * wrong.clamp_min(1e-6).pow(gamma)  # below 1, a power's slope at 0 is infinite


def near_boundary(target: Tensor, reach: int = 2) -> Tensor:
    """1.0 where both foreground and background lie within ``reach`` pixels, else 0.0; target (b 1 H W)."""
    side = 2 * reach + 1
    highest = F.max_pool2d(target, side, stride=1, padding=reach)
    lowest = -F.max_pool2d(-target, side, stride=1, padding=reach)
    return ((highest > 0.5) & (lowest <= 0.5)).to(target.dtype)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - Dice, one value per row, averaged: every mask counts alike, however small. logits, target (b 1 H W)."""
    prob = logits.sigmoid().flatten(1)
    target = target.flatten(1)
    overlap = (prob * target).sum(1)
    return (1 - (2 * overlap + 1) / (prob.sum(1) + target.sum(1) + 1)).mean()
