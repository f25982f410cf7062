"""The files of a model folder: their names, the config and a hash of all. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.files import hash_of_files, read_text

CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocab.txt"


def read_config(folder: str | Path) -> ModelConfig:
    """The config of a model folder. Raises ``WeightsError`` if a file of the folder is missing."""
    folder = Path(folder)
    missing = [name for name in (CONFIG, WEIGHTS, VOCABULARY) if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder} has no {' and no '.join(missing)}; a model folder holds {CONFIG}, {WEIGHTS} and {VOCABULARY}, "
            "as restr.model.weights.save_pretrained writes them"
        )
    try:
        text = read_text(folder / CONFIG)
    except (OSError, UnicodeError) as error:
        raise WeightsError(f"{folder / CONFIG} cannot be read ({error}); copy the model folder again") from error
    return ModelConfig.from_json(text)


def folder_hash(folder: str | Path) -> str:
    """Sixteen hexadecimal digits that change with any byte of a model folder's files."""
    return hash_of_files(Path(folder) / name for name in (CONFIG, WEIGHTS, VOCABULARY))
