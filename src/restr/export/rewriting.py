"""The same model in other operations: those that ONNX's and OpenVINO's runtimes do fast."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from restr.model.decoder import Decoder, Judged, Upsample
from restr.model.restr import ReSTR
from restr.nn.attention import Attention, written_out


def for_runtimes(model: ReSTR) -> ReSTR:
    """A copy with attention as two plain matrix products (PyTorch's own has guards against rows without any key, which
    are slow and never needed here) and the decoder as convolutions of one pixel."""
    model = deepcopy(model)
    for module in model.modules():
        if isinstance(module, Attention):
            module.mix = written_out
    if isinstance(model.decoder, Decoder):
        model.decoder = ChannelsFirst(model.decoder)  # type: ignore[assignment]
    return model


class ChannelsFirst(nn.Module):
    """A coarse-to-fine decoder over maps (b c h w): runtimes that think in images turn every map around otherwise."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, beside: Tensor, judged: Judged, grid: tuple[int, int]) -> Tensor:
        """As ``Decoder.forward``."""
        config = self.decoder.config
        features = self.decoder.coarsest(beside, judged, grid).permute(0, 3, 1, 2)
        for block in cast("Iterable[Upsample]", self.decoder.blocks):
            if config.order == "project_first":
                features = pointwise(block.proj, features)
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=config.align_corners)
            if config.order == "enlarge_first":
                features = pointwise(block.proj, features)
            features = F.leaky_relu(features, config.negative_slope)
        return pointwise(self.decoder.head, features)


def pointwise(linear: nn.Linear, features: Tensor) -> Tensor:
    """A linear layer over the channels of (b c h w)."""
    return F.conv2d(features, linear.weight[:, :, None, None], linear.bias)
