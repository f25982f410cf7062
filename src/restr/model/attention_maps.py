"""Attention of the words and the class seed, recorded by hooks during an ordinary forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from restr.model.fusion import AttentionMaps, Fusion
from restr.nn.attention import Attention, Layout


class Recorder:
    """The attention weights (b m tokens) of the last m tokens in each block that has run."""

    def __init__(self, fusion: Fusion, words: int) -> None:
        self.fusion, self.words = fusion, words
        self.weights: list[Tensor] = []

    def maps(self) -> AttentionMaps:
        """The maps of one forward pass through the fusion encoder."""
        return self.fusion.attention_maps(self.weights, self.words)

    def record(self, attention: Attention, inputs: tuple[Tensor, Tensor | None, Layout | None], output: Tensor) -> None:
        """A forward hook. Words and seed attend to every token, in full and in windowed attention, so this is exact."""
        tokens, key_mask, _ = inputs
        q, k, _ = attention.qkv_heads(tokens)
        scores = q[:, :, -1 - self.words :].float() @ k.float().transpose(2, 3) * q.shape[3] ** -0.5
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask, float("-inf"))
        self.weights.append(scores.softmax(3).mean(1))


@contextmanager
def record_attention(fusion: Fusion, words: int) -> Iterator[Recorder]:
    """Record forward passes of ``fusion`` with sentences of ``words`` tokens; their results stay the same."""
    recorder = Recorder(fusion, words)
    hooks = [
        module.register_forward_hook(recorder.record) for module in fusion.modules() if isinstance(module, Attention)
    ]
    try:
        yield recorder
    finally:
        for hook in hooks:
            hook.remove()
