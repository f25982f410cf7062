"""Opens a model folder or an export in a runtime."""

from __future__ import annotations

import logging
import os
import sys
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from restr.errors import ConfigError, RestrError
from restr.inference.backends.base import Backend
from restr.inference.backends.fast_backend import FastBackend
from restr.inference.backends.opening import BACKENDS, open_exported
from restr.inference.exported import FACTS, ExportManifest
from restr.inference.fastest.kept import PACKAGES, find_choice, find_fastest
from restr.inference.locate import model_folder
from restr.model.folder import VOCABULARY, folder_hash, is_checkpoint
from restr.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from restr.model.restr import ReSTR

_logger = logging.getLogger("restr")

BACKEND_VARIABLE = "RESTR_BACKEND"
_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # on Linux, one of them is there if a GPU can compute


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
    if backend == "auto":
        backend = default_backend()
    if backend == "auto" or backend in PACKAGES:
        fastest = _open_fastest(folder, device=device, backend=backend, precision=precision, threads=threads)
        if fastest is not None:
            return fastest, Vocabulary.from_file(folder / VOCABULARY, fastest.config.language)
    if backend not in ("auto", "own", "torch"):
        raise ConfigError(
            f"backend is {backend!r}, but {folder} is a model folder, which torch runs; export it first: "
            f"restr export {folder} --to {backend}"
        )
    return _load_model(folder, threads)


def resolve_runtime(path: str | PathLike[str] | None, *, device: str, backend: str, precision: str) -> tuple[str, str]:
    """(backend, precision) that "auto" means here and now, by name: with them a long run stays in one runtime.

    An export's stay as they are, since it has only one. Raises ``WeightsError`` and ``ConfigError``.
    """
    folder = model_folder(path)
    if (folder / FACTS).is_file():
        return backend, precision
    if backend == "auto":
        backend = default_backend()
    if backend == "auto" or backend in PACKAGES:
        facts, in_bf16 = _kept_here(folder, device=device, backend=backend, precision=precision)
        if facts is not None:
            return facts.target, facts.precision
        precision = "bf16" if in_bf16 else precision
    named = "torch" if backend in ("auto", "own") else backend
    return named, "fp32" if precision == "auto" and named == "torch" else precision


def default_backend() -> str:
    """What "auto" means for a model folder: ``$RESTR_BACKEND`` if it is set. Raises ``ConfigError`` for an unknown one."""
    chosen = os.environ.get(BACKEND_VARIABLE) or "auto"
    if chosen not in BACKENDS:
        raise ConfigError(f"{BACKEND_VARIABLE} is {chosen!r}; choose one of {', '.join(BACKENDS)}, or unset it")
    return chosen


def runs_on_processor(device: str) -> bool:
    """Whether a device's name leads to the processor here, the only place for kept exports; loads torch only if in doubt."""
    if device != "auto":
        return device == "cpu"
    if sys.platform.startswith("linux") and not any(os.path.exists(path) for path in _GPU_FILES):
        return True
    try:
        import torch
    except ModuleNotFoundError:
        return True
    return not torch.cuda.is_available()


def _open_fastest(folder: Path, *, device: str, backend: str, precision: str, threads: int) -> Backend | None:
    """The kept export of a model that is the fastest runtime here, or PyTorch in bfloat16 if that is; None for PyTorch in
    fp32, and if nothing is kept."""
    try:
        facts, in_bf16 = _kept_here(folder, device=device, backend=backend, precision=precision)
        if facts is None:
            return _in_bf16(folder, threads) if in_bf16 else None
        runtime = open_exported(facts, device="cpu", threads=threads)
    except (OSError, RestrError) as error:  # a file of the model is missing, which loading it will say better
        _logger.debug("no kept export of %s is used: %s", folder, error)
        return None
    _logger.info(
        "%s runs in %s %s, the fastest here: restr doctor shows the table", folder, runtime.name, runtime.precision
    )
    return FastBackend(runtime, folder)


def _kept_here(folder: Path, *, device: str, backend: str, precision: str) -> tuple[ExportManifest | None, bool]:
    """(the kept export that is the fastest runtime here, or None for PyTorch; whether PyTorch is to take bfloat16).

    A checkpoint of a run is always PyTorch's in fp32: it changes while the run goes on.
    """
    if is_checkpoint(folder) or precision not in ("auto", "fp32", "int8") or not runs_on_processor(device):
        return None, False
    weights = folder_hash(folder)
    choice = find_choice(weights)
    facts = find_fastest(weights, choice, backend=backend, precision=precision)
    return facts, facts is None and backend == precision == "auto" and choice is not None and choice.is_bf16


def _in_bf16(folder: Path, threads: int) -> Backend:
    """A model folder in PyTorch, with matrix products in bfloat16."""
    from restr.inference.backends.torch_backend import TorchBackend

    return TorchBackend(_load_model(folder, threads)[0], device="cpu", precision="bf16")


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
