"""The model in PyTorch, as it was trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from restr.errors import ConfigError
from restr.inference.backends.base import AttentionOutput, Segmentation
from restr.inference.backends.patch_cache import CachedImage, CachingModel
from restr.inference.backends.torch_threads import TorchThreads
from restr.model.attention_maps import record_attention
from restr.model.device import choose_device, keep_freed_memory, limit_threads_after_fork
from restr.model.fusion import ImageTokens
from restr.model.restr import ReSTR
from restr.model.vision import PatchFeatures

KEPT = 2**29  # bytes of freed memory that stay with the process; the maps of four sentences at 480 pixels take less


class TorchBackend(TorchThreads):
    """features: ``CachedImage``, on the model's device. bf16 is autocast: matrix products in bfloat16."""

    name = "torch"
    can_explain = True
    concurrent = True

    def __init__(self, model: ReSTR, *, device: str | torch.device = "auto", precision: str = "fp32") -> None:
        """Raises ``ConfigError`` for an unknown device or precision."""
        if precision not in ("fp32", "bf16"):
            raise ConfigError(
                f"precision is {precision!r}; PyTorch computes in 'fp32' or 'bf16' here (restr export --int8 makes int8)"
            )
        self.device, self.precision, self.config = choose_device(device), precision, model.config
        self.enter()
        self.model = model.to(self.device).eval()
        self.served = CachingModel(self.model)
        if self.device.type == "cpu":
            keep_freed_memory(KEPT)

    def enter(self) -> None:
        """As ``Backend.enter``: on the processor, a forked process continues with one thread; a GPU stays its parent's."""
        if self.device.type == "cpu":
            limit_threads_after_fork()
        else:
            super().enter()

    @torch.inference_mode()
    def encode_image(self, image: np.ndarray) -> CachedImage:
        """As ``Backend.encode_image``."""
        with self._autocast():
            return self.served.precompute(self.model.encode_image(torch.from_numpy(image).to(self.device)))

    def encode_images(self, images: np.ndarray) -> list[CachedImage]:
        """As ``Backend.encode_images``."""
        found = self.encode_image(images)
        return [found] if len(images) == 1 else [found.row(row) for row in range(len(images))]

    @torch.inference_mode()
    def from_patches(self, patches: np.ndarray) -> CachedImage:
        """The output of an export's image encoder, float32 (1 h w D) or (1 parts h w D), as ``segment`` takes it.

        Of several parts the first one is the patches; the others are the export's share of the first fusion block.
        """
        found = patches if patches.ndim == 4 else patches[:, 0]
        tokens, (h, w) = torch.from_numpy(found).to(self.device), found.shape[1:3]
        return self.served.precompute(ImageTokens(tokens.flatten(1, 2), (h, w)))

    @torch.inference_mode()
    def project(self, features: PatchFeatures) -> CachedImage:
        """Cached features of the vision encoder, as ``segment`` takes them."""
        return self.served.precompute(self.model.project(features))

    @torch.inference_mode()
    def segment(self, features: CachedImage, ids: np.ndarray) -> Segmentation:
        """As ``Backend.segment``."""
        with self._autocast():
            output = self.served.segment(features, torch.from_numpy(ids).to(self.device))
        return Segmentation(_array(output.logits), None if output.presence is None else _array(output.presence))

    @torch.inference_mode()
    def segment_with_attention(self, features: CachedImage, ids: np.ndarray) -> AttentionOutput:
        """As ``Backend.segment_with_attention``."""
        with record_attention(self.served.copy.fusion, ids.shape[1]) as recorder:
            found = self.segment(features, ids)
        words, seed = recorder.maps()
        return AttentionOutput(found, _array(words), _array(seed), grid=features.tokens.grid)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def _array(tensor: Tensor) -> np.ndarray:
    """float32, on the CPU."""
    return tensor.float().cpu().numpy()
