"""The threads of many pictures: order, laziness, exceptions, and an end that leaves no thread."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from restr.inference.many.crew import in_order


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("restr-many")]


def run(work, given, threads=3, window=6):
    return in_order(work, given, threads=threads, window=window, stopped=threading.Event())


def test_order_is_that_of_what_is_given_however_long_each_takes() -> None:
    def slow_then_fast(number: int) -> int:
        time.sleep(0.004 * (number % 4 == 0))
        return number * number

    assert list(run(slow_then_fast, range(40))) == [number * number for number in range(40)]
    assert alive() == []


def test_a_million_things_are_not_read_ahead() -> None:
    taken = []

    def million():
        for number in range(1_000_000):
            taken.append(number)
            yield number

    results = run(lambda number: number, million())
    assert taken == []
    assert list(itertools.islice(results, 10)) == list(range(10))
    assert len(taken) <= 10 + 6
    results.close()
    assert alive() == [] and len(taken) <= 16


def test_at_most_the_window_is_in_work_or_waiting() -> None:
    begun, release = [], threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 0:
            release.wait(10)
        return number

    results = run(work, range(100))
    first = threading.Timer(0.1, release.set)
    first.start()
    assert next(results) == 0
    assert max(begun) < 6  # while the first was in work, the others filled the window and stopped
    assert list(results) == list(range(1, 100))


def test_an_exception_comes_in_its_turn_and_ends_the_threads() -> None:
    def work(number: int) -> int:
        if number == 5:
            raise ZeroDivisionError
        return number

    got = []
    with pytest.raises(ZeroDivisionError):
        for number in run(work, range(100)):
            got.append(number)
    assert got == [0, 1, 2, 3, 4] and alive() == []


def test_an_exception_of_the_source_comes_after_what_it_gave() -> None:
    def source():
        yield from range(4)
        raise OSError("no more")

    got = []
    with pytest.raises(OSError, match="no more"):
        for number in run(lambda number: number, source()):
            got.append(number)
    assert got == [0, 1, 2, 3] and alive() == []


def test_an_exception_of_the_consumer_ends_the_threads() -> None:
    results = run(lambda number: number, itertools.count())
    with pytest.raises(KeyError):
        try:
            for number in results:
                raise KeyError(number)
        finally:
            results.close()
    assert alive() == []


def test_nothing_is_kept_of_what_was_taken() -> None:
    import weakref

    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    def work(_: int) -> Large:
        large = Large()
        kept.append(weakref.ref(large))
        return large

    results = run(work, range(30), threads=1, window=2)
    for _ in range(20):
        next(results)
    assert sum(each() is not None for each in kept) <= 3
    results.close()
