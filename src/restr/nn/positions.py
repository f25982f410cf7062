"""Fixed positions: sinusoids for the order of words and Fourier features for where a patch lies."""

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
    """Where each patch lies in the image, (h*w FOURIER_FEATURES): x and y in [-1, 1] and their sinusoids.

    Measured against the image, not the patch count, so "left" means the same at every input size.
    """
    y, x = ((2 * torch.arange(side) + 1) / side - 1 for side in grid)  # no linspace: a graph of any size can hold this
    place = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1)  # (n 2)
    angles = place[:, :, None] * (math.pi * 2.0 ** torch.arange(-1, FOURIER_BANDS - 1))  # (n 2 bands)
    return torch.cat([place, angles.sin().flatten(1), angles.cos().flatten(1)], dim=-1)
