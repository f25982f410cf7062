"""Attention among the patches, computed once and reused, is what attention over all tokens gives."""

from __future__ import annotations

import threading

import pytest
import torch

from restr.inference.backends.patch_cache import CachedAttention, CachingModel, PatchAttention, attention_with_lse
from restr.model.build import build_model
from restr.nn.attention import Attention
from restr.presets import restr_tiny

PATCHES, WORDS, WIDTH, HEADS = 70, 3, 8, 2


@pytest.mark.parametrize("kernel", [True, False])
def test_sums_of_weights_are_those_of_softmax(kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 8, dtype=torch.float64).unbind()
    scores = q @ k.transpose(2, 3) / 8**0.5
    if not kernel:  # as on a GPU, or with a PyTorch that has renamed it
        monkeypatch.setattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    mixed, log_sum = attention_with_lse(q, k, v)
    torch.testing.assert_close(mixed, scores.softmax(3) @ v)
    torch.testing.assert_close(log_sum, scores.exp().sum(3, keepdim=True).log())


def test_tokens_that_join_later_change_nothing() -> None:
    full = Attention(WIDTH, HEADS).double()
    z = torch.randn(2, PATCHES + WORDS, WIDTH, dtype=torch.float64)
    mask = torch.ones(2, 1, 1, PATCHES + WORDS, dtype=torch.bool)
    mask[1, ..., -2:] = False
    nobody = mask.clone()
    nobody[..., -WORDS:] = False
    q, k, v = full.qkv_heads(z[:, :-WORDS])
    cached = PatchAttention(q, k, v, *attention_with_lse(q, k, v))

    def joined(key_mask: torch.Tensor) -> torch.Tensor:
        mixed = CachedAttention(full).attend_with_cache(*full.qkv_heads(z), key_mask, cached)
        return full.proj(mixed.transpose(1, 2).reshape(z.shape))

    torch.testing.assert_close(joined(mask), full(z, mask))
    torch.testing.assert_close(joined(nobody)[:, :-WORDS], full(z[:, :-WORDS]))


@torch.inference_mode()
def test_images_of_threads_stay_apart_and_the_model_stays_as_it_is() -> None:
    model = build_model(restr_tiny(vocab=8), seed=0).eval()
    names, served = list(model.state_dict()), CachingModel(model)
    assert list(served.copy.state_dict()) == names == list(model.state_dict())
    assert all(a is b for a, b in zip(model.parameters(), served.copy.parameters(), strict=True))
    assert not any(isinstance(module, CachedAttention) for module in model.modules())

    ids = torch.tensor([[2, 3, 4, 0]])
    images = [model.encode_image(torch.randn(1, 3, 16, 16)) for _ in range(2)]
    found: dict[int, bool] = {}

    @torch.inference_mode()
    def ask(number: int) -> None:
        image, right = served.precompute(images[number]), model.segment(images[number], ids).logits
        found[number] = all(torch.allclose(served.segment(image, ids).logits, right, atol=1e-5) for _ in range(20))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: True, 1: True}
