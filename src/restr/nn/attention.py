"""Multi-head self-attention: MSA(z) = [SA_1(z) ... SA_k(z)] W."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


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

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """tokens (b n d); key_mask bool (b 1 1 n), True where a token may be attended to. Returns (b n d)."""
        b, n, d = tokens.shape
        q, k, v = self.qkv(tokens).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = self.mix(q, k, v, attn_mask=key_mask, dropout_p=dropout)
        return self.proj(mixed.transpose(1, 2).reshape(b, n, d))
