"""The files of kept images in memory: bounds, expiry and what counts as a use."""

from __future__ import annotations

from restr.server.files.memory import MemoryStore
from restr.server.files.store import StoredFile


class Clock:
    """A time that tests set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def store(most: int = 100, seconds: float = 10.0) -> tuple[MemoryStore, Clock]:
    clock = Clock()
    return MemoryStore(most=most, seconds=seconds, clock=clock), clock


def file(size: int) -> StoredFile:
    return StoredFile("m", b"x" * size)


def test_a_file_comes_back_until_it_is_removed() -> None:
    kept, _ = store()
    kept.put("a", StoredFile("m", b"one"))
    assert kept.get("a") == ("m", b"one") and kept.held == 3
    kept.put("a", StoredFile("m", b"two!"))
    assert kept.get("a") == ("m", b"two!") and kept.held == 4
    assert kept.remove("a") and kept.held == 0
    assert not kept.remove("a") and kept.get("a") is None and not kept.touch("a")


def test_the_least_recently_used_is_evicted() -> None:
    kept, clock = store()
    for clock.now, name in enumerate("abc"):
        kept.put(name, file(30))
    assert kept.touch("a") and kept.holds("b")  # which is not a use
    kept.put("d", file(30))
    assert [kept.holds(name) for name in "abcd"] == [True, False, True, True] and kept.held == 90
    kept.put("e", file(101))  # more than everything
    assert kept.held == 0 and not kept.holds("e")


def test_unused_files_expire() -> None:
    kept, clock = store()
    kept.put("a", file(1))
    kept.put("b", file(1))
    clock.now = 9.0
    assert kept.touch("b")
    clock.now = 11.0
    assert not kept.holds("a") and kept.get("b") is not None
    clock.now = 21.5
    kept.trim()
    assert kept.held == 0
