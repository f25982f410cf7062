"""The models that restr is compared with, each with random weights, which take as long as trained ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from restr.export.rewriting import matmul_attention
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.nn.attention import Attention


def plain_rendition(model: ReSTR) -> ReSTR:
    """The same weights computed as the authors' released program does: attention as softmax over a written-out matrix, and
    a decoder that enlarges before it projects."""
    config = replace(model.config, decoder=replace(model.config.decoder, order="enlarge_first"))
    plain = build_model(config).eval()
    plain.load_state_dict(model.state_dict())
    for module in plain.modules():
        if isinstance(module, Attention):
            module.sdpa = matmul_attention
    return plain


class ClipSeg(nn.Module):
    """``CLIPSegForImageSegmentation`` as CIDAS/clipseg-rd64-refined configures it: CLIP ViT-B/16, 64 channels, layers 3, 6
    and 9 (Lueddecke and Ecker, CVPR 2022)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

        config = CLIPSegConfig(vision_config={"patch_size": 16, "image_size": size}, reduce_dim=64)
        self.model = CLIPSegForImageSegmentation(config).eval()

    def forward(self, image: Tensor, ids: Tensor) -> Tensor:
        """image (1 3 H W), ids (1 l) of its own vocabulary -> logits."""
        return self.model(pixel_values=image, input_ids=ids, attention_mask=torch.ones_like(ids)).logits


def parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def gmac(call: Callable[[], object], *models: nn.Module) -> float:
    """10^9 multiply-adds of a call's matrix products, with the models' attention written out, so that they are counted."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # which the counter does not know

    def of_kernel(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], *_: object, **__: object) -> int:
        return sdpa_flop_count(q, k, v)

    kernels = {part: part.sdpa for model in models for part in model.modules() if isinstance(part, Attention)}
    for attention in kernels:
        attention.sdpa = matmul_attention
    try:
        with torch.inference_mode(), FlopCounterMode(display=False, custom_mapping={kernel: of_kernel}) as counter:
            call()
    finally:
        for attention, sdpa in kernels.items():
            attention.sdpa = sdpa
    return counter.get_total_flops() / 2e9
