"""The files of kept images for replicas on several machines: in the memory of two Ray actors, each with all files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, as_completed
from typing import Any

import ray
from ray.exceptions import RayError

from restr.server.files.store import StoredFile
from restr.server.problems import Problem

_logger = logging.getLogger("restr.server")

ACTORS = ("images-1", "images-2")  # Ray places them on two machines, if there are two
_ANSWER_S = 2.0  # seconds for an answer of a few bytes
_RETRY_S = 1.0  # seconds until a lost actor is looked for again


class RayStore:
    """A ``FileStore`` of two actors, each a ``MemoryStore`` with all files; one of them is enough, so a machine may be lost.

    find: an actor's handle by its name; raises if there is none now. seconds: for sending a file. A replaced actor begins
    empty. It gets a file from the other one as soon as a replica asks for that file.
    """

    def __init__(self, find: Callable[[str], Any], *, seconds: float) -> None:
        self._find, self.seconds = find, seconds
        self._handles: dict[str, Any] = {}
        self._lost_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def put(self, name: str, file: StoredFile) -> None:
        """As ``FileStore.put``, in every actor that answers. Raises ``Problem`` if none does."""
        reference = ray.put(file)  # sent once, not once per actor
        if not any(True for _ in self._answers(ACTORS, "put", name, reference, seconds=self.seconds)):
            raise _unreachable()

    def touch(self, name: str) -> bool:
        """As ``FileStore.touch``; true as soon as one actor says so. Both are told. Raises ``Problem`` if none answers."""
        return any(_at_least_one(self._answers(ACTORS, "touch", name)))

    def holds(self, name: str) -> bool:
        """As ``FileStore.holds``; true if no actor answers, as the file may still exist."""
        answers = [answer for _, answer in self._answers(ACTORS, "holds", name)]
        return any(answers) or not answers

    def get(self, name: str) -> StoredFile | None:
        """As ``FileStore.get``. An actor that has lost the file gets it again."""
        for actor in ACTORS:
            for _, file in self._answers((actor,), "get", name, seconds=self.seconds):
                if file is not None:
                    others = tuple(each for each in ACTORS if each != actor)
                    for other, held in self._answers(others, "holds", name):
                        if not held:
                            self._submit(other, "put", name, file)
                    return StoredFile(*file)
        return None

    def remove(self, name: str) -> bool:
        """As ``FileStore.remove``. Raises ``Problem`` unless both actors answer, as a silent one may still have the file."""
        answers = [existed for _, existed in self._answers(ACTORS, "remove", name)]
        if len(answers) < len(ACTORS):
            raise _unreachable()
        return any(answers)

    def trim(self) -> None:
        """Nothing to do: the actors evict expired files by themselves."""

    def _answers(
        self, actors: Iterable[str], method: str, *arguments: Any, seconds: float = _ANSWER_S
    ) -> Iterator[tuple[str, Any]]:
        """(actor's name, its answer) as they come; all are asked at once. Lost and silent actors are left out."""
        futures = {future: actor for actor in actors if (future := self._submit(actor, method, *arguments)) is not None}
        try:
            for future in as_completed(futures, timeout=seconds):
                actor = futures[future]
                try:
                    yield actor, future.result()
                except RayError as error:
                    self._lost(actor, error)
        except TimeoutError:
            for future, actor in futures.items():
                if not future.done():
                    _logger.warning("%s did not answer within %g s", actor, seconds)

    def _submit(self, actor: str, method: str, *arguments: Any) -> Future[Any] | None:
        """The answer to come, or None if the actor is lost."""
        try:
            with self._lock:
                if actor not in self._handles:
                    if time.monotonic() < self._lost_at.get(actor, 0.0) + _RETRY_S:
                        return None
                    self._handles[actor] = self._find(actor)
                handle = self._handles[actor]
            return getattr(handle, method).remote(*arguments).future()
        except (RayError, ValueError) as error:  # ValueError: the name is unknown while the actor is being replaced
            self._lost(actor, error)
            return None

    def _lost(self, actor: str, error: Exception) -> None:
        with self._lock:
            self._handles.pop(actor, None)  # its replacement has another handle
            self._lost_at[actor] = time.monotonic()
        _logger.warning("%s is not there: %s", actor, str(error).partition("\n")[0])


def _at_least_one(answers: Iterable[tuple[str, Any]]) -> Iterator[Any]:
    """The answers without the actors' names. Raises ``Problem`` if there is none."""
    answered = False
    for _, answer in answers:
        answered = True
        yield answer
    if not answered:
        raise _unreachable()


def _unreachable() -> Problem:
    return Problem(
        "overloaded", "the files of kept images cannot be reached; ask again in a few seconds", retry_after=3
    )
