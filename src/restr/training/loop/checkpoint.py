"""Checkpoints: everything that an exact continuation needs, in files that are either complete or absent."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from restr.config import ModelConfig
from restr.errors import CheckpointError, why_unreadable
from restr.files import atomic_path, write_atomically
from restr.model.folder import BEST, CONFIG, FROZEN, VOCABULARY, list_checkpoints
from restr.model.weights import write_tensors
from restr.text.vocabulary import Vocabulary

_logger = logging.getLogger("restr")

_FORMAT = 2  # in format 1 "random" was the state of one process, not a list of states


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint and wait until it is on disk, as older ones are deleted next.

    Raises ``CheckpointError`` if that fails (a full disk); a file that was there before is kept.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as partial, open(partial, "wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # torch's writer turns the system's error into its own
        raise CheckpointError(
            f"{path} cannot be written ({_reason(error)}); make room, or name another folder"
        ) from error


def write_parts(
    folder: Path, config: ModelConfig, words: Vocabulary, frozen: dict[str, Tensor], *, resumed: bool = False
) -> None:
    """Write what makes a model of each checkpoint of a run: the config, the words, and the weights that are not trained.

    A resumed run only writes what a run of an older version lacks; another one drops the best weights of a run that was
    killed before its first checkpoint. If the disk is full, the run continues: it does not need these files itself.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resumed:
            (folder / BEST).unlink(missing_ok=True)
        elif (folder / CONFIG).exists():
            return
        if frozen:
            write_tensors(frozen, folder / FROZEN)
        else:
            (folder / FROZEN).unlink(missing_ok=True)
        words.save(folder / VOCABULARY)
        write_atomically(folder / CONFIG, config.to_json())
    except (OSError, SafetensorError) as error:
        _logger.warning(
            "%s cannot be written (%s); training continues, but --model cannot read checkpoints", folder, error
        )


def read_best(folder: Path) -> dict[str, Any] | None:
    """The weights of a run's best evaluation; None, with a warning, if they were not written or cannot be read."""
    try:
        return load(folder / BEST)
    except CheckpointError as error:
        _logger.warning("the best weights are lost, the last ones take their place: %s", error)
        return None


def load(path: Path) -> dict[str, Any]:
    """The contents of a checkpoint on the CPU; loads tensors and plain values only, never code.

    Raises ``CheckpointError`` if the file is missing, truncated or of another format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {path}; pass the folder of a run that has saved one") from error
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError, BadZipFile... for a bad file
        raise CheckpointError(
            f"{path} cannot be read ({why_unreadable(error)}); delete it and resume from an earlier one"
        ) from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise CheckpointError(f"{path} is not a restr checkpoint of format {_FORMAT}; it may be from another version")
    return state


def path_at(folder: Path, step: int) -> Path:
    """The file of the checkpoint after ``step`` steps."""
    return folder / f"step-{step:08d}.pt"


def newest_readable(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The newest checkpoint that can be read, and its contents; newer, damaged ones are logged and renamed.

    Raises ``CheckpointError`` if there is none.
    """
    problem: CheckpointError | None = None
    for path in reversed(list_checkpoints(folder)):
        try:
            state = load(path)
        except CheckpointError as error:
            problem = problem or error
            _logger.warning("%s", error)
            continue
        for damaged in (newer for newer in list_checkpoints(folder) if newer > path):
            damaged.replace(damaged.with_name(f"damaged-{damaged.name}"))
        return path, state
    raise problem or CheckpointError(f"{folder} holds no checkpoint")


def prune(folder: Path, keep: int) -> None:
    """Delete all but the ``keep`` newest checkpoints (best.pt is never touched)."""
    for path in list_checkpoints(folder)[:-keep]:
        path.unlink(missing_ok=True)


def seed_random(seed: int) -> None:
    """Seed every global random generator that training may draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def random_state() -> dict[str, Any]:
    """The state of every global random generator that training may draw from."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # type: ignore[misc]
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": (
            name,
            torch.from_numpy(np.asarray(keys).astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what ``random_state`` returned."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    random.setstate(state["python"])
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))


def _reason(error: BaseException) -> str:
    """The system's message about a failed write, not torch's."""
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    return str(error)
