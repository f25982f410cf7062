"""The random views that a step sees, made on the device: photographs resampled, their masks with them, sentences mirrored."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from draw import Drawn
from packed import SIDE, Data
from torch import Tensor

from restr.config import PreprocessConfig
from restr.text.vocabulary import PADDING, UNKNOWN

LEAST_SEEN = 0.5  # of a mask in a view: with this share it is a target,
MOST_HIDDEN = 0.02  # below this one it counts as absent; between the two the sentence does not count
WORD_DROPOUT = 0.03


class Batch(NamedTuple):
    """image (b 3 H W); ids (b*k l); mask (b*k 1 H/stride W/stride) in [0, 1]; present (b*k): 1 where something is meant;
    weight (b*k): 0 if the sentence does not count; box (b*k 4): x0 y0 x1 y1 as shares of the sides."""

    image: Tensor
    ids: Tensor
    mask: Tensor
    present: Tensor
    weight: Tensor
    box: Tensor


def collate(drawn: Drawn, data: Data, stride: int, preprocess: PreprocessConfig, *, train: bool) -> Batch:
    """The batch of a step, on the data's device. stride: pixels of the view a mask pixel; train: change colours, lose words."""
    device = data.photos.device
    half = torch.float16 if device.type == "cuda" else torch.float32
    rows = drawn.sentence.reshape(-1)
    image = view_photos(drawn, data, preprocess, half)
    number = np.where(drawn.borrowed.reshape(-1), -1, data.table.mask[rows])
    meant = _on(number >= 0, device)
    mask, seen = view_masks(drawn, data, _on(np.maximum(number, 0), device), stride, half)
    ids = spoken(drawn, data)
    sayable = _on((ids != PADDING).any(1), device)
    ids = _on(ids, device)
    if train:
        image = recoloured(image)
        lost = (torch.rand(ids.shape, device=device) < WORD_DROPOUT) & (ids != PADDING)
        ids = torch.where(lost, UNKNOWN, ids)
    visible, gone = meant & (seen >= LEAST_SEEN), meant & (seen < MOST_HIDDEN)
    # "the left dog" may have become another one, once the view has lost the first
    gone = gone & _on(~data.table.place[rows], device)
    weight = sayable & (visible | gone | ~meant)
    mask = mask * visible[:, None, None, None]
    return Batch(image, ids, mask, visible.float(), weight.float(), boxes(mask))


def view_photos(drawn: Drawn, data: Data, preprocess: PreprocessConfig, dtype: torch.dtype) -> Tensor:
    """The photographs' views (b 3 H W), normalised."""
    device = data.photos.device
    height, width = drawn.shape
    rows = resampling(drawn.y, None, height, device, dtype)
    columns = resampling(drawn.x, drawn.mirror, width, device, dtype)
    mean, std = (255 * torch.tensor(three, device=device) for three in (preprocess.mean, preprocess.std))
    image = ((data.photos[_on(drawn.photo, device)].float() - mean) / std).permute(0, 3, 1, 2).to(dtype)
    return (rows[:, None] @ image @ columns[:, None].transpose(2, 3)).float()


def view_masks(drawn: Drawn, data: Data, index: Tensor, stride: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The views of masks ``index`` (b*k): (b*k 1 H/stride W/stride) in [0, 1]; and which share of each is seen (b*k).

    Sampled twice along a side of a mask pixel and then averaged, so that outlines are soft.
    """
    device, k = data.masks.device, drawn.sentence.shape[1]
    fine = max(stride // 2, 1)
    height, width = (side // fine for side in drawn.shape)
    rows = resampling(coarser(drawn.y, fine), None, height, device, dtype).repeat_interleave(k, 0)
    columns = resampling(coarser(drawn.x, fine), drawn.mirror, width, device, dtype).repeat_interleave(k, 0)
    mask = (rows @ data.masks[index].to(dtype) @ columns.transpose(1, 2)).float().clamp(0, 1)
    pixel = _on(drawn.x[:, 0] * drawn.y[:, 0] * fine**2, device).float().repeat_interleave(k)  # of the photograph
    seen = mask.sum((1, 2)) * pixel / data.area[index].clamp_min(1)
    return (F.avg_pool2d(mask[:, None], 2) if stride >= 2 else mask[:, None]), seen


def spoken(drawn: Drawn, data: Data) -> np.ndarray:
    """The sentences' words, int64 (b*k l): of mirrored views the mirrored ones."""
    rows = drawn.sentence.reshape(-1)
    turned = np.repeat(drawn.mirror, drawn.sentence.shape[1])[:, None]
    return np.where(turned, data.table.mirrored[rows], data.table.ids[rows]).astype(np.int64)


def resampling(
    view: np.ndarray, mirror: np.ndarray | None, length: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """The matrices (b length SIDE) that resample one axis: a triangle as wide as a step, so that nothing is skipped.

    view (b 2): (step, start); pixel i of the view is at start + (i + 0.5) step - 0.5, or from the other end where mirrored.
    """
    step, start = (_on(view[:, k], device).float()[:, None, None] for k in (0, 1))
    at = torch.arange(length, device=device)[None, :, None].float()
    if mirror is not None:
        at = torch.where(_on(mirror, device)[:, None, None], length - 1 - at, at)
    source = start + (at + 0.5) * step - 0.5
    reach = step.clamp_min(1.0)
    weights = (1 - (source - torch.arange(SIDE, device=device).float()).abs() / reach).clamp_min(0) / reach
    return weights.to(dtype)


def coarser(view: np.ndarray, times: int) -> np.ndarray:
    """The same view in pixels that are this many times as large."""
    return np.stack([view[:, 0] * times, view[:, 1]], 1)


def recoloured(image: Tensor) -> Tensor:
    """Another exposure of each photograph: contrast and saturation within a quarter, brightness by a quarter of a deviation."""
    contrast, light, colour = (torch.rand(3, len(image), 1, 1, 1, device=image.device) - 0.5) * 2
    grey = image.mean(1, keepdim=True)
    image = grey + (image - grey) * (1 + 0.25 * colour)
    return image * (1 + 0.25 * contrast) + 0.25 * light


def boxes(mask: Tensor) -> Tensor:
    """The box of each mask (m 1 h w) as shares of the sides: x0 y0 x1 y1 (m 4); zeros for an empty one."""
    on = mask[:, 0] > 0.5
    ends = []
    for axis in (1, 2):
        line = on.any(axis)
        length = line.shape[1]
        place = torch.arange(length, device=mask.device).float()
        low = torch.where(line, place, length).amin(1) / length
        high = torch.where(line, place + 1, 0.0).amax(1) / length
        ends.append((low, high))
    (x0, x1), (y0, y1) = ends
    found = torch.stack([x0, y0, x1, y1], 1)
    return torch.where((x1 > x0)[:, None], found, torch.zeros_like(found))


def _on(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
