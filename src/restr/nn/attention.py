"""Multi-head self-attention: MSA(z) = [SA_1(z) ... SA_k(z)] W, over all tokens or, at linear cost, over windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Known(NamedTuple):
    """What tokens made of each other before others joined them. Queries, keys and values, and ``mixed``, the weighted sums of
    the values: (b heads n d_h); ``log_sum``: the logarithm of what the weights summed to, (b heads n 1)."""

    q: Tensor
    k: Tensor
    v: Tensor
    mixed: Tensor
    log_sum: Tensor


class Layout(NamedTuple):
    """Where the patches stand in a row of tokens: ``before`` others, then grid (h, w) row by row, then the rest.

    ``known``: what the patches, then the first of the row, made of each other in the block that comes next.
    """

    before: int
    grid: tuple[int, int]
    known: Known | None = None


class Attention(nn.Module):
    """Every token looks at every other one that is not padding.

    SA(z) = softmax(q k^T / sqrt(D_h)) v for each head, then one linear map W over all heads. Parameter names are
    timm's (``qkv``, ``proj``), so that the world's ViT checkpoints load. ``mix`` may be replaced by another function
    with the same arguments and the same result.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.mix: Callable[..., Tensor] = F.scaled_dot_product_attention
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None, layout: Layout | None = None) -> Tensor:
        """tokens (b n d); key_mask bool (b 1 1 n), True where a token may be attended to. Returns (b n d)."""
        known = layout and layout.known
        if known is None:
            q, k, v = self.split(tokens)
        else:
            others = self.split(tokens[:, known.q.shape[2] :])
            q, k, v = (torch.cat([a.expand(len(b), -1, -1, -1), b], 2) for a, b in zip(known[:3], others, strict=True))
        mixed = self.attend(q, k, v, key_mask, layout)
        return self.proj(mixed.transpose(1, 2).reshape(tokens.shape))

    def split(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """tokens (b n d) -> queries, keys and values, each (b heads n d_h)."""
        b, n, d = tokens.shape
        q, k, v = self.qkv(tokens).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, layout: Layout | None) -> Tensor:
        """q, k, v (b heads n d_h) -> (b heads n d_h)."""
        if layout is not None and layout.known is not None:
            return self.join(q, k, v, key_mask, layout.known)
        return self.mix(q, k, v, attn_mask=key_mask, dropout_p=self.dropout if self.training else 0.0)

    def among(self, tokens: Tensor) -> Known | None:
        """What tokens (b n d) make of each other, for ``Layout.known``; None where that cannot be had."""
        q, k, v = self.split(tokens)
        return Known(q, k, v, *weighed(q, k, v))

    def join(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, known: Known) -> Tensor:
        """``attend``, with what the first n tokens made of each other; only what they make of the others, and those of
        all, is computed. The two sums are weighed by their shares of the whole, as in FlashAttention (Dao et al. 2022)."""
        n = known.mixed.shape[2]
        asked = self.mix(q[:, :, n:], k, v, attn_mask=key_mask)
        scores = scores_of(q[:, :, :n], k[:, :, n:])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[..., n:], float("-inf"))
        log_sum = torch.logaddexp(known.log_sum, scores.logsumexp(3, keepdim=True))
        mixed = known.mixed * (known.log_sum - log_sum).exp() + (scores - log_sum).exp() @ v[:, :, n:]
        return torch.cat([mixed, asked], 2)


def scores_of(q: Tensor, k: Tensor) -> Tensor:
    """q k^T / sqrt(D_h): (b heads n d_h) and (b heads m d_h) -> (b heads n m)."""
    return (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)


