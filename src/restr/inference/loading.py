"""Opens a model folder or an export in a runtime."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from restr.errors import ConfigError
from restr.inference.backends.base import Backend
from restr.inference.backends.opening import BACKENDS, open_exported
from restr.inference.exported import FACTS, ExportManifest
from restr.inference.locate import model_folder
from restr.model.folder import VOCABULARY
from restr.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from restr.model.restr import ReSTR


def load_runnable(
    path: str | PathLike[str] | None, *, device: str, backend: str, precision: str, threads: int
) -> tuple[ReSTR | Backend, Vocabulary]:
    """A PyTorch model, or the backend of an export, and its vocabulary; see ``Segmenter.from_pretrained``."""
    if backend not in BACKENDS:
        raise ConfigError(f"backend is {backend!r}; choose one of {', '.join(BACKENDS)}")
    folder = model_folder(path)
    if (folder / FACTS).is_file():
        facts = ExportManifest.read(folder)
        runtime = open_exported(facts, device=device, backend=backend, precision=precision, threads=threads)
        return runtime, Vocabulary.from_file(folder / VOCABULARY, facts.config.language)
    if backend not in ("auto", "torch"):
        raise ConfigError(
            f"backend is {backend!r}, but {folder} is a model folder, which torch runs; export it first: "
            f"restr export {folder} --to {backend}"
        )
    return _load_model(folder, threads)


def _load_model(folder: Path, threads: int) -> tuple[ReSTR, Vocabulary]:
    """A model folder in PyTorch. threads: 0 leaves PyTorch's number."""
    try:
        import torch

        from restr.model.weights import load_pretrained
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed, and {folder} is a model folder; install torch, or pass what "
            "restr export wrote"
        ) from error
    if threads:
        torch.set_num_threads(threads)
    return load_pretrained(folder)
