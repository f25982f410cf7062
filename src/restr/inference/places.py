"""Where a model is: the bundled one, a folder, a file in one, or a repository of the Hugging Face hub."""

from __future__ import annotations

from importlib import resources
from os import PathLike
from pathlib import Path

from restr.errors import WeightsError
from restr.inference.exported import FACTS, Exported
from restr.model.names import WEIGHTS

BUNDLED = "restr_small"
HUB = "hf:"  # before a repository of the Hugging Face hub


def model_folder(path: str | PathLike[str] | None) -> Path:
    """The folder of what ``from_pretrained`` takes, fetched first where it is on the hub. Raises ``WeightsError``."""
    if path is None:
        return Path(str(resources.files("restr") / "assets" / BUNDLED))
    if str(path).startswith(HUB):
        from restr.model.hub import fetch_folder  # needs an extra

        return fetch_folder(str(path).removeprefix(HUB))
    path = Path(path)
    if path.is_file():
        if path.name == WEIGHTS or (path.parent / FACTS).is_file() and path.name in known_files(path.parent):
            return path.parent
        raise WeightsError(
            f"{path} is not a {WEIGHTS}, and not a graph that {FACTS} beside it names; pass one of them, or the folder "
            "that holds it"
        )
    if not path.is_dir():
        raise WeightsError(f"there is no model folder {path}; pass a folder that holds {WEIGHTS} and its config")
    return path


def known_files(folder: Path) -> set[str]:
    """The names that stand for an export folder: its graphs and ``restr.json``."""
    return {FACTS, *Exported.read(folder).files.values()}
