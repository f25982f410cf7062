"""A served model that computes the attention among an image's patches once, and reuses it for every sentence.

In the fusion encoder's first block, queries, keys and values of the patches do not depend on the words. ``CachingModel``
keeps them with the image, so a further sentence only adds the terms that involve its words.
"""

from __future__ import annotations

from contextvars import ContextVar
from copy import copy
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from restr.model.fusion import ImageTokens
from restr.model.restr import ReSTR, ReSTROutput
from restr.nn.attention import Attention, Layout, attention_scores
from restr.nn.transformer import Block


class PatchAttention(NamedTuple):
    """Attention of the patches among themselves in the first block."""

    q: Tensor
    """Queries (b heads n d_h)."""
    k: Tensor
    """Keys (b heads n d_h)."""
    v: Tensor
    """Values (b heads n d_h)."""
    mixed: Tensor
    """The weighted sums of the values (b heads n d_h)."""
    log_sum: Tensor
    """The logarithm of the sum of the unnormalised weights (b heads n 1)."""


class CachedImage(NamedTuple):
    """An encoded image, ready for sentences."""

    tokens: ImageTokens
    attention: PatchAttention | None
    """None for a model whose first block cannot reuse it."""

    def row(self, row: int) -> CachedImage:
        """One image of a batch, copied, so that it does not keep the memory of the others."""
        attention = self.attention and PatchAttention(*(part[row : row + 1].clone() for part in self.attention))
        return CachedImage(self.tokens._replace(patches=self.tokens.patches[row : row + 1].clone()), attention)


_reused: ContextVar[PatchAttention | None] = ContextVar("reused", default=None)  # by the next CachedAttention to run


class CachingModel:
    """``model`` for inference. ``copy`` is the model again, with the same weights and another first attention.

    Windowed attention, and a fusion encoder without blocks, are served as they are.
    """

    def __init__(self, model: ReSTR) -> None:
        encoder = model.fusion.patch_encoder
        self.copy = model
        self._block: Block | None = None
        first = cast("Block", encoder.blocks[0]) if encoder.depth else None
        if first is not None and type(first.attn) is Attention:
            self._block = _replaced(first, "attn", CachedAttention(first.attn))
            name = next(name for name, child in model.fusion.named_children() if child is encoder)
            encoder = _replaced(encoder, "blocks", _replaced(encoder.blocks, "0", self._block))
            self.copy = _replaced(model, "fusion", _replaced(model.fusion, name, encoder))

    def precompute(self, image: ImageTokens) -> CachedImage:
        """An image of ``encode_image`` with the attention among its patches."""
        if self._block is None:
            return CachedImage(image, None)
        patches = image.patches if self._block.post_norm else self._block.norm1(image.patches)
        q, k, v = self._block.attn.qkv_heads(patches)
        return CachedImage(image, PatchAttention(q, k, v, *attention_with_lse(q, k, v)))

    def segment(self, image: CachedImage, ids: Tensor) -> ReSTROutput:
        """As ``ReSTR.segment``, for sentences (t l) about one image."""
        token = _reused.set(image.attention)
        try:
            return self.copy.segment(image.tokens, ids)
        finally:
            _reused.reset(token)


class CachedAttention(Attention):
    """``Attention`` of the same weights; in ``CachingModel.segment``, its first call reuses the cached part."""

    def __init__(self, attention: Attention) -> None:
        nn.Module.__init__(self)
        self.heads, self.dropout, self.sdpa = attention.heads, attention.dropout, attention.sdpa
        self.qkv, self.proj = attention.qkv, attention.proj
        self.train(attention.training)

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None, layout: Layout | None = None) -> Tensor:
        """As ``Attention.forward``; the patches are the first tokens."""
        cached = _reused.get()
        if cached is None:
            return super().forward(tokens, key_mask, layout)
        _reused.set(None)  # blocks that share weights with the first one get other tokens
        later = self.qkv_heads(tokens[:, cached.q.shape[2] :])
        q, k, v = (torch.cat([a.expand(len(b), -1, -1, -1), b], 2) for a, b in zip(cached[:3], later, strict=True))
        mixed = self.attend_with_cache(q, k, v, key_mask, cached)
        return self.proj(mixed.transpose(1, 2).reshape(tokens.shape))

    def attend_with_cache(
        self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, cached: PatchAttention
    ) -> Tensor:
        """``attend``, given the attention among the first n tokens.

        Computes only the terms that involve later tokens, and merges both by log-sum-exp, as FlashAttention does (Dao et
        al. 2022).
        """
        n = cached.mixed.shape[2]
        later = self.sdpa(q[:, :, n:], k, v, attn_mask=key_mask)
        scores = attention_scores(q[:, :, :n], k[:, :, n:])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[..., n:], float("-inf"))
        log_sum = torch.logaddexp(cached.log_sum, scores.logsumexp(3, keepdim=True))
        mixed = cached.mixed * (cached.log_sum - log_sum).exp() + (scores - log_sum).exp() @ v[:, :, n:]
        return torch.cat([mixed, later], 2)


def attention_with_lse(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attention without a mask, q, k, v (b heads n d_h) -> ``mixed`` and ``log_sum`` of ``PatchAttention``.

    On a CPU by PyTorch's own kernel, which returns both but has no public name.
    """
    kernel = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if q.device.type == "cpu" and kernel is not None:
        mixed, log_sum = kernel(q, k, v)
        return mixed, log_sum[..., None]
    scores = attention_scores(q, k)
    log_sum = scores.logsumexp(3, keepdim=True)
    return (scores - log_sum).exp() @ v, log_sum


_M = TypeVar("_M", bound=nn.Module)


def _replaced(module: _M, name: str, child: nn.Module) -> _M:
    """A shallow copy of a module, with another child of that name; both share everything else."""
    other = copy(module)
    other._modules = module._modules | {name: child}
    return other
