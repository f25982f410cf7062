"""What the words and the class seed look at, recorded while the fusion encoder runs its one forward path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from restr.model.fusion import Fusion, TwoEncoders
from restr.nn.attention import Attention, Layout


class AttentionMaps(NamedTuple):
    """words (b l n): how much of each word's attention goes to each patch. seed (b l): how much of the seed's goes to
    each word. Means over heads and blocks; what goes to other tokens is left out, so rows sum to less than 1."""

    words: Tensor
    seed: Tensor


class Recorder:
    """Attention weights (b m n) of the last m tokens, one entry for each block that has run."""

    def __init__(self, fusion: Fusion, words: int) -> None:
        self.fusion, self.words = fusion, words
        self.weights: list[Tensor] = []

    def maps(self) -> AttentionMaps:
        """The maps of one forward pass through the fusion encoder."""
        l = self.words  # noqa: E741  (the project's name for the number of words)
        if isinstance(self.fusion, TwoEncoders):
            depth = self.fusion.config.visual_linguistic.depth
            seeing = torch.stack(self.weights[:depth]).mean(0)  # (b 1+l n+l), of which the words are the last rows
            reading = torch.stack(self.weights[depth:]).mean(0)  # (b 1+l l+1)
            return AttentionMaps(seeing[:, -l:, :-l], reading[:, -1, :l])
        joint = torch.stack(self.weights).mean(0)  # (b 1+l n+l+1)
        return AttentionMaps(joint[:, -1 - l : -1, : -1 - l], joint[:, -1, -1 - l : -1])


@contextmanager
def recorded(fusion: Fusion, words: int) -> Iterator[Recorder]:
    """Within, a forward pass of ``fusion`` with sentences of ``words`` tokens is recorded, and computes what it always does."""
    recorder = Recorder(fusion, words)
    modules = [module for module in fusion.modules() if isinstance(module, Attention)]

    def watch(attention: Attention) -> None:
        attend = attention.attend

        def attend_and_record(
            q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, layout: Layout | None
        ) -> Tensor:
            # words and seed look at every token in either kind of attention, so this is what they see
            scores = q[:, :, -1 - words :].float() @ k.float().transpose(2, 3) * q.shape[3] ** -0.5
            if key_mask is not None:
                scores = scores.masked_fill(~key_mask, float("-inf"))
            recorder.weights.append(scores.softmax(3).mean(1))
            return attend(q, k, v, key_mask, layout)

        attention.attend = attend_and_record  # type: ignore[method-assign]

    for module in modules:
        watch(module)
    try:
        yield recorder
    finally:
        for module in modules:
            del module.attend  # the class's own again
