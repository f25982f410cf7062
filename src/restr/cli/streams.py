"""Standard output and its like: whatever they are connected to, they stop no work."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, TextIO


class Nowhere(io.TextIOBase):
    """A stream that is there to be printed to, and keeps nothing."""

    def write(self, text: str, /) -> int:
        return len(text)


def make_safe() -> None:
    """Have no text be refused by standard output and error, and have closed ones swallow what is printed.

    Names may be in bytes that are no UTF-8, and a terminal or a redirection in an encoding of few letters: what cannot
    be written comes as an escape such as ``\\u676f``.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened must not get its number
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Nowhere())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]


def say(text: str, *, go_on: bool) -> None:
    """Print a line at once. go_on: if nobody reads it any more (``| head -1``), the work has other results to come."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        if not go_on:
            raise
        discard_output()


def discard_output() -> None:
    """Send what is still to be printed nowhere, so that Python does not complain at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def json_text(values: Any) -> str:
    """A line of JSON: letters as they are, where standard output can write all of them, else escaped as JSON does it."""
    text = json.dumps(values, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(values)
    return text
