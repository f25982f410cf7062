"""The training loss: mask, Dice, patch, presence and box terms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from views import Batch

from restr.errors import ConfigError
from restr.model.restr import ReSTROutput

SCALES = {"mask": 1.0, "dice": 1.0, "patch": 0.5, "presence": 0.3, "box": 1.0, "giou": 0.3}
QUIET = 0.3  # weight of an absent referent's empty mask: the presence head knows better that there is none


def losses(output: ReSTROutput, box: Tensor, batch: Batch, scales: Mapping[str, float] = SCALES) -> dict[str, Tensor]:
    """Means over the sentences that count, and their weighted sum, "total"; Dice and box only where something is meant.

    box (b*k 4): centre and sides, as shares of the view's sides. scales: weights of the sum; what they do not name is left out of it.
    """
    if output.presence is None:
        raise ConfigError('this model has no presence head; train one whose config has presence.kind = "region"')
    logits, target = output.logits.float().flatten(1), batch.mask.flatten(1)
    weight, present = batch.weight, batch.present * batch.weight
    count, there = weight.sum().clamp_min(1), present.sum().clamp_min(1)
    quiet = weight * (QUIET + (1 - QUIET) * batch.present)
    pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    prob = logits.sigmoid()
    dice = 1 - (2 * (prob * target).sum(1) + 1) / (prob.sum(1) + target.sum(1) + 1)
    share = F.adaptive_avg_pool2d(batch.mask, output.grid).flatten(1)
    patch = F.binary_cross_entropy_with_logits(output.patch_logits.float(), share, reduction="none").mean(1)
    presence = F.binary_cross_entropy_with_logits(output.presence.float(), batch.present, reduction="none")
    corners = corners_of(box)
    far = (corners - batch.box).abs().mean(1)
    giou = generalised_iou(corners, batch.box)
    found = {
        "mask": (pixel * quiet).sum() / count,
        "dice": (dice * present).sum() / there,
        "patch": (patch * quiet).sum() / count,
        "presence": (presence * weight).sum() / count,
        "box": (far * present).sum() / there,
        "giou": ((1 - giou) * present).sum() / there,
    }
    found["total"] = torch.stack([scale * found[name] for name, scale in scales.items()]).sum()
    return found


def corners_of(box: Tensor) -> Tensor:
    """Boxes (n 4) as x0 y0 x1 y1, from centre x, centre y, width, height."""
    x, y, w, h = box.unbind(1)
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019) of boxes x0 y0 x1 y1 (n 4), row by row: (n) in [-1, 1]."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clamp_min(0).prod(1)
    either = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return both / either.clamp_min(1e-6) - (hull - either) / hull.clamp_min(1e-6)
