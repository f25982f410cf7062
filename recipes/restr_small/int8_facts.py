"""What int8 must know of a model's activations, from training photographs, written beside the weights.

    python recipes/restr_small/int8_facts.py --photos DATA/photos --model src/restr/assets/restr_small

Then ``restr export --to openvino --int8 --model MODEL`` needs no photographs. The file holds a number per channel, no picture, and the
hash of the weights: make it again for others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from restr.data.photos import PhotoSet
from restr.evaluation.datasets import PhotoExpressions
from restr.export.activations import record_inputs, save_int8_facts
from restr.export.rewriting import for_runtimes
from restr.grammar.scene import Scene
from restr.model.weights import load_pretrained
from restr.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Int8Facts:
    """Record the inputs of a model's matrix products."""

    photos: Path
    """Folder with images/ and instances.json; photographs of the split train are used."""

    model: Path
    """The model folder, into which the file is written."""

    n: int = 32
    """Photographs, and generated sentences about them."""

    seed: int = 7
    """Draws the photographs."""


class Drawn:
    """Some photographs of a set."""

    def __init__(self, photos: PhotoSet, n: int, seed: int) -> None:
        self.photos, self.root = photos, photos.root
        self.chosen = np.random.default_rng(seed).permutation(len(photos))[:n]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Scene:
        return self.photos[int(self.chosen[index])]


def main(settings: Int8Facts) -> Path:
    """Record and save."""
    model, vocabulary = load_pretrained(settings.model)
    tokenize, framing = Tokenizer.of(vocabulary, model.config), model.config.framing
    samples = PhotoExpressions(Drawn(PhotoSet(settings.photos, "train"), settings.n, settings.seed), settings.n)

    def examples() -> Iterator[tuple[Tensor, Tensor]]:
        for sample in samples:
            image = torch.from_numpy(framing.prepare(sample.image)[None])
            yield image, torch.from_numpy(tokenize([sample.text]))

    return save_int8_facts(record_inputs(for_runtimes(model.eval()), examples()), settings.model)


if __name__ == "__main__":
    print(main(tyro.cli(Int8Facts, description=__doc__)))
