"""The files of a model: their names, the config and a hash of all. Needs no torch.

A model is a folder, or a checkpoint of a run (``best.pt``, ``step-00001000.pt``): the run's folder holds its config, its
words, and the weights that are not trained.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.files import hash_of_files, read_text

CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocab.txt"
FROZEN = "frozen.safetensors"  # in a run's folder: the weights that its checkpoints do not have
BEST = "best.pt"  # of a run: the weights of the best evaluation
_SETTLED_NS = 3_000_000_000  # files that changed more recently may change again within the file system's clock tick
_hashing = threading.Lock()
_hashed: dict[str, Any] = {}  # of the latest model: "key" (``_look``) and "hash"


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
    """Sixteen hexadecimal digits that change with any byte of a model's files.

    A process reads unchanged files once, also when two threads ask.
    """
    paths = files_of(Path(folder))
    with _hashing:
        seen = _look(paths)
        if _hashed.get("key") != seen:
            _hashed.clear()
            found = hash_of_files(paths)
            if _look(paths) != seen or time.time_ns() - max(each[-1] for each in seen) < _SETTLED_NS:
                return found  # the files change, or may have changed unseen in the same tick of the clock
            _hashed.update(key=seen, hash=found)
        return _hashed["hash"]


def _forget() -> None:
    """In a forked process: another thread may have held the lock."""
    global _hashing
    _hashing = threading.Lock()
    _hashed.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _look(paths: Sequence[Path]) -> tuple[tuple[Any, ...], ...]:
    """What tells without reading whether files have changed; last the time of the change, which nobody can set.

    Raises ``OSError``."""
    facts = [(path, path.stat()) for path in paths]
    return tuple(
        (path.absolute(), at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns) for path, at in facts
    )
