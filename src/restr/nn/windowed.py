"""Windowed attention, whose cost is linear in the number of patches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from restr.nn.attention import Attention, Layout


class WindowedAttention(Attention):
    """Attention with a cost linear in the number of patches; the parameters are those of ``Attention``.

    A patch attends to the patches of its own window (Swin, Liu et al. 2021; ViTDet, Li et al. 2022), to all tokens that
    are not patches (words, class token), and to the rest of the image in coarse cells, by the mean key and value of each
    cell (Focal Transformer, Yang et al. 2021). If m patches of a cell lie outside the window, the cell counts m times:
    log m is added to its score (ToMe, Bolya et al. 2023), as the softmax over m equal keys would do. So every patch
    is counted once, as in full attention. Words attend to every patch. There are no new weights, every block sees the
    whole image, and weights trained with full attention can be used. Images of one window, and tokens without a
    layout, get full attention.
    """

    def __init__(self, width: int, heads: int, *, window: int, cells: int, dropout: float = 0.0) -> None:
        """window: patches per side. cells: coarse cells per side of the image."""
        super().__init__(width, heads, dropout=dropout)
        self.window, self.cells = window, cells

    def attend(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, layout: Layout | None) -> Tensor:
        """As ``Attention.attend``."""
        if layout is None or max(layout.grid) <= self.window:
            return super().attend(q, k, v, key_mask, layout)
        h, w = layout.grid
        start, end = layout.before, layout.before + h * w

        def split(x: Tensor) -> tuple[Tensor, Tensor]:
            """Tokens in dim 2: the patches, and all others."""
            return x[:, :, start:end], torch.cat([x[:, :, :start], x[:, :, end:]], 2)

        (q, q_other), (k_patch, k_other), (v_patch, v_other) = split(q), split(k), split(v)
        others = super().attend(q_other, k, v, key_mask, layout)  # few tokens, so they may attend to all

        (k_near, inside), (v_near, _) = (to_windows(x, layout.grid, self.window) for x in (k_patch, v_patch))
        windows = len(inside)
        k_far, v_far = (
            torch.cat([other, to_cells(x, layout.grid, self.cells)], 2).repeat_interleave(windows, 0)
            for other, x in ((k_other, k_patch), (v_other, v_patch))
        )
        unmasked = q.new_ones(len(q), 1, 1, k_other.shape[2], dtype=torch.bool)
        if key_mask is not None:
            unmasked = split(key_mask.transpose(2, 3))[1].transpose(2, 3)
        counts = [  # how many patches or words each key stands for
            inside.to(q.dtype).repeat(len(q), 1, 1, 1),
            unmasked.to(q.dtype).repeat_interleave(windows, 0),
            outside(layout.grid, self.window, self.cells).to(q).repeat(len(q), 1, 1, 1),
        ]
        mixed = self.sdpa(
            to_windows(q, layout.grid, self.window)[0],
            torch.cat([k_near, k_far], 2),
            torch.cat([v_near, v_far], 2),
            attn_mask=torch.cat(counts, 3).log(),
            dropout_p=self.dropout if self.training else 0.0,
        )
        mixed = from_windows(mixed, layout.grid, self.window)
        return torch.cat([others[:, :, :start], mixed, others[:, :, start:]], 2)


def to_windows(patches: Tensor, grid: tuple[int, int], window: int) -> tuple[Tensor, Tensor]:
    """patches (b heads h*w d) -> (b*windows heads window^2 d), and which of them lie in the image (windows 1 1 window^2).

    The grid is padded with zeros to whole windows, on the right and at the bottom.
    """
    b, heads, _, d = patches.shape
    rows, columns = -(-grid[0] // window), -(-grid[1] // window)
    more = (0, columns * window - grid[1], 0, rows * window - grid[0])
    square = F.pad(patches.unflatten(2, grid), (0, 0, *more))
    parts = square.view(b, heads, rows, window, columns, window, d).permute(0, 2, 4, 1, 3, 5, 6)
    inside = F.pad(torch.ones(grid, dtype=torch.bool, device=patches.device), more)
    inside = inside.view(rows, window, columns, window).transpose(1, 2)
    return parts.reshape(b * rows * columns, heads, window**2, d), inside.reshape(rows * columns, 1, 1, window**2)


def from_windows(parts: Tensor, grid: tuple[int, int], window: int) -> Tensor:
    """The inverse of ``to_windows``: (b*windows heads window^2 d) -> (b heads h*w d)."""
    rows, columns = -(-grid[0] // window), -(-grid[1] // window)
    _, heads, _, d = parts.shape
    square = parts.view(-1, rows, columns, heads, window, window, d).permute(0, 3, 1, 4, 2, 5, 6)
    square = square.reshape(-1, heads, rows * window, columns * window, d)
    return square[:, :, : grid[0], : grid[1]].flatten(2, 3)


def to_cells(patches: Tensor, grid: tuple[int, int], cells: int) -> Tensor:
    """The mean patch of each of cells x cells equal parts of the grid: (b heads h*w d) -> (b heads cells^2 d)."""
    b, heads, _, d = patches.shape
    square = patches.transpose(2, 3).reshape(b, heads * d, *grid)
    means = F.adaptive_avg_pool2d(square, (min(cells, grid[0]), min(cells, grid[1])))
    return means.view(b, heads, d, -1).transpose(2, 3)


def outside(grid: tuple[int, int], window: int, cells: int) -> Tensor:
    """For each window, how many patches of each cell (see ``to_cells``) lie outside it: float (windows 1 1 cells^2).

    Every cell counts for h * w / cells^2 patches: a mean, and not always a whole number, if the grid is not a multiple of
    ``cells``.
    """
    shares = []  # of each row (or column) of cells in each row (or column) of windows
    for side in grid:
        member = torch.arange(-(-side // window))[:, None] == torch.arange(side) // window
        shares.append(F.adaptive_avg_pool1d(member.float(), min(cells, side)))
    shared = torch.einsum("ri,cj->rcij", *shares).flatten(2).flatten(0, 1)
    return (1.0 - shared).clamp_min(0.0)[:, None, None, :] * (math.prod(grid) / shared.shape[1])