def added(key_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool mask as what is added to scores: 0 where a token may be attended to, else -inf."""
    return torch.zeros_like(key_mask, dtype=dtype).masked_fill(~key_mask, float("-inf"))


def weighed(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attention without a mask, q, k, v (b heads n d_h) -> its sums (b heads n d_h) and the logarithm of what the weights
    summed to (b heads n 1). On a CPU by PyTorch's own kernel, which knows both and has no public name."""
    kernel = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if q.device.type == "cpu" and kernel is not None:
        mixed, log_sum = kernel(q, k, v)
        return mixed, log_sum[..., None]
    scores = scores_of(q, k)
    log_sum = scores.logsumexp(3, keepdim=True)
    return (scores - log_sum).exp() @ v, log_sum


def written_out(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0) -> Tensor:
    """``scaled_dot_product_attention`` as two matrix products, for ``Attention.mix``; attn_mask (b 1 1 n), bool or to be added."""
    scores = scores_of(q, k)
    if attn_mask is not None:
        scores = scores + (added(attn_mask, q.dtype) if attn_mask.dtype == torch.bool else attn_mask)
    return F.dropout(scores.softmax(3), dropout_p, dropout_p > 0) @ v


class WindowedAttention(Attention):
    """Attention whose cost grows linearly with the number of patches; the parameters are those of ``Attention``.

    A patch looks at the patches of its own window (Swin, Liu et al. 2021; ViTDet, Li et al. 2022), at all tokens that
    are no patches (words, class token), and at the rest of the image in coarse cells, the mean keys and values of each
    (Focal Transformer, Yang et al. 2021). A cell of which m patches lie outside the window counts m times: log m is
    added to its score (ToMe, Bolya et al. 2023), which is what the softmax over m equal keys would give. So every patch
    is counted once, as in full attention. Words look at every patch. Nothing is learnt anew, no block is blind to any
    part of the image, and trained weights of full attention can be used. Images of one window, and tokens without a
    layout, get full attention.
    """

    def __init__(self, width: int, heads: int, *, window: int, cells: int, dropout: float = 0.0) -> None:
        """window: patches a side. cells: coarse cells a side of the image."""
        super().__init__(width, heads, dropout=dropout)
        self.window, self.cells = window, cells

    def among(self, tokens: Tensor) -> Known | None:
        """None: its windows and cells are not kept apart from the words."""
        return None

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
        asked = super().attend(q_other, k, v, key_mask, layout)  # few tokens, so they may look at everything

        (k_near, inside), (v_near, _) = (to_windows(x, layout.grid, self.window) for x in (k_patch, v_patch))
        windows = len(inside)
        k_far, v_far = (
            torch.cat([other, to_cells(x, layout.grid, self.cells)], 2).repeat_interleave(windows, 0)
            for other, x in ((k_other, k_patch), (v_other, v_patch))
        )
        heard = q.new_ones(len(q), 1, 1, k_other.shape[2], dtype=torch.bool)
        if key_mask is not None:
            heard = split(key_mask.transpose(2, 3))[1].transpose(2, 3)
        counts = [  # how many patches or words each key stands for
            inside.to(q.dtype).repeat(len(q), 1, 1, 1),
            heard.to(q.dtype).repeat_interleave(windows, 0),
            outside(layout.grid, self.window, self.cells).to(q).repeat(len(q), 1, 1, 1),
        ]
        mixed = self.mix(
            to_windows(q, layout.grid, self.window)[0],
            torch.cat([k_near, k_far], 2),
            torch.cat([v_near, v_far], 2),
            attn_mask=torch.cat(counts, 3).log(),
            dropout_p=self.dropout if self.training else 0.0,
        )
        mixed = from_windows(mixed, layout.grid, self.window)
        return torch.cat([asked[:, :, :start], mixed, asked[:, :, start:]], 2)


def to_windows(patches: Tensor, grid: tuple[int, int], window: int) -> tuple[Tensor, Tensor]:
    """patches (b heads h*w d) -> (b*windows heads window^2 d), and which places are in the image (windows 1 1 window^2).

    The grid is filled up with zeros to whole windows, on the right and at the bottom.
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
    """``to_windows`` undone: (b*windows heads window^2 d) -> (b heads h*w d)."""
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
    """For each window, how many patches of each of ``to_cells``'s cells are not in it: float (windows 1 1 cells^2).

    All cells count for equally many patches, h * w / cells^2; where the grid is not a multiple of ``cells`` that is a
    mean, and so may be broken.
    """
    shares = []  # of a row (or column) of cells that lies in a row (or column) of windows
    for side in grid:
        member = torch.arange(-(-side // window))[:, None] == torch.arange(side) // window
        shares.append(F.adaptive_avg_pool1d(member.float(), min(cells, side)))
    shared = torch.einsum("ri,cj->rcij", *shares).flatten(2).flatten(0, 1)
    return (1.0 - shared).clamp_min(0.0)[:, None, None, :] * (math.prod(grid) / shared.shape[1])
