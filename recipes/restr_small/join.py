"""The parts that ``train.py`` wrote and the word table that it was given, as a model folder.

python recipes/restr_small/join.py --run runs/run --data runs/packed --out runs/small/model
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from network import WORD_TABLE, Flavour, config_of

from restr.errors import WeightsError
from restr.model.build import build_model
from restr.model.weights import dequantise, load_state, read_tensors, save_pretrained
from restr.text.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Join:
    """A run's weights, and the place of the model folder."""

    run: Path
    """Folder with model-*.safetensors."""

    data: Path = Path("runs/packed")
    """Folder of pack.py: start.safetensors and vocab.txt."""

    out: Path = Path("runs/small/model")

    flavour: Flavour = "small"
    """As train.py was told."""


def main(settings: Join) -> None:
    """Write the model folder, int8. Raises ``WeightsError`` if a part is missing."""
    parts = sorted(settings.run.glob("model-*.safetensors"))
    if not parts:
        raise WeightsError(f"{settings.run} has no model-*.safetensors; name the folder that train.py wrote")
    state = dequantise({name: value for part in parts for name, value in read_tensors(part).items()})
    start = read_tensors(settings.data / "start.safetensors")
    state |= dequantise({name: value for name, value in start.items() if name.startswith(WORD_TABLE)})
    vocabulary = Vocabulary.from_file(settings.data / "vocab.txt")
    model = build_model(config_of(settings.flavour, len(vocabulary)))
    load_state(model, {name: value.to(torch.float32) for name, value in state.items()})
    save_pretrained(model, vocabulary, settings.out, int8=True)
    print(f"{settings.out}: {sum(v.numel() for v in state.values()):,} parameters")


if __name__ == "__main__":
    main(tyro.cli(Join, description=__doc__))
