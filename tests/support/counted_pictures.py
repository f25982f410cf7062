"""How many pictures each call of PyTorch's image encoder has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restr.inference.backends.torch_backend import TorchBackend


def encoded_counts(monkeypatch: pytest.MonkeyPatch, method: str) -> list[int]:
    """A list that grows by the number of pictures of each call. method: ``encode_image`` or ``encode_images``."""
    counts: list[int] = []
    encode = getattr(TorchBackend, method)

    def counted(self: TorchBackend, images: np.ndarray) -> Any:
        counts.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(TorchBackend, method, counted)
    return counts
