"""Example inputs from which static int8 learns the range of activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from restr.config import ModelConfig
from restr.errors import ConfigError
from restr.export.parity import sentences
from restr.text.tokenizer import fills_up

_LEAST = 8  # photographs
SHORTEST, LONGEST = 2, 8  # words of a sentence


def examples(config: ModelConfig, photographs: Sequence[np.ndarray]) -> Iterator[tuple[Tensor, Tensor]]:
    """A model's inputs, image (1 3 H W) and ids (1 l), for each photograph, uint8 (H W 3), with a sentence of random words.

    Raises ``ConfigError`` for too few photographs.
    """
    if len(photographs) < _LEAST:
        raise ConfigError(
            f"got {len(photographs)} photographs; int8 needs at least {_LEAST}, better 60, of the kind that the export is "
            "for, to learn how large activations become: --photo DIR"
        )
    rng = np.random.default_rng(0)
    for picture in photographs:
        count = config.language.max_words if fills_up(config) else int(rng.integers(SHORTEST, LONGEST + 1))
        ids = sentences(1, min(count, config.language.max_words), config, rng)
        yield torch.from_numpy(config.framing.prepare(picture)[None]), torch.from_numpy(ids)
