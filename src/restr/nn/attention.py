"""Multi-head self-attention: MSA(z) = [SA_1(z) ... SA_k(z)] W."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from restr.nn.shapes import Bool, Float


class Layout(NamedTuple):
    """Where the patches stand in a row of tokens: after ``before`` other tokens, row by row of the grid."""

    before: int
    """Tokens before the first patch."""
    grid: tuple[int, int]
    """(h, w), in patches."""


class Attention(nn.Module):
    """Every token attends to every other one that is not padding.

    SA(z) = softmax(q k^T / sqrt(D_h)) v for each head, then one linear map W over all heads. Parameter names are
    timm's (``qkv``, ``proj``), so that the world's ViT checkpoints load. ``sdpa`` may be replaced by another function
    with the same arguments and the same result.
    """

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.sdpa: Callable[..., Tensor] = F.scaled_dot_product_attention
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        key_mask: Bool[Tensor, "#b 1 1 n"] | None = None,
        layout: Layout | None = None,
    ) -> Float[Tensor, "b n d"]:
        """key_mask: True where a token may be attended to. layout: where the patches stand, if any are among the tokens."""
        mixed = self.attend(*self.qkv_heads(tokens), key_mask, layout)
        return self.proj(mixed.transpose(1, 2).reshape(tokens.shape))

    def qkv_heads(self, tokens: Float[Tensor, "b n d"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (b heads n d_h)."""
        b, n, d = tokens.shape
        q, k, v = self.qkv(tokens).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def attend(
        self,
        q: Float[Tensor, "b heads n d_h"],
        k: Float[Tensor, "b heads m d_h"],
        v: Float[Tensor, "b heads m d_h"],
        key_mask: Bool[Tensor, "#b 1 1 m"] | None,
        layout: Layout | None,
    ) -> Float[Tensor, "b heads n d_h"]:
        """The weighted sums of the values."""
        return self.sdpa(q, k, v, attn_mask=key_mask, dropout_p=self.dropout if self.training else 0.0)


def attention_scores(
    q: Float[Tensor, "b heads n d_h"], k: Float[Tensor, "b heads m d_h"]
) -> Float[Tensor, "b heads n m"]:
    """q k^T / sqrt(D_h)."""
    return (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)
