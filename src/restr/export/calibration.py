"""Example inputs from which static int8 learns the range of activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from restr.config import ModelConfig
from restr.errors import ConfigError
from restr.export.graphs import Graph
from restr.export.parity import sentences
from restr.text.tokenizer import fills_up

_LEAST = 8  # photographs
SHORTEST, LONGEST = 2, 8  # words of a sentence


def examples(
    graph: Graph, encoder: Graph, config: ModelConfig, photographs: Sequence[np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """A graph's inputs for each photograph, uint8 (H W 3), each with a sentence of random words.

    encoder: the graph that computes ``patches``. Raises ``ConfigError`` for too few photographs.
    """
    if len(photographs) < _LEAST:
        raise ConfigError(
            f"got {len(photographs)} photographs; int8 needs at least {_LEAST}, better 60, of the kind that the export is "
            "for, to learn how large activations become: --photo DIR"
        )
    rng = np.random.default_rng(0)
    found = []
    for picture in photographs:
        inputs = {"image": config.framing.prepare(picture)[None]}
        if "patches" in graph.inputs:
            with torch.inference_mode():
                inputs["patches"] = encoder.module(torch.from_numpy(inputs["image"])).numpy()
        count = config.language.max_words if fills_up(config) else int(rng.integers(SHORTEST, LONGEST + 1))
        inputs["ids"] = sentences(1, min(count, config.language.max_words), config, rng)
        found.append({name: inputs[name] for name in graph.inputs})
    return found
