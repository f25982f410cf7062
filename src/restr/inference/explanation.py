"""Which words made the mask, and where each of them looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restr.config import ModelConfig
from restr.inference.backends.base import AttentionOutput
from restr.preprocess import content_size
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING


@dataclass(frozen=True, kw_only=True, eq=False)
class WordAttention:
    """Attention inside the fusion encoder for one sentence; means over heads and blocks.

    words: l words as the model read them. seed: float32 (l), how much the class seed
    listened to each; the weights that made the classifier. patches: float32 (l h w), how much each word looked at each
    patch of the photograph (the visual-linguistic encoder). Attention is where the model looks, not proof of why it
    decides (Jain and Wallace 2019).
    """

    words: tuple[str, ...]
    seed: np.ndarray
    patches: np.ndarray

    def strongest(self) -> str:
        """The word that the class seed listened to most."""
        return self.words[int(self.seed.argmax())]

    def to_dict(self) -> dict[str, list[float] | list[str]]:
        """The words and the seed's weights in JSON's types."""
        return {"words": list(self.words), "seed": [round(float(weight), 4) for weight in self.seed]}


def explanations(
    watched: AttentionOutput,
    texts: Sequence[str],
    ids: np.ndarray,
    size: tuple[int, ...],
    config: ModelConfig,
    tokenizer: Tokenizer,
) -> list[WordAttention]:
    """The recorded attention of each sentence, without its padding and without the picture's; size: the image's (H, W)."""
    height, width = (
        -(-side // config.vision.patch)
        for side in content_size((size[0], size[1]), config.preprocess, config.vision.patch)
    )
    found = []
    for text, row, words, seed in zip(texts, ids, watched.words, watched.seed, strict=True):
        read = tuple(tokenizer.words(text)[: tokenizer.max_words])
        patches = words[row != PADDING].reshape(-1, *watched.grid)[:, :height, :width]
        found.append(WordAttention(words=read, seed=seed[row != PADDING], patches=patches))
    return found
