"""Where a model is: the bundled one, a folder, a file in one, or a repository of the Hugging Face hub; and what it is."""

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
HUB = "hf:"  # before a repository of the Hugging Face hub


def model_folder(path: str | PathLike[str] | None) -> Path:
    """The folder of what ``from_pretrained`` takes, fetched first where it is on the hub. Raises ``WeightsError``."""
    if path is None:
        return Path(str(resources.files("restr") / "assets" / _BUNDLED))
    if not isinstance(path, (str, PathLike)):
        raise WeightsError(
            f"the model is {type(path).__name__} {path!r}; pass a folder's path, or none for the bundled model"
        )
    if str(path).startswith(HUB):
        from restr.model.hub import fetch_folder  # needs an extra

        return fetch_folder(str(path).removeprefix(HUB))
    path = Path(path)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise WeightsError(f"{path} cannot be a model folder ({error.strerror}); pass one") from error
    if is_file:
        if path.name == WEIGHTS or (path.parent / FACTS).is_file() and path.name in known_files(path.parent):
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
    """What a folder holds. exported: what an export says of itself, None for a model folder."""

    folder: Path
    config: ModelConfig
    exported: ExportManifest | None

    @property
    def precision(self) -> str | None:
        """An export's own, None for a model folder."""
        return self.exported.precision if self.exported else None

    @property
    def hash(self) -> str:
        """Changes with any byte of the folder's files, all of which are read for it."""
        if self.exported:
            return self.exported.hash()
        return folder_hash(self.folder)


def described(folder: Path) -> ModelInfo:
    """What a folder of ``model_folder`` holds, without its weights. Raises ``WeightsError`` where a file is missing."""
    if (folder / FACTS).is_file():
        facts = ExportManifest.read(folder)
        return ModelInfo(folder=folder, config=facts.config, exported=facts)
    return ModelInfo(folder=folder, config=read_config(folder), exported=None)


def known_files(folder: Path) -> set[str]:
    """The names that stand for an export folder: its graphs and ``restr.json``."""
    return {FACTS, *ExportManifest.read(folder).files.values()}
