"""The same model in other operations, which ONNX Runtime and OpenVINO run faster."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restr.model.decoder import Decoder, PatchScores, Upsample
from restr.model.fusion import ImageTokens
from restr.model.restr import ReSTR
from restr.nn.attention import Attention, Layout, attention_scores
from restr.nn.patches import PatchEmbed
from restr.nn.transformer import Block


def for_runtimes(model: ReSTR) -> ReSTR:
    """A copy with the same results, to rounding, for runtimes that optimise a graph without knowing its meaning.

    Constant factors move into the weights beside them, and every weight is stored in the shape in which it is used,
    because quantisers skip weights that are transposed first.
    """
    model = deepcopy(model).requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, Block):
            fold_layer_scale(module)
            if type(module.attn) is Attention:
                module.attn = PlainAttention(module.attn)  # type: ignore[assignment]
            else:
                module.attn.sdpa = matmul_attention
    model.vision.patch_embed = FlatPatchEmbed(model.vision.patch_embed)  # type: ignore[assignment]
    if isinstance(model.decoder, Decoder):
        model.decoder = ChannelsFirst(model.decoder)  # type: ignore[assignment]
    return model


def fold_layer_scale(block: Block) -> None:
    """Multiply a block's LayerScale, if it has one, into the linear layers before it."""
    for scale, layer in ((block.ls1, block.attn.proj), (block.ls2, block.mlp.fc2)):
        if not isinstance(scale, nn.Identity):
            layer.weight.mul_(scale.gamma[:, None])
            layer.bias.mul_(scale.gamma)
    block.ls1 = block.ls2 = nn.Identity()


def additive_mask(key_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a bool mask allows attention, -inf elsewhere: to be added to scores."""
    return torch.zeros_like(key_mask, dtype=dtype).masked_fill(~key_mask, float("-inf"))


def matmul_attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0
) -> Tensor:
    """``scaled_dot_product_attention`` as two matrix products, for ``Attention.sdpa``; attn_mask (b 1 1 n), bool or additive."""
    scores = attention_scores(q, k)
    if attn_mask is not None:
        scores = scores + (additive_mask(attn_mask, q.dtype) if attn_mask.dtype == torch.bool else attn_mask)
    return F.dropout(scores.softmax(3), dropout_p, dropout_p > 0) @ v


class PlainAttention(nn.Module):
    """Attention over all tokens as two matrix products and a softmax.

    PyTorch's own exports with guards against rows without any key, which are slow and never needed here. Queries, keys
    and values have separate maps, so that a runtime can fuse each with the operations after it; the queries' map includes
    1 / sqrt(D_h).
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads, self.proj = attention.heads, attention.proj
        (wq, wk, wv), (bq, bk, bv) = attention.qkv.weight.chunk(3), attention.qkv.bias.chunk(3)
        scale = (attention.proj.in_features // attention.heads) ** -0.5
        self.q, self.k, self.v = linear(wq * scale, bq * scale), linear(wk, bk), linear(wv, bv)

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None, layout: Layout | None = None) -> Tensor:
        """As ``Attention.forward``."""
        b, n, d = tokens.shape
        q, k, v = (each(tokens).view(b, n, self.heads, d // self.heads) for each in (self.q, self.k, self.v))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1)
        if key_mask is not None:
            scores = scores + additive_mask(key_mask, q.dtype)
        return self.proj((scores.softmax(3) @ v.transpose(1, 2)).transpose(1, 2).reshape(b, n, d))


class FlatPatchEmbed(nn.Module):
    """The patch embedding as a linear map."""

    def __init__(self, embed: PatchEmbed) -> None:
        super().__init__()
        self.patch = embed.patch
        self.proj = linear(embed.proj.weight.flatten(1), embed.proj.bias)

    def forward(self, image: Tensor) -> Tensor:
        """As ``PatchEmbed.forward``."""
        return self.proj(F.pixel_unshuffle(image, self.patch).flatten(2).transpose(1, 2))


class ChannelsFirst(nn.Module):
    """A coarse-to-fine decoder over maps (b c h w), because image runtimes would otherwise transpose every map.

    If blocks project first, the first projection still works on tokens, which are then half as wide when they are
    transposed.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.first_map, self.config = decoder.first_map, decoder.config
        project_first = decoder.config.order == "project_first"
        blocks = list(cast("Iterable[Upsample]", decoder.blocks))
        self.over_tokens = blocks.pop(0).proj if project_first else nn.Identity()
        self.over_maps = nn.ModuleList([*(pointwise(block.proj) for block in blocks), pointwise(decoder.head)])

    def forward(self, image: ImageTokens, patches: Tensor, scores: PatchScores) -> Tensor:
        """As ``Decoder.forward``."""
        maps = self.over_tokens(self.first_map(image, patches, scores)).permute(0, 3, 1, 2)
        *projs, head = self.over_maps
        if self.config.order == "project_first":
            maps = self.act(self.enlarge(maps))
            for proj in projs:
                maps = self.act(self.enlarge(proj(maps)))
        else:
            for proj in projs:
                maps = self.act(proj(self.enlarge(maps)))
        return head(maps)

    def enlarge(self, maps: Tensor) -> Tensor:
        """(b c h w) -> (b c 2h 2w)."""
        return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=self.config.align_corners)

    def act(self, maps: Tensor) -> Tensor:
        """The blocks' LeakyReLU."""
        return F.leaky_relu(maps, self.config.negative_slope)


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer with these weights (out in)."""
    return fill_layer(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta"), weight, bias)


def pointwise(layer: nn.Linear) -> nn.Conv2d:
    """A linear layer as a 1 x 1 convolution."""
    conv = nn.Conv2d(layer.in_features, layer.out_features, 1, bias=layer.bias is not None, device="meta")
    return fill_layer(conv, layer.weight[:, :, None, None], layer.bias)


L = TypeVar("L", nn.Linear, nn.Conv2d)


def fill_layer(layer: L, weight: Tensor, bias: Tensor | None) -> L:
    """The layer with these weights as its own."""
    state = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    layer.requires_grad_(False).load_state_dict(state, assign=True)
    return layer
