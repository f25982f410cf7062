"""The journal of an unfinished evaluation, a line for each image, from which an interrupted run resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from restr.errors import DataError
from restr.evaluation.evaluate import Record
from restr.facts import refuse_other_facts
from restr.files import write_atomically

JOURNAL_FILE = "unfinished.jsonl"


class Journal:
    """Records by image number, in a file whose first line holds the facts that they depend on.

    An incomplete last line, from a process killed while writing, is cut off.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Open a folder's journal, or begin one. Raises ``DataError`` if it depends on other facts."""
        self.path = folder / JOURNAL_FILE
        self.done: dict[int, list[Record]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        head = json.dumps(facts, ensure_ascii=False)
        lines = [head, *self._read(json.loads(head))]
        write_atomically(self.path, "".join(line + "\n" for line in lines))
        self._file: TextIO = self.path.open("a", encoding="utf-8")

    def add(self, image: int, records: Sequence[Record]) -> None:
        """Write an image's records; they survive the end of this process."""
        self.done[image] = list(records)
        line = {"image": image, "records": [asdict(record) for record in records]}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file, for the next run."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file, once the report is written."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _read(self, facts: dict[str, Any]) -> list[str]:
        """The complete lines after the first; their records go to ``done``."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]  # without an incomplete line
        if not lines:
            return []
        try:
            known = json.loads(lines[0])
            for line in lines[1:]:
                content = json.loads(line)
                self.done[content["image"]] = [Record(**record) for record in content["records"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.path} is damaged ({error}); delete it to measure from the start") from error
        refuse_other_facts(known, facts, f"{self.path} is of an unfinished evaluation")
        return lines[1:]
