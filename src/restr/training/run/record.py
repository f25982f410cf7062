"""What a run was: its settings, its surroundings, how it ended; ``run.json`` in its folder."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from restr.errors import DataError
from restr.files import write_whole
from restr.training.run.log import read

NAME = "run.json"


def begin(folder: Path, verb: str, settings: Any, *, version: str, command: str = "") -> None:
    """Note what is about to be run, by which version of restr; of a run that goes on, when it first began is kept."""
    earlier = json.loads((folder / NAME).read_text(encoding="utf-8")) if (folder / NAME).exists() else {}
    content = {
        "verb": verb,
        "command": command,
        "begun": earlier.get("begun") or _now(),
        "settings": plain(settings),
        "restr": version,
        **surroundings(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, content)


def end(folder: Path, *, step: int, stopped: str | None, metrics: Mapping[str, float]) -> None:
    """Note how it ended, or why it stopped."""
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    content |= {"ended": _now(), "step": step, "stopped": stopped, "metrics": dict(metrics)}
    _write(folder, content)


def surroundings() -> dict[str, Any]:
    """The versions and the machine that a result depends on."""
    return {
        "git": revision(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def revision() -> str | None:
    """The commit of the source that runs, "+" behind it where that was changed; None where it is no checkout."""
    folder = Path(__file__).parents[2]  # the package
    try:
        commit, changed = (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout
            for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no", "."))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.strip() + ("+" if changed.strip() else "")


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass of settings in JSON's types."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=str))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run's folder, its record, and the last line of its log."""

    folder: Path
    record: dict[str, Any]
    last: dict[str, Any]

    @property
    def state(self) -> str:
        """In a word or two."""
        if "ended" not in self.record:
            return "running or killed"
        return f"stopped by {self.record['stopped']}" if self.record["stopped"] else "finished"


def runs(root: Path) -> list[Run]:
    """All runs at and below a folder, by when they began. Raises ``DataError`` where there are none."""
    found = []
    for path in sorted(root.rglob(NAME)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}); delete it") from error
        lines = read(path.parent / "log.jsonl")
        found.append(Run(folder=path.parent, record=record, last=lines[-1] if lines else {}))
    if not found:
        raise DataError(f"there is no run below {root}; restr train and restr finetune leave a {NAME} in their --out")
    return sorted(found, key=lambda run: run.record.get("begun", ""))


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    write_whole(folder / NAME, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
