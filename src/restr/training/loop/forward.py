"""A batch through the model, and how well it did."""

from __future__ import annotations

import torch
from torch import Tensor

from restr.data.batch import Batch
from restr.metrics import iou
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.vision import PatchFeatures


def forward_batch(model: ReSTR, batch: Batch) -> ReSTROutput:
    """The whole model on images, or everything after the vision encoder on cached patch features."""
    if batch.patches is not None and batch.grid is not None:
        features = PatchFeatures(batch.patches.float(), batch.grid)
    else:
        features = model.encode_image(batch.image)  # type: ignore[arg-type]
    if batch.image_of is not None:
        features = PatchFeatures(features.patches[batch.image_of], features.grid)
    return model.segment(features, model.encode_words(batch.ids, batch.word_pad), batch.word_pad)


@torch.no_grad()
def mean_iou(logits: Tensor, mask: Tensor) -> float:
    """Of the batch, at the logits' size; two empty masks agree (1), as in ``restr.metrics``."""
    return iou(logits > 0, mask > 0.5).mean().item()
