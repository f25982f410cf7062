"""A model rewritten for runtimes gives the same results, and the original stays unchanged."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from restr.config import ModelConfig
from restr.export.graphs import Whole
from restr.export.rewriting import for_runtimes, matmul_attention
from restr.model.fusion import FUSIONS
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
