"""The record of a run, ``run.json`` in its folder: settings, environment, result."""

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
from restr.files import write_atomically
from restr.training.run.log import read

RECORD_FILE = "run.json"


def begin(folder: Path, verb: str, settings: Any, *, version: str, command: str = "") -> None:
    """Write the record at the start of a run; a resumed run keeps the time of its first start."""
    earlier = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")) if (folder / RECORD_FILE).exists() else {}
    content = {
        "verb": verb,
        "command": command,
        "begun": earlier.get("begun") or _now(),
        "settings": to_json(settings),
        "restr": version,
        **environment(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, content)


def end(
    folder: Path,
    *,
    step: int,
    stopped: str | None,
    metrics: Mapping[str, float],
    model_step: int | None = None,
    best_by: str | None = None,
) -> None:
    """Add the result to the record, or why the run stopped.

    model_step: the step whose weights are the model; ``metrics`` are theirs. best_by: the metric that chose them.
    """
    content = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    content |= {"ended": _now(), "step": step, "stopped": stopped, "metrics": dict(metrics)}
    content["model"] = None if model_step is None else {"step": model_step, "best_by": best_by}
    _write(folder, content)


def environment() -> dict[str, Any]:
    """The versions and the machine that a result depends on."""
    return {
        "git": revision(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def revision() -> str | None:
    """The git commit of the running source, followed by "+" if files have changed; None if it is not a checkout."""
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


def to_json(settings: Any) -> dict[str, Any]:
    """A dataclass of settings as values that JSON has."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=str))


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, with dotted names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run on disk."""

    folder: Path
    """Its folder."""

    record: dict[str, Any]
    """The contents of run.json."""

    last: dict[str, Any]
    """The last line of its log; empty if there is none."""

    @property
    def state(self) -> str:
        """Whether it finished, stopped (and why), or neither."""
        if "ended" not in self.record:
            return "running or killed"
        return f"stopped by {self.record['stopped']}" if self.record["stopped"] else "finished"


def find_runs(root: Path) -> list[Run]:
    """All runs in a folder and below it, by their start. Raises ``DataError`` if there are none."""
    found = []
    for path in sorted(root.rglob(RECORD_FILE)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}); delete it") from error
        lines = read(path.parent / "log.jsonl")
        found.append(Run(folder=path.parent, record=record, last=lines[-1] if lines else {}))
    if not found:
        raise DataError(
            f"there is no run below {root}; restr train and restr finetune leave a {RECORD_FILE} in their --out"
        )
    return sorted(found, key=lambda run: run.record.get("begun", ""))


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    write_atomically(folder / RECORD_FILE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
