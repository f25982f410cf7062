"""The same model in other operations, which ONNX Runtime and OpenVINO run faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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

PACKED = 5  # tensors of the patches' size in what ``FirstAttention.pack`` gives
_LEAST_NORMAL = 2.0**-126  # of float32


def for_runtimes(model: ReSTR, *, coarse: int = 0) -> ReSTR:
    """A copy with the same results, to rounding, for runtimes that optimise a graph without knowing its meaning.

    Constant factors move into the weights beside them, and every weight is stored in the shape in which it is used,
    because quantisers skip weights that are transposed first. coarse: how many of the decoder's last blocks keep the
    resolution, see ``ChannelsFirst``; not 0, the results are no longer the same.
    """
    model = deepcopy(model).requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, Block):
            fold_layer_scale(module)
            if type(module.attn) is Attention:
                module.attn = PlainAttention(module.attn)  # type: ignore[assignment]
            else:
                module.attn.sdpa = matmul_attention
    encoder = model.fusion.patch_encoder
    first = cast("Block", encoder.blocks[0]) if encoder.depth else None
    if first is not None and isinstance(first.attn, PlainAttention):
        first.attn = FirstAttention(first.attn)  # type: ignore[assignment]
    model.vision.patch_embed = FlatPatchEmbed(model.vision.patch_embed)  # type: ignore[assignment]
    if isinstance(model.decoder, Decoder):
        model.decoder = ChannelsFirst(model.decoder, coarse)  # type: ignore[assignment]
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
        q, k, v = (each.view(b, n, self.heads, d // self.heads) for each in self.qkv(tokens))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1)
        if key_mask is not None:
            scores = scores + additive_mask(key_mask, q.dtype)
        return self.proj((scores.softmax(3) @ v.transpose(1, 2)).transpose(1, 2).reshape(b, n, d))

    def qkv(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (b n d), heads beside each other."""
        return self.q(tokens), self.k(tokens), self.v(tokens)


_packed: ContextVar[Tensor | None] = ContextVar("packed", default=None)  # for the next FirstAttention to run


@contextmanager
def reusing(packed: Tensor) -> Iterator[None]:
    """The next ``FirstAttention`` takes the patches' part from ``packed``, of ``pack``: of one image, or one for each row."""
    token = _packed.set(packed)
    try:
        yield
    finally:
        _packed.reset(token)


