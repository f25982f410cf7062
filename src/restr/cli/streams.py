"""Standard input, output and error made safe: they never stop the work, wherever they lead."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, TextIO


class _Discard(io.TextIOBase):
    """A text stream that drops everything."""

    def write(self, text: str, /) -> int:
        return len(text)


def make_safe() -> None:
    """Let standard output and error accept any text; closed ones drop it.

    File names may hold bytes that are not UTF-8, and a terminal may use an encoding of few letters: characters that
    cannot be written are printed as escapes such as ``\\u676f``.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: no other file must get its number
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _Discard())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]


def say(text: str, *, carry_on: bool) -> None:
    """Print a line at once. carry_on: whether to continue when nobody reads it any more (``| head -1``)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        if not carry_on:
            raise
        discard_output()


def discard_output() -> None:
    """Drop everything that is still printed, so that Python does not complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def json_text(values: Any) -> str:
    """A line of JSON: letters as they are if standard output can write them, else JSON's escapes."""
    text = json.dumps(values, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(values)
    return text
