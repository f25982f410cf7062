"""Every ``FileStore`` keeps, finds and removes files alike; the one of Ray also when an actor is lost."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from restr.server.files.folder import FolderStore
from restr.server.files.memory import MemoryStore
from restr.server.files.store import FileStore, StoredFile
from restr.server.problems import Problem

FILE = StoredFile("tiny", b"one\ntwo")


class FakeActor:
    """An actor's handle around a store in this process; ``lost`` makes its calls fail."""

    def __init__(self) -> None:
        self.store, self.lost = MemoryStore(most=100, seconds=10), False

    def __getattr__(self, method: str) -> Any:
        def remote(*arguments: Any) -> Any:
            future: Future[Any] = Future()
            if self.lost:
                future.set_exception(sys.modules["ray.exceptions"].RayError("gone"))
            else:
                future.set_result(getattr(self.store, method)(*arguments))
            return SimpleNamespace(future=lambda: future)

        return SimpleNamespace(remote=remote)


@pytest.fixture
def actors(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, FakeActor]]:
    """Two actors, and as much of Ray as ``RayStore`` uses; Ray itself need not be installed."""
    ray, exceptions = ModuleType("ray"), ModuleType("ray.exceptions")
    ray.put = lambda value: value  # type: ignore[attr-defined]
    exceptions.RayError = type("RayError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    monkeypatch.delitem(sys.modules, "restr.server.files.ray_store", raising=False)
    yield {"images-1": FakeActor(), "images-2": FakeActor()}
    sys.modules.pop("restr.server.files.ray_store", None)


@pytest.fixture
def ray_store(actors: dict[str, FakeActor]) -> FileStore:
    module = importlib.import_module("restr.server.files.ray_store")
    return module.RayStore(actors.__getitem__, seconds=1.0)


def folder_store(request: pytest.FixtureRequest) -> FileStore:
    return FolderStore(request.getfixturevalue("tmp_path"), most=100, seconds=10)


def memory_store(request: pytest.FixtureRequest) -> FileStore:
    return MemoryStore(most=100, seconds=10)


def store_of_actors(request: pytest.FixtureRequest) -> FileStore:
    return request.getfixturevalue("ray_store")


@pytest.mark.parametrize("make", [folder_store, memory_store, store_of_actors])
def test_a_file_is_kept_found_and_removed(
    make: Callable[[pytest.FixtureRequest], FileStore], request: pytest.FixtureRequest
) -> None:
    store = make(request)
    assert not store.touch("a") and not store.holds("a") and store.get("a") is None and not store.remove("a")
    store.put("a", FILE)
    assert store.touch("a") and store.holds("a") and store.get("a") == FILE
    store.trim()
    store.put("b", StoredFile("tiny", bytes(95)))
    assert [store.holds(name) for name in "ab"] == [False, True], "the older one makes room"
    assert store.remove("b") and not store.remove("b") and store.get("b") is None


def test_one_lost_actor_costs_nothing_and_is_filled_again(ray_store: FileStore, actors: dict[str, FakeActor]) -> None:
    ray_store.put("a", FILE)
    actors["images-1"].store.remove("a")  # as if it had just been replaced
    assert ray_store.touch("a") and ray_store.holds("a") and ray_store.get("a") == FILE
    assert actors["images-1"].store.get("a") == FILE
    actors["images-1"].lost = True
    assert ray_store.touch("a") and ray_store.holds("a") and ray_store.get("a") == FILE
    with pytest.raises(Problem, match="cannot be reached"):
        ray_store.remove("a")  # the silent one may still have it


def test_two_lost_actors_are_a_problem(ray_store: FileStore, actors: dict[str, FakeActor]) -> None:
    for actor in actors.values():
        actor.lost = True
    for ask in (lambda: ray_store.put("a", FILE), lambda: ray_store.touch("a"), lambda: ray_store.remove("a")):
        with pytest.raises(Problem, match="cannot be reached"):
            ask()
    assert ray_store.holds("a") and ray_store.get("a") is None, "no actor can say that the file is gone"
