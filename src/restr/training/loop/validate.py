"""Measurements while training, for the curves of a run and the choice of its best weights; see ``restr.evaluation`` too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from restr.config import ModelConfig
from restr.data.batch import Batch, Samples, collate
from restr.data.fitted import FittedSamples
from restr.data.generated import GeneratedScenes
from restr.data.sample import Sample
from restr.metrics import SegmentationMetrics, intersections_and_unions, iou
from restr.model.attention_maps import MeanSeedAttention, record_seed_attention
from restr.model.restr import ReSTR
from restr.preprocess import Framing, sigmoid
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING
from restr.training.cached.loader import CachedBatches
from restr.training.loop import distributed
from restr.training.loop.forward import forward_batch

_RIGHT = 0.5  # least IoU at which a mask counts as the right object


@torch.no_grad()
def predict(model: ReSTR, samples: list[Sample], tokenizer: Tokenizer, *, batch: int = 64) -> np.ndarray:
    """Masks at threshold 0.5, bool (samples H W), of samples that have the model's input size."""
    device = next(model.parameters()).device
    masks = []
    for start in range(0, len(samples), batch):
        part = collate(samples[start : start + batch], tokenizer, model.config).to(device)
        masks.append((forward_batch(model, part).logits[:, 0] > 0).cpu().numpy())
    return np.concatenate(masks)


@torch.no_grad()
def validate(
    model: ReSTR,
    samples: Samples,
    tokenizer: Tokenizer,
    *,
    framing: Framing | None = None,
    group: Callable[[Sample], str] = lambda sample: sample.kind,
    batch: int = 16,
) -> dict[str, float]:
    """Mean and overall IoU ("miou", "oiou") over all samples, and "miou_NAME" for each ``group`` (by default, kind).

    Samples have any size and are measured at their own, with the model's thresholds, as ``restr eval`` does. framing: how
    they fit the model's input (default: the model's own); inputs of a batch must be of one size. Processes that train
    together share the samples; all get the result.
    """
    config, metrics = model.config, SegmentationMetrics()
    device = next(model.parameters()).device
    framing = framing or config.framing
    fitted = FittedSamples(samples, framing)
    batch = max(1, min(batch, -(-len(samples) // distributed.size())))
    for index, counts in distributed.split_indices(-(-len(samples) // batch)):
        own = [fitted.with_own_mask(number) for number in range(index * batch, min((index + 1) * batch, len(samples)))]
        output = forward_batch(model, collate([sample for sample, _ in own], tokenizer, config).to(device))
        shown = np.ones(len(own), bool)
        if output.presence is not None:
            shown = sigmoid(output.presence.float().cpu().numpy()) >= config.presence.threshold
        if not counts:
            continue
        probabilities = sigmoid(output.logits[:, 0].float().cpu().numpy())
        for (sample, target), prob, here in zip(own, probabilities, shown, strict=True):
            mask = framing.restore(prob, (target.shape[0], target.shape[1])) >= framing.threshold
            metrics.update(mask & here, target, group(sample))
    merged = _merged(metrics)
    overall, kinds = merged.compute(), merged.compute_by_kind()
    return {name: overall[name] for name in ("miou", "oiou")} | {
        f"miou_{kind}": kinds[kind]["miou"] for kind in sorted(kinds)
    }


@torch.no_grad()
def validate_cached(model: ReSTR, batches: CachedBatches) -> dict[str, float]:
    """Overall and mean IoU ("oiou", "miou") over one epoch of held-out photographs with cached features.

    Processes that train together share the batches; all get the result.
    """
    device = next(model.parameters()).device
    metrics = SegmentationMetrics()
    for step, counts in distributed.split_indices(batches.per_epoch):
        batch = batches.batch(step).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            predicted = forward_batch(model, batch).logits > 0
        both, either = intersections_and_unions(predicted, batch.mask > 0.5)
        for intersection, union in zip(both.tolist(), either.tolist(), strict=True):
            if counts:
                metrics.update_counts(intersection, union)
    scores = _merged(metrics).compute()
    return {name: scores[name] for name in ("oiou", "miou")}


@torch.no_grad()
def validate_seed_attention(model: ReSTR, batches: Iterable[Batch]) -> dict[str, float]:
    """The class seed's attention by source (``MeanSeedAttention``), over all sentences of ``batches``.

    Processes that train together each measure all of them.
    """
    device = next(model.parameters()).device
    mean = MeanSeedAttention()
    for batch in batches:
        moved = batch.to(device)
        with record_seed_attention(model.fusion, moved.ids == PADDING) as recorder:
            forward_batch(model, moved)
        mean.update(recorder.shares())
    return mean.compute()


def in_batches(samples: Samples, tokenizer: Tokenizer, config: ModelConfig, *, batch: int = 32) -> Iterator[Batch]:
    """Samples that have the model's input size, in order."""
    for start in range(0, len(samples), batch):
        yield collate([samples[i] for i in range(start, min(start + batch, len(samples)))], tokenizer, config)


def _merged(metrics: SegmentationMetrics) -> SegmentationMetrics:
    """The metrics of all processes together."""
    merged = SegmentationMetrics()
    for counts in distributed.all_gather(metrics.state_dict()):
        other = SegmentationMetrics()
        other.load_state_dict(counts)
        merged.merge(other)
    return merged


def validate_swaps(model: ReSTR, scenes: GeneratedScenes, tokenizer: Tokenizer) -> dict[str, float]:
    """Whether the mask follows when "left" becomes "right" (or "above" "below") and nothing else changes.

    Over the sentences that name another object after the exchange: "swaps" is their number, "swap_right" the share with
    a mask on the other object (IoU >= 0.5), "both_right" the share that was right before the exchange too, "unmoved"
    the share with the mask still on the first object, "swap_miou" the mean IoU after the exchange.
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
