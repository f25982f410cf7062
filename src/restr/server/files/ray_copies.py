"""The files of kept images where replicas are on several machines: in the memory of two actors, each with all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from typing import Any

import ray
from ray.exceptions import RayError

from restr.server.files.folder import Shelved
from restr.server.problems import Problem

logger = logging.getLogger("restr.server")

COPIES = ("images-1", "images-2")  # Ray puts them on two machines where there are two
PATIENCE = 2.0  # seconds for an answer of a few bytes
_PAUSE = 1.0  # seconds until an actor that is gone is looked for again


class RayStore:
    """The actors with the files, as a replica's ``Shelf``: one of them is enough, so a machine may be lost.

    find: an actor's handle for its name; what it raises means that there is none now. seconds: for a file to be sent.
    An actor that was replaced begins empty, and gets a file when a replica asks for it that the other one still has.
    """

    def __init__(self, find: Callable[[str], Any], *, seconds: float) -> None:
        self._find, self.seconds = find, seconds
        self._handles: dict[str, Any] = {}
        self._gone: dict[str, float] = {}  # since when
        self._lock = threading.Lock()

    def put(self, name: str, model: str, data: bytes) -> None:
        """Keep a file in every actor that answers. Raises ``Problem`` where none does."""
        file = ray.put(Shelved(model, data))
        if not any(True for _ in self._answers(COPIES, "put", name, file, seconds=self.seconds)):
            raise _silent()

    def touch(self, name: str) -> bool:
        """As ``Shelf.touch``; true as soon as one actor says so, the other one hears it too."""
        return any(self._known(self._answers(COPIES, "touch", name)))

    def holds(self, name: str) -> bool:
        """As ``Shelf.holds``; where no actor answers the file may still be there."""
        answers = [answer for _, answer in self._answers(COPIES, "holds", name)]
        return any(answers) or not answers

    def get(self, name: str) -> Shelved | None:
        """As ``Shelf.get``. An actor that has lost the file gets it again."""
        for copy in COPIES:
            for _, file in self._answers((copy,), "get", name, seconds=self.seconds):
                if file is not None:
                    others = tuple(each for each in COPIES if each != copy)
                    for other, held in self._answers(others, "holds", name):
                        if not held:
                            self._submit(other, "put", name, file)
                    return Shelved(*file)
        return None

    def remove(self, name: str) -> bool:
        """As ``Shelf.remove``. Raises ``Problem`` if an actor does not answer, which might still have the file."""
        answers = [there for _, there in self._answers(COPIES, "remove", name)]
        if len(answers) < len(COPIES):
            raise _silent()
        return any(answers)

    def trim(self) -> None:
        """Nothing to do: the actors forget by themselves what has expired."""

    def _known(self, answers: Any) -> Any:
        heard = False
        for _, answer in answers:
            heard = True
            yield answer
        if not heard:
            raise _silent()

    def _answers(self, copies: tuple[str, ...], method: str, *arguments: Any, seconds: float = PATIENCE) -> Any:
        """(actor's name, its answer) as they come, all asked at once; those that are gone or silent are left out."""
        asked = {future: copy for copy in copies if (future := self._submit(copy, method, *arguments)) is not None}
        try:
            for future in as_completed(asked, timeout=seconds):
                copy = asked[future]
                try:
                    yield copy, future.result()
                except RayError as error:
                    self._lost(copy, error)
        except TimeoutError:
            for future, copy in asked.items():
                if not future.done():
                    logger.warning("%s did not answer within %g s", copy, seconds)

    def _submit(self, copy: str, method: str, *arguments: Any) -> Future[Any] | None:
        """The answer to come, or None where there is no such actor now."""
        try:
            with self._lock:
                if copy not in self._handles:
                    if time.monotonic() < self._gone.get(copy, 0.0) + _PAUSE:
                        return None
                    self._handles[copy] = self._find(copy)
                handle = self._handles[copy]
            return getattr(handle, method).remote(*arguments).future()
        except (RayError, ValueError) as error:  # ValueError: its name is not known, as it is being replaced
            self._lost(copy, error)
            return None

    def _lost(self, copy: str, error: Exception) -> None:
        with self._lock:
            self._handles.pop(copy, None)  # its replacement has another handle
            self._gone[copy] = time.monotonic()
        logger.warning("%s is not there: %s", copy, str(error).partition("\n")[0])


def _silent() -> Problem:
    return Problem(
        "overloaded", "the files of kept images cannot be reached; ask again in a few seconds", retry_after=3
    )
