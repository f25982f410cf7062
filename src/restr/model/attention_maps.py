"""Attention of the words and the class seed, recorded by hooks during an ordinary forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from restr.model.fusion import AttentionMaps, Fusion
from restr.nn.attention import Attention, Layout
from restr.nn.shapes import Bool, Float


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
    with _hooks(fusion, recorder.record):
        yield recorder


@contextmanager
def _hooks(fusion: Fusion, record: Callable[..., None]) -> Iterator[None]:
    """Call ``record`` after each attention in ``fusion``."""
    hooks = [module.register_forward_hook(record) for module in fusion.modules() if isinstance(module, Attention)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


SOURCES = ("patches", "words", "seed")  # of what the class seed attends to
_PADDING = len(SOURCES)  # a fourth source, left out of every result


class SeedAttention(NamedTuple):
    """The class seed's attention of each sentence by its source (``SOURCES``); shares that sum to 1.

    Means over heads. Padding counts as nothing, even where it is attended to.
    """

    direct: Float[Tensor, "b blocks 3"]
    """How much the seed attends to each source itself, in each block that holds the seed."""
    effective: Float[Tensor, "b 3"]
    """Where the seed's attention ends: attention rollout (Abnar and Zuidema 2020) through all blocks.

    In a block half of a token is what it was before (the residual branch) and half what it attends to. So the seed of
    CME reaches patches by way of words that have seen them.
    """
    direct_uniform: Float[Tensor, "b 3"]
    """``direct`` if every token attended to all alike; a mean over blocks."""
    effective_uniform: Float[Tensor, "b 3"]
    """``effective`` if every token attended to all alike."""


class SeedRecorder:
    """Follows patches, words and seed through the blocks of one forward pass.

    The sources go through attention in place of the values, so no matrix of all tokens by all tokens is kept, and windowed
    attention is followed exactly too.
    """

    def __init__(self, fusion: Fusion, padding: Bool[Tensor, "b l"]) -> None:
        self.fusion, self.padding = fusion, padding
        self.direct: list[Tensor] = []
        self.direct_uniform: list[Tensor] = []
        self._patches = -1  # among the tokens of the encoder that is being run
        self._reached = self._uniform = torch.empty(0)

    def shares(self) -> SeedAttention:
        """The shares of the forward pass that has run."""
        return SeedAttention(
            direct=_without_padding(torch.stack(self.direct, 1)),
            effective=_without_padding(self._reached[:, -1]),
            direct_uniform=_without_padding(torch.stack(self.direct_uniform, 1)).mean(1),
            effective_uniform=_without_padding(self._uniform[:, -1]),
        )

    def record(self, attention: Attention, inputs: tuple[Tensor, Tensor | None, Layout | None], output: Tensor) -> None:
        """A forward hook."""
        tokens, key_mask, layout = inputs
        patches = 0 if layout is None else layout.grid[0] * layout.grid[1]
        sources = self._sources(tokens, patches)
        if patches != self._patches:
            self._enter(sources, patches)
        followed = _attend(attention, tokens, key_mask, layout, torch.cat([sources, self._reached], 2))
        alike = _mean(torch.cat([sources, self._uniform], 2), key_mask)
        width = sources.shape[2]
        if tokens.shape[1] > patches + self.padding.shape[1]:  # the seed is the last token
            self.direct.append(followed[:, -1, :width])
            self.direct_uniform.append(alike[:, -1, :width])
        self._reached = (self._reached + followed[..., width:]) / 2
        self._uniform = (self._uniform + alike[..., width:]) / 2

    def _sources(self, tokens: Tensor, patches: int) -> Tensor:
        """The source of each token, one-hot (b tokens 4)."""
        b, words = self.padding.shape
        source = torch.full((b, tokens.shape[1]), SOURCES.index("seed"), device=tokens.device)
        source[:, :patches] = SOURCES.index("patches")
        source[:, patches : patches + words] = torch.where(self.padding, _PADDING, SOURCES.index("words"))
        return F.one_hot(source, _PADDING + 1).float()

    def _enter(self, sources: Tensor, patches: int) -> None:
        """An encoder begins: each token holds itself, except words that come from the encoder before."""
        reached, uniform = sources.clone(), sources.clone()
        if self._patches > 0 and self.fusion.coupled:
            words = self.padding.shape[1]
            reached[:, :words], uniform[:, :words] = self._reached[:, -words:], self._uniform[:, -words:]
        self._patches, self._reached, self._uniform = patches, reached, uniform


def _attend(
    attention: Attention, tokens: Tensor, key_mask: Tensor | None, layout: Layout | None, values: Tensor
) -> Tensor:
    """What each token takes of ``values`` (b tokens c); the mean over heads."""
    q, k, _ = attention.qkv_heads(tokens)
    q, k, heads, width = q.float(), k.float(), q.shape[1], q.shape[3]
    mixed = []
    for part in values.split(width, 2):  # values have the width of a head
        padded = F.pad(part, (0, width - part.shape[2]))[:, None].expand(-1, heads, -1, -1)
        mixed.append(attention.attend(q, k, padded, key_mask, layout).mean(1)[..., : part.shape[2]])
    return torch.cat(mixed, 2)


def _mean(values: Tensor, key_mask: Tensor | None) -> Tensor:
    """The mean over the tokens that may be attended to (b 1 c)."""
    if key_mask is None:
        return values.mean(1, keepdim=True)
    seen = key_mask[:, 0, 0, :, None].float()
    return (values * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True)


def _without_padding(shares: Tensor) -> Tensor:
    """Shares of four sources -> of ``SOURCES``, which sum to 1."""
    return shares[..., :_PADDING] / shares[..., :_PADDING].sum(-1, keepdim=True)


@contextmanager
def record_seed_attention(fusion: Fusion, padding: Bool[Tensor, "b l"]) -> Iterator[SeedRecorder]:
    """Record one forward pass of ``fusion``, in eval mode, with this padding (True = padding)."""
    recorder = SeedRecorder(fusion, padding)
    with _hooks(fusion, recorder.record):
        yield recorder


class MeanSeedAttention:
    """The mean of ``SeedAttention`` over sentences, batch by batch."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self.n = 0

    def update(self, shares: SeedAttention) -> None:
        """Count a batch."""
        columns = {"direct": shares.direct.mean(1), "direct_uniform": shares.direct_uniform}
        columns |= {"effective": shares.effective, "effective_uniform": shares.effective_uniform}
        columns |= {f"direct_block{block + 1}": each for block, each in enumerate(shares.direct.unbind(1))}
        self.n += len(shares.effective)
        for name, column in columns.items():
            for source, total in zip(SOURCES, column.double().sum(0).tolist(), strict=True):
                key = f"seed_{name}_{source}"
                self._sums[key] = self._sums.get(key, 0.0) + total

    def compute(self) -> dict[str, float]:
        """The means: "seed_direct_patches", "seed_effective_uniform_words", "seed_direct_block1_seed" and so on.

        Empty without sentences.
        """
        return {name: total / self.n for name, total in self._sums.items()}
