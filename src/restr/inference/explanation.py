"""Which words made the mask, and where each of them looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restr.inference.backends.base import AttentionOutput
from restr.preprocess import Framing, ImageSize
from restr.text.vocabulary import PADDING


@dataclass(frozen=True, kw_only=True, eq=False)
class WordAttention:
    """Attention inside the fusion encoder for one sentence; means over heads and blocks.

    Attention is where the model looks, not proof of why it decides (Jain and Wallace 2019).
    """

    words: tuple[str, ...]
    """The l words as the model read them."""
    seed: np.ndarray
    """float32 (l): the class seed's attention to each word; the classifier is made with these weights."""
    patches: np.ndarray
    """float32 (l h w): each word's attention to each patch of the photograph (the visual-linguistic encoder)."""

    def strongest(self) -> str:
        """The word with most of the class seed's attention."""
        return self.words[int(self.seed.argmax())]

    def to_dict(self) -> dict[str, list[float] | list[str]]:
        """The words and the seed's weights in JSON's types."""
        return {"words": list(self.words), "seed": [round(float(weight), 4) for weight in self.seed]}


def explanations(
    watched: AttentionOutput, sentences: Sequence[Sequence[str]], ids: np.ndarray, size: ImageSize, framing: Framing
) -> list[WordAttention]:
    """The recorded attention of each sentence, without padding of words and picture.

    sentences: the words of each. size: the photograph's (H, W).
    """
    rows, columns = (
        slice(side.start // framing.patch, -(-side.stop // framing.patch)) for side in framing.content(size)
    )
    found = []
    for sentence, row, words, seed in zip(sentences, ids, watched.words, watched.seed, strict=True):
        read = row != PADDING  # the end of a long sentence is not read
        patches = words[read].reshape(-1, *watched.grid)[:, rows, columns]
        found.append(WordAttention(words=tuple(sentence[: read.sum()]), seed=seed[read], patches=patches))
    return found
