"""Finds the fastest runtime of this processor for a model, and keeps it in the user's cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from restr.errors import ConfigError
from restr.export.candidates import missing_packages, remove_leftovers, time_first_expression, try_candidate
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.exported import FACTS
from restr.inference.fastest.choice import RuntimeChoice, TimedRuntime
from restr.inference.fastest.kept import EXPECTED_ORDER, choice_path, find_choice, is_settled, remove_losers
from restr.inference.fastest.machine import machine_facts
from restr.inference.fastest.places import CACHE_VARIABLE, writable_cache
from restr.inference.locate import model_folder
from restr.model.folder import folder_hash, is_checkpoint
from restr.model.weights import load_pretrained

CLEAR_GAIN = 1.5  # times as fast as PyTorch: slower ones in ``EXPECTED_ORDER`` are then not made
_LOCK = "lock"


def prepare_runtime(
    path: str | PathLike[str] | None = None,
    *,
    again: bool = False,
    every: bool = False,
    wait: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> RuntimeChoice:
    """Export and time a model for the runtimes that are installed; ``Segmenter.from_pretrained`` then takes the fastest.

    Candidates are tried in the order in which they are expected to be fast, and the first that is ``CLEAR_GAIN`` times as
    fast as PyTorch ends the search. path: a model folder; None is the bundled model. again: measure even if that was done
    here; exports that exist are used. every: try all candidates, and keep all exports; otherwise only the export of the
    fastest is kept. wait: for another process that prepares; otherwise return what is known. say: called with a
    description of each step. Takes a minute for each export. Raises ``ConfigError`` for a model that is not a folder, or if
    nothing can be written, and ``OSError`` for a full disk.
    """
    folder = model_folder(path)
    if (folder / FACTS).is_file() or is_checkpoint(folder):
        raise ConfigError(f"{folder} is an export or a checkpoint of a run; only a model folder is prepared")
    cache = writable_cache()
    if cache is None:
        raise ConfigError(f"no folder for the cache can be written to; name one in ${CACHE_VARIABLE}")
    weights = folder_hash(folder)
    with _alone(cache, wait=wait) as alone:
        known = find_choice(weights)
        if known is not None and not again and (is_settled(weights) or not alone):
            return known
        if not alone:
            raise ConfigError(f"another process prepares in {cache}; try again in a minute")
        remove_leftovers(cache)
        choice = RuntimeChoice(
            weights=weights, machine=machine_facts(), rows=_rows(folder, cache, weights, every=every, say=say)
        )
        _save(choice, cache)
        if not every:
            remove_losers(cache, choice)
    return choice


def skip_preparing(path: str | PathLike[str] | None = None) -> None:
    """Note that nobody wants to wait for the preparation of a model, so that it is not begun again unasked."""
    cache, weights = writable_cache(), folder_hash(model_folder(path))
    if cache is not None:
        row = TimedRuntime(target="torch", precision="fp32", why="skipped; restr doctor --prepare makes up for it")
        with suppress(OSError):
            _save(RuntimeChoice(weights=weights, machine=machine_facts(), rows=(row,)), cache)


def can_prepare() -> bool:
    """Whether any runtime beside PyTorch is installed, with what exporting to it needs."""
    return any(not missing_packages(target) for target, _ in EXPECTED_ORDER)


def _rows(
    folder: Path, cache: Path, weights: str, *, every: bool, say: Callable[[str], None]
) -> tuple[TimedRuntime, ...]:
    """PyTorch and all candidates, measured or with the reason why not."""
    model, vocabulary = load_pretrained(folder)
    say("torch fp32: measuring")
    torch_ms = time_first_expression(TorchBackend(model, device="cpu"))
    rows = [TimedRuntime(target="torch", precision="fp32", ms=torch_ms)]
    clear = ""
    for target, precision in (*EXPECTED_ORDER, ("torch", "bf16")):
        if clear and not every:
            rows.append(
                TimedRuntime(target=target, precision=precision, why=f"not tried, as {clear} is clearly faster")
            )
            continue
        row = try_candidate(
            model, vocabulary, cache=cache, weights=weights, target=target, precision=precision, say=say
        )
        rows.append(row)
        if row.ms is not None and row.ms * CLEAR_GAIN <= torch_ms:
            clear = clear or row.title
    return tuple(rows)


def _save(choice: RuntimeChoice, cache: Path) -> None:
    path = choice_path(cache, choice.weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    choice.save(path)


@contextmanager
def _alone(cache: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this process alone prepares in a cache. The lock ends with the process, however it ends.

    Where a file system or a platform has no locks, two processes may do the same work; both results are whole.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    with (cache / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True