class FirstAttention(PlainAttention):
    """The attention of the fusion encoder's first block, whose part among the patches does not depend on the words.

    ``pack`` computes that part once for an image; inside ``reusing``, the next call takes it from there and adds the
    words. The same idea in PyTorch: ``restr.inference.backends.patch_cache``.
    """

    def __init__(self, attention: PlainAttention) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(attention.__dict__)

    def pack(self, patches: Tensor) -> Tensor:
        """patches (b n d), as ``forward`` would take them -> (b PACKED n d): queries, keys, values, the weighted sums of the
        values, and for each head, d_h times, the logarithm of the sum of its unnormalised weights.

        Runtimes fuse a plain softmax between two products, but none that also gives its sum. So the first patch's weight
        e^s / sum becomes one more channel of the result, and its score s is computed again. Exact to rounding while no score
        is more than 87 above s, where float32 ends; beyond, words get too much weight.
        """
        b, n, d = patches.shape
        found = self.qkv(patches)
        q, k, v = (each.view(b, n, self.heads, d // self.heads) for each in found)
        is_first = F.pad(v.new_ones(b, 1, self.heads, 1), (0, 0, 0, 0, 0, n - 1))
        weights = (q.transpose(1, 2) @ k.permute(0, 2, 3, 1)).softmax(3)
        mixed = (weights @ torch.cat([v, is_first], 3).transpose(1, 2)).transpose(1, 2)
        mixed, weight = mixed[..., :-1], mixed[..., -1:]
        log_sum = (q * k[:, :1]).sum(3, keepdim=True) - weight.clamp(min=_LEAST_NORMAL).log()
        return torch.stack([*found, mixed.reshape(b, n, d), log_sum.expand_as(v).reshape(b, n, d)], 1)

    def forward(self, tokens: Tensor, key_mask: Tensor | None = None, layout: Layout | None = None) -> Tensor:
        """As ``Attention.forward``; the patches are the first tokens."""
        packed = _packed.get()
        if packed is None:
            return super().forward(tokens, key_mask, layout)
        _packed.set(None)  # blocks that share weights with this one get other tokens
        b, n, d = tokens.shape[0], packed.shape[2], tokens.shape[2]

        def by_head(each: Tensor) -> Tensor:
            return each.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v, mixed, log_sum = (by_head(packed[:, part]) for part in range(PACKED))
        later_q, later_k, later_v = map(by_head, self.qkv(tokens[:, n:]))
        to_later = q @ later_k.transpose(2, 3)
        from_later = torch.cat([later_q @ k.transpose(2, 3), later_q @ later_k.transpose(2, 3)], 3)
        if key_mask is not None:
            mask = additive_mask(key_mask, q.dtype)
            to_later, from_later = to_later + mask[..., n:], from_later + mask
        # the patches together are one key, whose score is the logarithm of their sum and whose value is ``mixed``
        log_sum = log_sum[..., :1].expand(b, -1, -1, -1)
        weights = torch.cat([log_sum, to_later], 3).softmax(3)
        mixed = weights[..., :1] * mixed + weights[..., 1:] @ later_v
        weights = from_later.softmax(3)
        later = weights[..., :n] @ v + weights[..., n:] @ later_v
        return self.proj(torch.cat([mixed, later], 2).transpose(1, 2).reshape(b, -1, d))


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

    coarse: the last blocks that keep the resolution; the head's one channel is enlarged instead of all of theirs. Without
    LeakyReLU the order would not matter. Of ``restr_small``'s masks, one coarse block changes 0.01% of the pixels.
    """

    quarters: Tensor
    """float32 (4 1 3 3): the four pixels that one becomes, as weighted sums of it and its neighbours."""

    def __init__(self, decoder: Decoder, coarse: int = 0) -> None:
        super().__init__()
        self.first_map, self.config, self.coarse = decoder.first_map, decoder.config, min(coarse, len(decoder.blocks))
        project_first = decoder.config.order == "project_first"
        blocks = list(cast("Iterable[Upsample]", decoder.blocks))
        self.over_tokens = blocks.pop(0).proj if project_first else nn.Identity()
        self.over_maps = nn.ModuleList([*(pointwise(block.proj) for block in blocks), pointwise(decoder.head)])
        sides = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])  # of the two pixels that one becomes
        self.register_buffer(
            "quarters", torch.einsum("yi,xj->yxij", sides, sides).reshape(4, 1, 3, 3), persistent=False
        )

    def forward(self, image: ImageTokens, patches: Tensor, scores: PatchScores) -> Tensor:
        """As ``Decoder.forward``."""
        maps = self.over_tokens(self.first_map(image, patches, scores)).permute(0, 3, 1, 2)
        *projs, head = self.over_maps
        project_first, last = self.config.order == "project_first", len(projs) - self.coarse
        if project_first:  # the first block's projection is done
            maps = self.act(self.enlarge(maps) if last >= 0 else maps)
        for number, proj in enumerate(projs):
            enlarge = self.enlarge if number < last else nn.Identity()
            maps = self.act(enlarge(proj(maps)) if project_first else proj(enlarge(maps)))
        logits = head(maps)
        for _ in range(self.coarse):
            logits = self.enlarge_one(logits)
        return logits

    def enlarge(self, maps: Tensor) -> Tensor:
        """(b c h w) -> (b c 2h 2w)."""
        return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=self.config.align_corners)

    def enlarge_one(self, maps: Tensor) -> Tensor:
        """``enlarge`` for one channel (b 1 h w), by a convolution: OpenVINO needs three times as long for its own."""
        if self.config.align_corners:
            return self.enlarge(maps)
        return F.pixel_shuffle(F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), self.quarters), 2)

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
