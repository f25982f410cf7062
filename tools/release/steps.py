"""How the checks of a release speak: numbered steps, one line a result, and an error that says what to do."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_begun = time.monotonic()
_count = 0


class DistError(Exception):
    """A check of a release failed; the message names what was found, what was expected and the next step."""


def step(title: str) -> None:
    """Prints the title of the next step, with its number and the seconds since the start."""
    global _count
    _count += 1
    print(f"\n{_count}. {title}  [{time.monotonic() - _begun:.0f} s]", flush=True)


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> str:
    """The standard output of a command.

    ``env`` is added to this process's environment, less ``PYTHONPATH``. Raises :class:`DistError` with the end of what
    the command printed if it fails, is missing, or runs longer than ``timeout`` seconds.
    """
    words = [str(word) for word in command]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(env or {})
    try:
        done = subprocess.run(words, cwd=cwd, env=own, capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError as error:
        raise DistError(f"{words[0]} is not here; run 'make dist', which installs it") from error
    except subprocess.TimeoutExpired as error:
        raise DistError(f"{_short(words)} took longer than {timeout:.0f} s") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-30:])
        raise DistError(f"{_short(words)} ended with {done.returncode}:\n{tail}")
    return done.stdout


def _short(words: Sequence[str]) -> str:
    shown = " ".join(words).replace("\n", " ")
    return shown if len(shown) < 200 else f"{shown[:200]} ..."


def size(count: int) -> str:
    """A number of bytes in the unit that a reader expects: ``41.3 MB``."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
