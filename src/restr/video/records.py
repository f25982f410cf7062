"""What is known of a video's masks while they are made: a file of lines for each sentence, and where to resume."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from restr.errors import OutputError
from restr.files import atomic_path
from restr.inference.result import Result

_STATE = "state.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """Where a run stood behind a computed frame."""

    index: int
    """The frame's number; -1 before the first."""
    time: float
    offsets: list[int]
    """Bytes of each file of masks."""
    results: list[Result]
    finished: bool = False


class MaskRecords:
    """The masks of a clip, as files in a folder that an interrupted run leaves behind and the next one resumes from.

    A line is ``Result.to_dict`` of a frame, with ``frame``, ``time`` and whether it was ``computed``. One process at a time
    may have the folder.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        self.folder, self._texts = folder, list(texts)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / "lock")
            self._files: list[BinaryIO] = [open(path, "ab") for path in self.paths]
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{folder} takes no files ({error.strerror}); choose another folder with --out"
            ) from error
        self._place = self._read_place()
        self._written = self._place.index + 1
        for file, offset in zip(self._files, self._place.offsets, strict=True):
            file.truncate(offset)
            file.seek(offset)

    @property
    def paths(self) -> list[Path]:
        """The file of each text."""
        return [self.folder / f"masks-{number}.jsonl" for number in range(len(self._texts))]

    @property
    def finished(self) -> bool:
        """Whether all frames are there."""
        return self._place.finished

    @property
    def frames(self) -> int:
        """How many frames are there, and stay if the run ends here."""
        return self._place.index + 1

    @property
    def time(self) -> float:
        """The time of the last of them."""
        return self._place.time

    @property
    def results(self) -> list[Result]:
        """The smoothed results of the last of them; empty if there is none."""
        return self._place.results

    def add(self, index: int, time: float, results: Sequence[Result], *, computed: bool) -> None:
        """Write the lines of a frame."""
        rows = [mask_row(index, time, result, computed=computed) for result in results]
        for file, row in zip(self._files, rows, strict=True):
            file.write(json.dumps(row).encode() + b"\n")
        self._written = index + 1
        if computed:
            offsets = [file.tell() for file in self._files]
            self._place = _Place(index=index, time=time, offsets=offsets, results=list(results))

    def keep(self, *, finished: bool = False) -> None:
        """Let a later run resume behind the last computed frame or, if all are there, with what follows."""
        if not self._place.results:
            return
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        if finished:
            offsets = [file.tell() for file in self._files]
            self._place = replace(self._place, index=self._written - 1, offsets=offsets, finished=True)
        place = self._place
        scores = [[result.score, np.nan if result.presence is None else result.presence] for result in place.results]
        limits = [[result.threshold, result.least_presence] for result in place.results]
        with atomic_path(self.folder / _STATE) as partial, partial.open("wb") as file:
            np.savez(
                file,
                place=np.array([place.index, place.time]),
                offsets=place.offsets,
                prob=np.stack([result.prob for result in place.results]),
                numbers=np.hstack([scores, limits]),
                finished=place.finished,
            )

    def rows(self, number: int) -> Iterator[dict[str, Any]]:
        """The lines of a text."""
        self._files[number].flush()
        with self.paths[number].open("rb") as file:
            for line in file:
                yield json.loads(line)

    def start_over(self) -> None:
        """Forget everything."""
        self._place, self._written = self._nothing(), 0
        (self.folder / _STATE).unlink(missing_ok=True)
        for file in self._files:
            file.truncate(0)
            file.seek(0)

    def close(self) -> None:
        """Close the files, which stay."""
        for file in self._files:
            file.close()
        self._lock.close()

    def remove(self) -> None:
        """Close and delete the folder, once nothing in it is needed any more."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _nothing(self) -> _Place:
        return _Place(index=-1, time=0.0, offsets=[0] * len(self._texts), results=[])

    def _read_place(self) -> _Place:
        """Where an earlier run stood; the beginning, if there was none or its files are not whole."""
        try:
            with np.load(self.folder / _STATE) as state:
                index, time = state["place"].tolist()
                offsets = [int(offset) for offset in state["offsets"]]
                finished = bool(state["finished"])
                results = [
                    _restored(text, prob, *numbers.tolist())
                    for text, prob, numbers in zip(self._texts, state["prob"], state["numbers"], strict=True)
                ]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return self._nothing()
        if any(path.stat().st_size < offset for path, offset in zip(self.paths, offsets, strict=True)):
            return self._nothing()
        return _Place(index=int(index), time=time, offsets=offsets, results=results, finished=finished)


def mask_row(index: int, time: float, result: Result, *, computed: bool) -> dict[str, Any]:
    """A result as a line of the file of masks."""
    return {"frame": index, "time": round(time, 6), "computed": computed, **result.to_dict()}


def _restored(text: str, prob: np.ndarray, score: float, presence: float, threshold: float, least: float) -> Result:
    """A result as it was, but for its picture."""
    return Result(
        image=np.broadcast_to(np.uint8(0), (*prob.shape, 3)),
        text=text,
        prob=prob,
        threshold=threshold,
        presence=None if np.isnan(presence) else presence,
        least_presence=least,
        known_score=score,
    )


def _locked(path: Path) -> BinaryIO:
    """An open file that only one process has. Raises ``OutputError``."""
    file = path.open("ab")
    try:
        import fcntl
    except ImportError:  # Windows has none: there two runs of one command are the user's to avoid
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OutputError(f"{path.parent} is in use by another run of the same command; wait for it") from error
    return file
