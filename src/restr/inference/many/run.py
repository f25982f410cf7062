"""``Segmenter.predict_many``: pictures with their sentences, several at once, results in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from restr.errors import ConfigError, RestrError
from restr.fields import as_int
from restr.inference.backends.base import Backend
from restr.inference.many.crew import in_order
from restr.inference.many.shared import SharedBackend, SharedCache
from restr.inference.result import Result

if TYPE_CHECKING:
    from restr.inference.sources import ImageSource

_Segmenter = Any  # ``Segmenter``, whose module imports this one
MOST_WORKERS = 8  # by default: each needs memory for its own activations


@dataclass(frozen=True, kw_only=True, eq=False)
class ManyResult:
    """What became of one item of ``Segmenter.predict_many``."""

    index: int
    """The item's number, from 0."""

    image: ImageSource | Exception
    """The item's image, as given."""

    results: list[Result] = field(default_factory=list)
    """A result for each of the item's texts; empty if there is an error, or if ``then`` was given."""

    made: Any = None
    """What ``then`` made of the results."""

    error: Exception | None = None
    """Why there are no results: a ``RestrError`` or an ``OSError``."""


class Split(NamedTuple):
    """How the cores are divided among pictures."""

    workers: int
    """Pictures that are computed at once."""
    threads: int
    """Threads of each computation."""
    helpers: int
    """Further pictures that are read, restored and drawn while the workers compute."""


def split_cores(backend: Backend, workers: int, threads: int, helpers: int | None, attention: bool) -> Split:
    """The numbers that were given, and for a 0 (helpers: None) the default for this backend.

    On a processor one worker for each thread of the backend, at most ``MOST_WORKERS``: a picture on one core wastes
    nothing, where two cores for one picture wait for each other. A GPU, a backend that computes one thing at a time, and
    attention have one worker, and a helper that reads and draws. Raises ``ConfigError``.
    """
    for name, value in (("workers", workers), ("threads", threads), ("helpers", 0 if helpers is None else helpers)):
        if as_int(value) is None or value < 0:
            raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 0")
    cores = backend.thread_count()
    on_processor = str(backend.device) == "cpu"
    alone = not on_processor or not backend.concurrent or attention
    if alone and workers > 1 and (attention or not backend.concurrent):
        reason = "attention is recorded" if attention else f"the backend is {backend.name!r}"
        raise ConfigError(f"workers is {workers}, but where {reason}, pictures are computed one by one; leave it at 1")
    workers = workers or (1 if alone else min(threads and max(1, cores // threads) or cores, MOST_WORKERS))
    threads = threads or max(1, cores // workers)
    if helpers is None:
        helpers = 1 if alone and (cores > 1 or not on_processor) else 0
    return Split(workers, threads, helpers)


def predict_many(
    segmenter: _Segmenter,
    items: Iterable[tuple[Any, Any]],
    options: dict[str, Any],
    split: Split,
    *,
    window: int,
    on_error: str,
    then: Callable[[list[Result]], Any] | None,
) -> Generator[ManyResult, None, None]:
    """As ``Segmenter.predict_many``, with the cores divided. options: of each call. Raises ``ConfigError``."""
    if on_error not in ("return", "raise"):
        raise ConfigError(f"on_error is {on_error!r}; choose 'return' or 'raise'")
    if as_int(window) is None or window < 0:
        raise ConfigError(f"window is {window!r}; it must be a whole number of at least 0")
    found = _in_order(segmenter, items, options, split, window, then)
    return _raising(found) if on_error == "raise" else found


def _raising(found: Generator[ManyResult, None, None]) -> Generator[ManyResult, None, None]:
    with closing(found):
        for result in found:
            if result.error is not None:
                raise result.error
            yield result


def _in_order(
    segmenter: _Segmenter,
    items: Iterable[tuple[Any, Any]],
    options: dict[str, Any],
    split: Split,
    window: int,
    then: Callable[[list[Result]], Any] | None,
) -> Generator[ManyResult, None, None]:
    """One item, or one thread, is done without a pool."""
    numbered = enumerate(items)
    first = list(islice(numbered, 2 if split.workers + split.helpers > 1 else 0))
    if len(first) < 2:
        for item in chain(first, numbered):
            yield _predict_one(segmenter, item, then, options)
        return
    stopped = threading.Event()
    with segmenter.backend.shared(split.workers, split.threads) as backend:
        served, cache = copy(segmenter), SharedCache(segmenter._cache)
        served.backend, served._cache = SharedBackend(backend, split.workers, stopped), cache

        def work(item: tuple[int, tuple[Any, Any]]) -> ManyResult:
            try:
                return _predict_one(served, item, then, options)
            finally:
                cache.give_up()

        crew = split.workers + split.helpers
        results = in_order(work, chain(first, numbered), threads=crew, window=window or 2 * crew, stopped=stopped)
        with closing(results):
            yield from results


def _predict_one(
    segmenter: _Segmenter,
    numbered: tuple[int, tuple[Any, Any]],
    then: Callable[[list[Result]], Any] | None,
    options: dict[str, Any],
) -> ManyResult:
    index, item = numbered
    if not isinstance(item, (tuple, list)) or len(item) != 2:
        raise ConfigError(f"item {index} is {type(item).__name__}; expected a pair (image, text)")
    image, text = item
    try:
        if isinstance(image, Exception):
            raise image
        results = segmenter(image, [text] if isinstance(text, str) else text, **options)
        if then is None:
            return ManyResult(index=index, image=image, results=results)
        return ManyResult(index=index, image=image, made=then(results))
    except (RestrError, OSError) as error:
        return ManyResult(index=index, image=image, error=error)
