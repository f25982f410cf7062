"""A batch through the model, and its IoU."""

from __future__ import annotations

import torch
from torch import Tensor

from restr.data.batch import Batch
from restr.metrics import iou
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.vision import PatchFeatures


def forward_batch(model: ReSTR, batch: Batch) -> ReSTROutput:
    """The model on a batch of images, or on cached features of the vision encoder."""
    if batch.patches is not None and batch.grid is not None:
        image = model.project(PatchFeatures(batch.patches.float(), batch.grid))
    else:
        image = model.encode_image(batch.image)  # type: ignore[arg-type]
    if batch.image_of is not None:
        image = image.rows(batch.image_of)
    return model.segment(image, batch.ids)


@torch.no_grad()
def mean_iou(logits: Tensor, mask: Tensor) -> float:
    """The batch's mean IoU at the logits' size; 1 if both masks are empty, as in ``restr.metrics``."""
    return iou(logits > 0, mask > 0.5).mean().item()
