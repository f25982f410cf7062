"""Fixed positions: sinusoids for the order of words, Fourier features for the places of patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The position of each word, (length width): sines and cosines of falling frequency (Vaswani et al. 2017)."""
    frequencies = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


FOURIER_BANDS = 6
FOURIER_FEATURES = 2 + 4 * FOURIER_BANDS


def fourier_positions(grid: tuple[int, int]) -> Tensor:
    """The place of each patch in the image, (h*w FOURIER_FEATURES): x and y in [-1, 1] and their sinusoids.

    Relative to the image, not to the number of patches, so "left" means the same at every input size.
    """
    y, x = ((2 * torch.arange(side) + 1) / side - 1 for side in grid)  # unlike linspace, this exports for any size
    place = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)  # (n 2)
    angles = place[:, :, None] * (math.pi * 2.0 ** torch.arange(-1, FOURIER_BANDS - 1))  # (n 2 bands)
    return torch.cat([place, angles.sin().flatten(1), angles.cos().flatten(1)], dim=-1)
