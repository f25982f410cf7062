"""Measurements during a run: held-out photographs with everyday sentences, and the speed of inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from draw import Drawn
from packed import ABSENT, GROUP, ONE, PHOTOS, SIDE, Data
from torch import Tensor
from views import collate

from restr.model.restr import ReSTR, ReSTROutput

SHARE_KEPT = 0.05  # the threshold is this quantile of the presence of things that are there: T-acc is then 95%


@torch.no_grad()
def validate(model: ReSTR, data: Data, photos: int) -> dict[str, Any]:
    """Everyday sentences of up to ``photos`` photographs that are never trained on, at the model's input size.

    n and absent count sentences. Of all that are there, of the kinds one and group, and of the set "photos": oiou, miou,
    pr50 (in [0, 1]). presence: AUC of there against absent, and n_acc at the threshold with a T-acc of 95%.
    """
    table = data.table
    rows: list[tuple[float, ...]] = []
    for photo in np.flatnonzero(table.val & data.there)[:photos]:
        sentences = np.flatnonzero((table.photo == photo) & (table.kind <= ABSENT))
        if not len(sentences):
            continue
        mask, output = _asked(model, data, int(photo), sentences)
        guess = output.logits > 0
        both, either = (mask & guess).sum((1, 2, 3)), (mask | guess).sum((1, 2, 3))
        assert output.presence is not None
        kinds, source = table.kind[sentences].tolist(), [int(table.source[photo])] * len(sentences)
        presence = output.presence.float().sigmoid().tolist()
        rows += zip(both.tolist(), either.tolist(), presence, kinds, source, strict=True)
    if not rows:
        return {"n": 0, "absent": 0}
    both, either, presence, kind, source = np.array(rows).T
    there = kind != ABSENT
    found: dict[str, Any] = {"n": int(there.sum()), "absent": int((~there).sum())}
    parts = {"all": there, "one": kind == ONE, "group": kind == GROUP, "photos": there & (source == PHOTOS)}
    for name, some in parts.items():
        if some.any():
            iou = both[some] / np.maximum(either[some], 1)
            scores = {
                "oiou": both[some].sum() / max(either[some].sum(), 1),
                "miou": iou.mean(),
                "pr50": (iou >= 0.5).mean(),
            }
            found[name] = {measure: float(value) for measure, value in scores.items()}
    if there.any() and (~there).any():
        found["presence"] = separation(presence[there], presence[~there])
    return found


def whole(model: ReSTR, data: Data, photo: int, sentences: np.ndarray) -> Drawn:
    """All of a photograph at the model's input size, with these sentences."""
    height, width = data.table.size[photo].astype(float)
    patch = model.config.vision.patch
    scale = SIDE / max(height, width)
    shape = (max(patch, round(height * scale / patch) * patch), max(patch, round(width * scale / patch) * patch))
    x, y = (np.array([[side / pixels, 0.0]]) for side, pixels in ((width, shape[1]), (height, shape[0])))
    none = np.zeros((1, len(sentences)), bool)
    return Drawn(np.array([photo]), sentences[None], none, x, y, np.zeros(1, bool), shape)


def _asked(model: ReSTR, data: Data, photo: int, sentences: np.ndarray) -> tuple[Tensor, ReSTROutput]:
    """True masks, bool, and the output for sentences of one photograph, all of it in view."""
    batch = collate(whole(model, data, photo, sentences), data, 1, model.config.preprocess, train=False)
    device = batch.image.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        return batch.mask > 0.5, model.segment(model.encode_image(batch.image), batch.ids)


def separation(there: np.ndarray, absent: np.ndarray) -> dict[str, float]:
    """How well presence tells sentences whose referent is there from those whose referent is absent."""
    ranks = np.argsort(np.argsort(np.concatenate([there, absent]))) + 1
    n = len(there)
    auc = (ranks[:n].sum() - n * (n + 1) / 2) / (n * len(absent))
    threshold = np.quantile(there, SHARE_KEPT)
    return {"auc": float(auc), "threshold": float(threshold), "n_acc": float((absent < threshold).mean())}


@torch.no_grad()
def bench(model: ReSTR) -> dict[str, float]:
    """Milliseconds of inference on a GPU by precision and batch, beside the TFLOPS of the machine's matrix product.

    "first": an image and a sentence; "further": another sentence for an image that is encoded.
    """
    found: dict[str, float] = {}
    square = torch.randn(8192, 8192, device="cuda")
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        x = square.to(dtype)
        found[f"peak_{name}_tflops"] = 2 * 8192**3 / _milliseconds(lambda x=x: x @ x, 5) / 1e9
        for b in (1, 8, 64):
            image = torch.randn(b, 3, SIDE, SIDE, device="cuda")
            ids = torch.randint(2, 1000, (b, 6), device="cuda")
            with torch.autocast("cuda", torch.bfloat16, enabled=name == "bf16"):
                found[f"first_{name}_{b}_ms"] = _milliseconds(lambda i=image, w=ids: model(i, w))
                tokens = model.encode_image(image)
                found[f"further_{name}_{b}_ms"] = _milliseconds(lambda i=tokens, w=ids: model.segment(i, w))
    return {name: round(value, 3) for name, value in found.items()}


def _milliseconds(work: Callable[[], Any], times: int = 10) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(times):
        work()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / times
