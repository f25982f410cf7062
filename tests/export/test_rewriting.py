"""A model rewritten for runtimes gives the same results, and the original stays unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restr.config import ModelConfig
from restr.export.graphs import Expression, ImageEncoder, Whole
from restr.export.rewriting import PACKED, FirstAttention, PlainAttention, for_runtimes, matmul_attention, reusing
from restr.model.decoder import Decoder
from restr.model.fusion import FUSIONS
from restr.nn.attention import Attention
from restr.nn.transformer import LayerScale
from small_exports import WORDS, shallow_config, shallow_model


def configs() -> dict[str, ModelConfig]:
    plain = shallow_config()
    scaled = replace(plain.vision.blocks, layer_scale=True)
    return {
        **{variant: shallow_config(variant=variant) for variant in FUSIONS},
        "layer scale": replace(plain, vision=replace(plain.vision, blocks=scaled)),
        "post-norm": replace(plain, vision=replace(plain.vision, blocks=replace(scaled, norm="post"))),
        "windowed": replace(
            plain, vision=replace(plain.vision, blocks=replace(scaled, attention="windowed", window=2, cells=2))
        ),
        "shared depth": shallow_config(sharing="depth"),
        "enlarge first": replace(plain, decoder=replace(plain.decoder, order="enlarge_first", align_corners=True)),
        "no bias": replace(plain, decoder=replace(plain.decoder, head_bias=False)),
        "no decoder": replace(plain, decoder=replace(plain.decoder, kind="none")),
    }


@pytest.mark.parametrize("name", configs())
@torch.no_grad()
def test_it_is_the_same_model(name: str) -> None:
    model = shallow_model(configs()[name])
    for module in model.modules():
        if isinstance(module, LayerScale):
            nn.init.uniform_(module.gamma, 0.5, 2.0)  # untrained, it would leave nothing of the blocks to compare
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(1)
    image, ids = torch.randn(2, 3, 96, 64), torch.randint(2, len(WORDS), (2, 5))
    ids[1, 3:] = 0
    ours, theirs = model(image, ids), for_runtimes(model)(image, ids)
    torch.testing.assert_close(theirs.logits, ours.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(theirs.patch_logits, ours.patch_logits, rtol=1e-4, atol=1e-4)
    assert ours.logits.std() > 1e-2
    torch.testing.assert_close(Whole(for_runtimes(model))(image, ids), theirs.logits, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_attention_by_products_is_the_kernels() -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 8).unbind()
    mask = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    mask[0, ..., 3:] = False
    torch.testing.assert_close(matmul_attention(q, k, v, mask), F.scaled_dot_product_attention(q, k, v, mask))


@pytest.mark.parametrize("name", configs())
@torch.no_grad()
def test_the_first_fusion_block_is_reused(name: str) -> None:
    model = shallow_model(configs()[name])
    torch.manual_seed(1)
    images, ids = torch.randn(2, 3, 96, 64), torch.randint(2, len(WORDS), (2, 5))
    ids[1, 3:] = 0
    halves = for_runtimes(model)
    encoder, expression = ImageEncoder(halves), Expression(halves)
    packed = encoder(images)
    assert packed.shape == (2, 1 + PACKED, 24, 16, 64)
    torch.testing.assert_close(packed[:, 0], ImageEncoder(model)(images), rtol=1e-4, atol=1e-4)
    for image, features in ((images, packed), (images[:1], packed[:1])):  # one for each sentence, one for all
        expected = model(image.expand(2, -1, -1, -1), ids).logits
        torch.testing.assert_close(expression(features, ids), expected, rtol=1e-4, atol=1e-4)
    other = encoder(images[:1])
    other[:, 1:] = 0
    assert (expression(other, ids) - expression(packed[:1], ids)).abs().max() > 1e-3, "it is what the graph uses"
    plain = ImageEncoder(halves, reuse=False)(images)
    torch.testing.assert_close(expression(plain, ids), expression(packed, ids), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_merged_attention_is_attention_also_with_large_scores() -> None:
    torch.manual_seed(0)
    full = Attention(16, 2)
    first = FirstAttention(PlainAttention(full))
    mask = torch.ones(2, 1, 1, 33, dtype=torch.bool)
    mask[1, ..., -2:] = False
    for size, least in ((1.0, 1.0), (6.0, 30.0)):
        tokens = size * torch.randn(2, 33, 16)
        q, k, _ = full.qkv_heads(tokens)
        assert (q @ k.transpose(2, 3) / 8**0.5).abs().max() > least
        with reusing(first.pack(tokens[:, :30])):
            found = first(tokens, mask)
        torch.testing.assert_close(found, full(tokens, mask), rtol=1e-3, atol=1e-3 * size)
    with reusing(first.pack(400 * tokens[:, :30])):
        assert first(400 * tokens, mask).isfinite().all(), "weights that float32 cannot hold"


@pytest.mark.parametrize("name", ["cme", "enlarge first", "no decoder"])
@pytest.mark.parametrize("coarse", [1, 9])
@torch.no_grad()
def test_coarse_blocks_leave_enlarging_to_the_logits(name: str, coarse: int) -> None:
    model = shallow_model(configs()[name])
    torch.manual_seed(1)
    image, ids = torch.randn(1, 3, 96, 64), torch.randint(2, len(WORDS), (1, 5))
    found = for_runtimes(model, coarse=coarse)(image, ids).logits
    decoder = model.decoder
    decoder.coarse = min(coarse, len(decoder.blocks)) if isinstance(decoder, Decoder) else 0
    expected = model(image, ids).logits
    for _ in range(decoder.coarse):
        expected = F.interpolate(
            expected, scale_factor=2, mode="bilinear", align_corners=model.config.decoder.align_corners
        )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
