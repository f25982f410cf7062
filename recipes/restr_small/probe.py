"""Colour and place in the patches of each depth of the vision encoder, read off by a linear probe.

    python recipes/restr_small/probe.py --photos PHOTOS --parts runs/parts

A ridge regression from a depth's patches to the patch's mean colour and place, fitted on three quarters of the
photographs (train split) and judged on the rest by R2 (1: all of it is there; 0: no better than the mean).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from restr.data.photos import load_photos
from restr.model.vision import VisionEncoder
from restr.model.weights import dequantise, load_state, read_tensors
from restr.presets import restr_small

RIDGE = 30.0


@dataclass(frozen=True)
class Probe:
    photos: Path  # a folder with images/ and instances.json
    parts: Path = Path("runs/parts")
    images: int = 48


def main(settings: Probe) -> None:
    config = restr_small()
    depth = config.vision.blocks.depth
    encoder = VisionEncoder(replace(config.vision, taps=tuple(range(1, depth)))).eval()
    load_state(encoder, dequantise(read_tensors(settings.parts / "vision.safetensors")))
    photos = load_photos(settings.photos, "train")
    chosen = np.random.default_rng(0).choice(len(photos), settings.images, replace=False)
    patches, facts = [], []
    for index in chosen:
        image = torch.from_numpy(config.framing.prepare(photos[int(index)].image))[None]
        with torch.inference_mode():
            tokens, grid = encoder(image)
        patches.append(tokens[0])
        facts.append(facts_of(image, grid))
    print("depth  red-green  blue-green  brightness     y     x")
    for at in range(1, depth + 1):
        chunk = slice(None, config.vision.blocks.width) if at == depth else taken(at, config.vision.blocks.width)
        scores = explained([p[:, chunk] for p in patches], facts)
        print(f"{at:5}  {scores[0]:9.2f}  {scores[1]:10.2f}  {scores[2]:10.2f}  {scores[3]:4.2f}  {scores[4]:4.2f}")


def taken(depth: int, width: int) -> slice:
    """The channels of a tap: after the last block's, the shallowest first."""
    return slice(depth * width, (depth + 1) * width)


def facts_of(image: Tensor, grid: tuple[int, int]) -> Tensor:
    """(n 5): a patch's mean red - green, blue - green and brightness (normalised values), and its place in [-1, 1]."""
    red, green, blue = F.adaptive_avg_pool2d(image, grid)[0].flatten(1)
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in grid), indexing="ij")
    return torch.stack([red - green, blue - green, (red + green + blue) / 3, y.flatten(), x.flatten()], dim=1)


def explained(patches: list[Tensor], facts: list[Tensor]) -> list[float]:
    """R2 of each fact on the last quarter of the photographs."""
    split = len(patches) * 3 // 4
    x, y = torch.cat(patches[:split]), torch.cat(facts[:split])
    mean, spread, middle = x.mean(0), x.std(0) + 1e-5, y.mean(0)
    x = (x - mean) / spread
    weights = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1]), x.T @ (y - middle))
    x, y = torch.cat(patches[split:]), torch.cat(facts[split:])
    error = ((x - mean) / spread) @ weights + middle - y
    return (1 - error.square().mean(0) / (y - y.mean(0)).square().mean(0)).tolist()


if __name__ == "__main__":
    main(tyro.cli(Probe))
