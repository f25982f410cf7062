"""Prepares the fastest runtime for a person at a terminal, after or before the work that they asked for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from restr.errors import RestrError
from restr.inference.exported import FACTS
from restr.inference.fastest.kept import is_settled
from restr.inference.loading import default_backend, runs_on_processor
from restr.inference.locate import model_folder
from restr.model.folder import folder_hash, is_checkpoint

_logger = logging.getLogger("restr")


def prepare_once(
    model: str | Path | None, *, device: str = "auto", backend: str = "auto", precision: str = "auto"
) -> None:
    """Prepare a model's fastest runtime if that was never done here; Ctrl-C skips it, for good.

    Only where standard error is a terminal: nobody else sees why a command takes a minute longer. Never an error: what
    was asked for is done without it.
    """
    try:
        if not _is_wanted(model, device=device, backend=backend, precision=precision):
            return
        from restr.export.prepare import can_prepare, prepare_runtime, skip_preparing
    except (RestrError, OSError, ImportError) as error:
        _logger.info("no faster runtime is prepared: %s", error)
        return
    if not can_prepare():
        return
    try:
        with progress_line("preparing a faster runtime for this processor, once; Ctrl-C skips it") as say:
            choice = prepare_runtime(model, wait=False, say=say)
        print(f"from now on: {choice.reason()} (restr doctor shows more)", file=sys.stderr)
    except KeyboardInterrupt:
        skip_preparing(model)
        print("skipped, PyTorch stays; restr doctor --prepare makes up for it", file=sys.stderr)
    except (RestrError, OSError) as error:
        print(f"no faster runtime was prepared: {error}", file=sys.stderr)


@contextmanager
def progress_line(title: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what is being done: a moving one on a terminal, else one for each step."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: print(f"{title}: {step}", file=sys.stderr, flush=True)
        return
    with console.status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")


def _is_wanted(model: str | Path | None, *, device: str, backend: str, precision: str) -> bool:
    """Whether there is a person to wait, and something to prepare. Raises ``RestrError`` and ``OSError``."""
    if not is_watched() or (backend, precision) != ("auto", "auto"):
        return False
    folder = model_folder(model)
    if default_backend() != "auto" or (folder / FACTS).is_file() or is_checkpoint(folder):
        return False
    return runs_on_processor(device) and not is_settled(folder_hash(folder))


def is_watched() -> bool:
    """Whether standard error is a terminal, so that a person sees what is said there."""
    return sys.stderr is not None and sys.stderr.isatty()
