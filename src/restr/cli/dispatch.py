"""Finds the module of a verb and hands over; loads nothing else, so that ``--help`` is instant."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
Verbs = Mapping[str, tuple[str, str]]  # verb -> (module with main(arguments) -> exit code or None, one line of help)


def help_lines(verbs: Verbs) -> str:
    """The verbs with their help, one line each."""
    width = max(map(len, verbs)) + 1
    return "\n".join(f"  {verb:<{width}} {line}" for verb, (_, line) in verbs.items())


def run_verb(prog: str, verbs: Verbs, arguments: Sequence[str], *, hint: str = "") -> int:
    """Run the verb that the first argument names with the others; returns the exit code.

    hint: what to do if the word resembles no verb.
    """
    verb, *rest = arguments
    if verb not in verbs:
        print(_unknown(prog, verbs, verb, hint), file=sys.stderr)
        return USAGE
    return importlib.import_module(verbs[verb][0]).main(rest) or OK


def _unknown(prog: str, verbs: Verbs, word: str, hint: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, verbs, n=1)
    hint = f"did you mean {near[0]!r}?" if near else hint
    return f"{prog}: there is no verb {word!r}; choose from {', '.join(verbs)}{f' ({hint})' if hint else ''}"
