"""The files of a model: their names, the config and a hash of all. Needs no torch.

A model is a folder, or a checkpoint of a run (``best.pt``, ``step-00001000.pt``): the run's folder holds its config, its
words, and the weights that are not trained.
"""

from __future__ import annotations

from pathlib import Path

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.files import hash_of_files, read_text

CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocab.txt"
FROZEN = "frozen.safetensors"  # in a run's folder: the weights that its checkpoints do not have
BEST = "best.pt"  # of a run: the weights of the best evaluation


def list_checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run's folder, oldest first; without ``BEST``."""
    return sorted(run.glob("step-*.pt"))


def is_checkpoint(place: Path) -> bool:
    """Whether a place is a checkpoint of a run and not a model folder."""
    return place.suffix == ".pt"


def folder_of(place: Path) -> Path:
    """The folder of a model's config and words."""
    return place.parent if is_checkpoint(place) else place


def files_of(place: Path) -> list[Path]:
    """The files that make a model."""
    if not is_checkpoint(place):
        return [place / name for name in (CONFIG, WEIGHTS, VOCABULARY)]
    frozen = place.parent / FROZEN
    return [place.parent / CONFIG, place, place.parent / VOCABULARY, *([frozen] if frozen.is_file() else [])]


def read_config(folder: str | Path) -> ModelConfig:
    """The config of a model, a folder or a checkpoint. Raises ``WeightsError`` if a file is missing."""
    place = Path(folder)
    missing = [path.name for path in files_of(place) if not path.is_file()]
    folder = folder_of(place)
    if missing and is_checkpoint(place):
        raise WeightsError(
            f"{place} is no model without {' and '.join(missing)} beside it; a run's folder holds them since version 0.2.0: "
            f"resume the run, which writes them, or take {folder / 'model'}; a checkpoint of the released ReSTR program needs restr "
            "convert-checkpoint first"
        )
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
    """Sixteen hexadecimal digits that change with any byte of a model's files."""
    return hash_of_files(files_of(Path(folder)))
