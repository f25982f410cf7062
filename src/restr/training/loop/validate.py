"""Quick measurements at the model's input size, for the curves of a run; published numbers come from evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from restr.data.batch import Samples, collate
from restr.data.generated import GeneratedScenes
from restr.data.sample import Sample
from restr.metrics import SegmentationMetrics, intersections_and_unions, iou
from restr.model.restr import ReSTR
from restr.text.tokenizer import Tokenizer
from restr.training.cached.loader import CachedBatches
from restr.training.loop import distributed
from restr.training.loop.forward import forward_batch

_RIGHT = 0.5  # IoU from which a mask counts as the right object


@torch.no_grad()
def predict(model: ReSTR, samples: list[Sample], tokenizer: Tokenizer, *, batch: int = 64) -> np.ndarray:
    """Masks, bool (samples H W), at threshold 0.5. All samples at the model's input size."""
    device = next(model.parameters()).device
    masks = []
    for start in range(0, len(samples), batch):
        part = collate(samples[start : start + batch], tokenizer, model.config).to(device)
        masks.append((forward_batch(model, part).logits[:, 0] > 0).cpu().numpy())
    return np.concatenate(masks)


def measure(
    model: ReSTR, samples: Samples, tokenizer: Tokenizer, *, group: Callable[[Sample], str] = lambda sample: sample.kind
) -> dict[str, float]:
    """miou and oiou over all samples, and miou by ``group``: the kind of sentence, if nothing else is said.

    Processes that train together share the samples; all get the result.
    """
    mine = distributed.share(len(samples))
    listed = [samples[index] for index, _ in mine]
    metrics = SegmentationMetrics()
    for sample, mask, (_, counts) in zip(listed, predict(model, listed, tokenizer), mine, strict=True):
        if counts:
            metrics.update(mask, sample.mask, group(sample))
    merged = _merged(metrics)
    overall, kinds = merged.compute(), merged.compute_by_kind()
    return {name: overall[name] for name in ("miou", "oiou")} | {
        f"miou_{kind}": kinds[kind]["miou"] for kind in sorted(kinds)
    }


@torch.no_grad()
def measure_cached(model: ReSTR, batches: CachedBatches) -> dict[str, float]:
    """oIoU and mIoU at the model's input size over one epoch of held-out photographs: to watch, not to report.

    Processes that train together share the batches; all get the result.
    """
    device = next(model.parameters()).device
    metrics = SegmentationMetrics()
    for step, counts in distributed.share(batches.per_epoch):
        batch = batches.batch(step).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            predicted = forward_batch(model, batch).logits > 0
        both, either = intersections_and_unions(predicted, batch.mask > 0.5)
        for intersection, union in zip(both.tolist(), either.tolist(), strict=True):
            if counts:
                metrics.update_counts(intersection, union)
    scores = _merged(metrics).compute()
    return {name: scores[name] for name in ("oiou", "miou")}


def _merged(metrics: SegmentationMetrics) -> SegmentationMetrics:
    """What all processes have counted together."""
    merged = SegmentationMetrics()
    for counts in distributed.gathered(metrics.state_dict()):
        other = SegmentationMetrics()
        other.load_state_dict(counts)
        merged.merge(other)
    return merged


def measure_swaps(model: ReSTR, scenes: GeneratedScenes, tokenizer: Tokenizer) -> dict[str, float]:
    """Does the mask follow when "left" becomes "right" (or "above" "below") and nothing else changes?

    Over the sentences whose exchange means another object: swap_right is the share of exchanged sentences whose mask
    meets the other object (IoU >= 0.5), both_right the share where the original's does too, unmoved the share where
    the mask still lies on the first object, swap_miou the exchanged sentences' mean IoU, swaps their number.
    """
    pairs = [(scenes[index], other) for index in range(len(scenes)) if (other := scenes.swapped(index)) is not None]
    if not pairs:
        return {"swaps": 0.0}
    original, exchanged = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    before, after = np.stack([s.mask for s in original]), np.stack([s.mask for s in exchanged])
    moved = predict(model, exchanged, tokenizer)
    first, second = iou(predict(model, original, tokenizer), before), iou(moved, after)
    return {
        "swaps": float(len(pairs)),
        "swap_right": float((second >= _RIGHT).mean()),
        "both_right": float(((first >= _RIGHT) & (second >= _RIGHT)).mean()),
        "unmoved": float((iou(moved, before) >= _RIGHT).mean()),
        "swap_miou": float(second.mean()),
    }
