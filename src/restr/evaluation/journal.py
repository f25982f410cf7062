"""What an unfinished evaluation has measured so far, on disk: a line an image, so that a stopped run can go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from restr.errors import DataError
from restr.evaluation.evaluate import Record
from restr.files import write_whole

NAME = "unfinished.jsonl"


class Journal:
    """Records by image number. The file's first line are the facts that they depend on; half a last line, of a process
    that was killed while it wrote, is cut off."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Open a folder's journal, or begin one. Raises ``DataError`` where it is of other facts."""
        self.path = folder / NAME
        self.done: dict[int, list[Record]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        head = json.dumps(facts, ensure_ascii=False)
        lines = [head, *self._read(json.loads(head))]
        write_whole(self.path, "".join(line + "\n" for line in lines))
        self._file: TextIO = self.path.open("a", encoding="utf-8")

    def add(self, image: int, records: Sequence[Record]) -> None:
        """Note an image's records; they are there when this returns, whatever happens to this process."""
        self.done[image] = list(records)
        line = {"image": image, "records": [asdict(record) for record in records]}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Leave the file for the next run."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file; the report holds everything now."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _read(self, facts: dict[str, Any]) -> list[str]:
        """The whole lines after the first, their records in ``done``."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")[
            :-1
        ]  # what follows the last line's end is half a line
        if not lines:
            return []
        try:
            known = json.loads(lines[0])
            for line in lines[1:]:
                content = json.loads(line)
                self.done[content["image"]] = [Record(**record) for record in content["records"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} is damaged ({error}); delete it to measure from the start") from error
        refuse_others(known, facts, f"{self.path} is of an unfinished evaluation")
        return lines[1:]


def refuse_others(known: Mapping[str, Any], asked: Mapping[str, Any], what: str) -> None:
    """Raises ``DataError`` where facts on disk are not those asked for. what: the beginning of its sentence."""
    differing = sorted(name for name in known.keys() | asked.keys() if known.get(name) != asked.get(name))
    if differing:
        name = differing[0]
        raise DataError(
            f"{what} with {name} {known.get(name)!r}, not {asked.get(name)!r}; give the same settings to go on, name another "
            "folder, or delete it"
        )
