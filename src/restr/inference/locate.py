"""Finds a model (the bundled one, a folder, a file in one, a run or one of its checkpoints, or a repository of the
Hugging Face hub) and describes it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.inference.exported import FACTS, ExportManifest
from restr.model.folder import BEST, WEIGHTS, folder_hash, is_checkpoint, list_checkpoints, read_config

_BUNDLED = "restr_small"
_HUB = "hf:"  # prefix of a repository of the Hugging Face hub
_LAST = "last"  # RUN/last is the newest checkpoint of a run


def model_folder(path: str | PathLike[str] | None) -> Path:
    """The model folder of an argument of ``from_pretrained``; fetches it from the hub if necessary.

    Of a checkpoint of a run (``RUN/best.pt``, ``RUN/last``) it is the checkpoint's file, which every function that takes a
    model folder reads too: its config and words lie beside it. Raises ``WeightsError``.
    """
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
        if is_checkpoint(path):
            return path
        if path.suffix == ".pth":
            raise WeightsError(
                f"{path} is another program's checkpoint; one of the released ReSTR program becomes a model folder with "
                f"restr convert-checkpoint {path} --vocabulary FILE --out FOLDER"
            )
        raise WeightsError(
            f"{path} is not a {WEIGHTS}, not a checkpoint of a run (.pt), and not a graph that {FACTS} beside it names; pass "
            "one of them, or the folder that holds it"
        )
    if not path.is_dir():
        if path.name == _LAST and path.parent.is_dir():
            return _newest(path.parent)
        raise WeightsError(f"there is no model folder {path}; pass a folder that holds {WEIGHTS} and its config")
    return _of_run(path)


def _newest(run: Path) -> Path:
    """The newest checkpoint of a run. Raises ``WeightsError`` if it has none."""
    found = list_checkpoints(run)
    if not found:
        raise WeightsError(f"{run} holds no checkpoint (step-*.pt); pass the folder of a run, followed by /{_LAST}")
    return found[-1]


def _of_run(path: Path) -> Path:
    """The folder itself or, of a run, its model. Raises ``WeightsError`` for a run that has not saved one."""
    if (path / WEIGHTS).is_file() or (path / FACTS).is_file():
        return path
    if (path / "model" / WEIGHTS).is_file():
        return path / "model"
    checkpoints = [str(path / BEST)] if (path / BEST).is_file() else []
    if list_checkpoints(path):
        checkpoints.append(str(path / _LAST))
    if checkpoints:
        raise WeightsError(f"{path} is a run that has not saved its model yet; pass {' or '.join(checkpoints)}")
    return path


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model folder or an export folder, without its weights."""

    folder: Path
    """Where it is: a folder, or a checkpoint of a run."""

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
    """Describe what ``model_folder`` returns without loading weights. Raises ``WeightsError`` for a missing file."""
    if (folder / FACTS).is_file():
        facts = ExportManifest.read(folder)
        return ModelInfo(folder=folder, config=facts.config, exported=facts)
    return ModelInfo(folder=folder, config=read_config(folder), exported=None)


def _known_files(folder: Path) -> set[str]:
    """The files that may stand for an export folder: its graphs and ``restr.json``."""
    return {FACTS, *ExportManifest.read(folder).files.values()}
