"""A verb's options from its words, with every wrong one told in one line."""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import TypeVar

import tyro

from restr.errors import RestrError
from restr.fields import at_least

T = TypeVar("T")

# The least value of options that several verbs share; what PyTorch and NumPy say of smaller ones names no option.
_LEAST = {"seed": 0, "threads": 0, "processes": 1, "n": 1, "batch": 1}


class Held(io.StringIO):
    """Standard error, held back until it is known whether it is wanted; coloured as on the terminal it is for."""

    def isatty(self) -> bool:
        return sys.__stderr__ is not None and sys.__stderr__.isatty()


def parsed(options: type[T], prog: str, arguments: Sequence[str]) -> T:
    """The options; ends the program, with what is wrong on standard error, where there are none such."""
    held = Held()
    try:
        with redirect_stderr(held):
            found = tyro.cli(options, prog=prog, args=list(arguments))
        for field in dataclasses.fields(found):  # type: ignore[arg-type]
            if field.name in _LEAST:
                at_least(found, field.name, _LEAST[field.name])
    except RestrError as error:
        raise _wrong(prog, error) from error
    except SystemExit as error:
        refused = _reason(error)
        if refused is not None:  # told in its own words, without the frame that tyro draws around them
            raise _wrong(prog, refused) from error
        sys.stderr.write(held.getvalue())
        raise
    return found


def _wrong(prog: str, error: RestrError) -> SystemExit:
    print(f"{prog}: {error}", file=sys.stderr)
    return SystemExit(2)


def _reason(error: BaseException) -> RestrError | None:
    """The error of restr's own that led to another."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RestrError):
        cause = cause.__cause__ or cause.__context__
    return cause
