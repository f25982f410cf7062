"""Patch embedding, and how trained patch and position embeddings are fitted to other sizes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.nn.shapes import Float


class PatchEmbed(nn.Module):
    """Non-overlapping P x P patches, each mapped linearly to a token.

    Stored like timm's, as a convolution with stride P; computed as one matrix product, which is the same.
    """

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, image: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n d"]:
        """P divides H and W; the patches row by row from the top left."""
        pixels = F.pixel_unshuffle(image, self.patch)  # (b 3*P*P h w): channel, then row, then column, as in proj
        return F.linear(pixels.flatten(2).transpose(1, 2), self.proj.weight.flatten(1), self.proj.bias)


def resize_positions(positions: Float[Tensor, "1 m d"], grid: tuple[int, int]) -> Float[Tensor, "1 n d"]:
    """A square position embedding (m = s * s), resized to the patch grid (n = h * w) by bicubic interpolation."""
    side = round(positions.shape[1] ** 0.5)
    if not torch.compiler.is_exporting() and (side, side) == grid:  # an exported graph is for every grid
        return positions
    square = positions.float().view(1, side, side, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(square, size=grid, mode="bicubic", align_corners=False, antialias=False)
    return resized.permute(0, 2, 3, 1).flatten(1, 2).to(positions.dtype)


def resample_patch_embedding(weight: Tensor, patch: int) -> Tensor:
    """A patch embedding (d 3 p p) resampled to (d 3 P P) so that a resized patch gives the same token.

    With B the matrix that resizes a p x p patch to P x P, the new weights are (B^T)^+ w: the pseudo-inverse keeps
    <w, x> = <w', B x> when the patch grows (FlexiViT, Beyer et al. 2023, section 3.4). Averaging or plain
    interpolation of the weights would change every token's scale.
    """
    old = weight.shape[-1]
    if old == patch:
        return weight
    basis = torch.eye(old * old).view(old * old, 1, old, old)
    resize = F.interpolate(basis, size=(patch, patch), mode="bicubic", align_corners=False)
    inverse = np.linalg.pinv(resize.view(old * old, patch * patch).double().numpy())  # (P*P p*p) = (B^T)^+
    resampled = weight.double().flatten(2) @ torch.from_numpy(inverse).T
    return resampled.view(*weight.shape[:2], patch, patch).to(weight.dtype)
