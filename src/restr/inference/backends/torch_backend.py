"""The model in PyTorch, as it was trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from restr.errors import ConfigError
from restr.inference.backends.base import Backend, Segmentation, Watched
from restr.model.attention_maps import recorded
from restr.model.device import choose_device, do_with_what_a_fork_leaves
from restr.model.fusion import Placed
from restr.model.memory import keep_freed_memory
from restr.model.restr import ReSTR
from restr.model.vision import PatchFeatures
from restr.text.vocabulary import PADDING

KEPT = 2**29  # bytes of freed memory that stay with the process; the maps of four sentences at 480 pixels take less


class TorchBackend(Backend):
    """features: ``Placed``, on the model's device. bf16 is autocast: matrix products in bfloat16."""

    name = "torch"
    can_explain = True

    def __init__(self, model: ReSTR, *, device: str | torch.device = "auto", precision: str = "fp32") -> None:
        """Raises ``ConfigError`` for a device or a precision that there is not."""
        if precision not in ("fp32", "bf16"):
            raise ConfigError(
                f"precision is {precision!r}; PyTorch computes in 'fp32' or 'bf16' here (restr export --int8 makes int8)"
            )
        self.device, self.precision, self.config = choose_device(device), precision, model.config
        self.enter()
        self.model = model.to(self.device).eval()
        if self.device.type == "cpu":
            keep_freed_memory(KEPT)

    def enter(self) -> None:
        """As ``Backend.enter``: on the processor a forked process goes on, with one thread; a GPU stays its parent's."""
        if self.device.type == "cpu":
            do_with_what_a_fork_leaves()
        else:
            super().enter()

    @torch.inference_mode()
    def encode_image(self, image: np.ndarray) -> Placed:
        """As ``Backend.encode_image``."""
        with self._autocast():
            return self.placed(self.model.encode_image(torch.from_numpy(image).to(self.device)))

    def encode_images(self, images: np.ndarray) -> list[Placed]:
        """As ``Backend.encode_images``."""
        found = self.encode_image(images)
        return [found] if len(images) == 1 else [found.row(row) for row in range(len(images))]

    @torch.inference_mode()
    def placed(self, features: PatchFeatures) -> Placed:
        """What the vision encoder gave, as ``segment`` takes it."""
        fusion = self.model.fusion
        return fusion.foresee(fusion.place(features.patches, features.grid))

    @torch.inference_mode()
    def segment(self, features: Placed, ids: np.ndarray) -> Segmentation:
        """As ``Backend.segment``."""
        return self._segment(features, *self._words(ids))

    @torch.inference_mode()
    def watched(self, features: Placed, ids: np.ndarray) -> Watched:
        """As ``Backend.watched``."""
        rows, word_pad = self._words(ids)
        with recorded(self.model.fusion, ids.shape[1]) as recorder:
            found = self._segment(features, rows, word_pad)
        words, seed = recorder.maps()
        return Watched(found, *(_array(each) for each in (words, seed)), grid=features.grid)

    def _words(self, ids: np.ndarray) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(ids).to(self.device)
        return rows, rows == PADDING

    def _segment(self, features: Placed, ids: Tensor, word_pad: Tensor) -> Segmentation:
        with self._autocast():
            words = self.model.encode_words(ids, word_pad)
            fused = self.model.fusion.meet(features, words, word_pad)
            output = self.model.decode(fused, features.grid)
        return Segmentation(_array(output.logits), None if output.presence is None else _array(output.presence))

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def _array(tensor: Tensor) -> np.ndarray:
    """float32, on the CPU."""
    return tensor.float().cpu().numpy()
