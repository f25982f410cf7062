"""Finished perturbations on disk, from which an interrupted run resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from restr.errors import DataError
from restr.evaluation.evaluate import Record
from restr.evaluation.robustness.perturbations import PERTURBATIONS
from restr.facts import keep_facts
from restr.files import write_atomically


class Measured:
    """A folder's finished perturbations: a file of records each, and the facts that all of them depend on."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Open or begin one. Raises ``DataError`` if the folder has other facts."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        keep_facts(folder / "facts.json", facts, f"{folder} holds measurements")

    def names(self) -> list[str]:
        """The finished perturbations, in the order of ``PERTURBATIONS``, without ``CLEAN``."""
        return [name for name in PERTURBATIONS if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether a perturbation, or ``CLEAN``, is finished."""
        return self._path(name).exists()

    def read(self, name: str) -> list[Record] | None:
        """The records of a perturbation; None if it is not finished."""
        if not self.has(name):
            return None
        try:
            return [Record(**record) for record in _read(self._path(name))["records"]]
        except (KeyError, TypeError) as error:
            raise DataError(f"{self._path(name)} is damaged ({error}); delete it to measure it again") from error

    def write(self, name: str, records: Sequence[Record]) -> None:
        """Keep the records of a finished perturbation."""
        content = {"records": [asdict(record) for record in records]}
        write_atomically(self._path(name), json.dumps(content, ensure_ascii=False) + "\n")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); delete it to measure it again") from error
