"""Finds a model (the bundled one, a folder, a file in one, or a repository of the Hugging Face hub) and describes
it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.inference.exported import FACTS, ExportManifest
from restr.model.folder import WEIGHTS, folder_hash, read_config

_BUNDLED = "restr_small"
_HUB = "hf:"  # prefix of a repository of the Hugging Face hub


def model_folder(path: str | PathLike[str] | None) -> Path:
    """The model folder of an argument of ``from_pretrained``; fetches it from the hub if necessary. Raises
    ``WeightsError``."""
    if path is None:
        return Path(str(resources.files("restr") / "assets" / _BUNDLED))
    if not isinstance(path, (str, PathLike)):
        raise WeightsError(
            f"the model is {type(path).__name__} {path!r}; pass a folder's path, or none for the bundled model"
        )
    if str(path).startswith(_HUB):
        from restr.model.hub import fetch_folder  # needs an extra

        return fetch_folder(str(path).removeprefix(_HUB))
    path = Path(path)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise WeightsError(f"{path} cannot be a model folder ({error.strerror}); pass one") from error
    if is_file:
        if path.name == WEIGHTS or (path.parent / FACTS).is_file() and path.name in _known_files(path.parent):
            return path.parent
        raise WeightsError(
            f"{path} is not a {WEIGHTS}, and not a graph that {FACTS} beside it names; pass one of them, or the folder "
            "that holds it"
        )
    if not path.is_dir():
        raise WeightsError(f"there is no model folder {path}; pass a folder that holds {WEIGHTS} and its config")
    return path


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model folder or an export folder, without its weights."""

    folder: Path
    """Where it is."""

    config: ModelConfig
    """The model's config."""

    exported: ExportManifest | None
    """The export's manifest; None for a model folder."""

    @property
    def precision(self) -> str | None:
        """An export's; None for a model folder."""
        return self.exported.precision if self.exported else None

    @property
    def hash(self) -> str:
        """A hash of all the folder's files, which are read for it."""
        if self.exported:
            return self.exported.hash()
        return folder_hash(self.folder)


def describe_model(folder: Path) -> ModelInfo:
    """Describe a folder of ``model_folder`` without loading weights. Raises ``WeightsError`` for a missing file."""
    if (folder / FACTS).is_file():
        facts = ExportManifest.read(folder)
        return ModelInfo(folder=folder, config=facts.config, exported=facts)
    return ModelInfo(folder=folder, config=read_config(folder), exported=None)


def _known_files(folder: Path) -> set[str]:
    """The files that may stand for an export folder: its graphs and ``restr.json``."""
    return {FACTS, *ExportManifest.read(folder).files.values()}
