"""``restr data VERB``: get a dataset together, check it, look through it, write it in another layout."""

from __future__ import annotations

from collections.abc import Sequence

from restr.cli.dispatch import OK, USAGE, help_lines, run_verb

_VERBS = {
    "prepare": ("restr.cli.data.prepare", "list the files of a published dataset, fetch missing ones from a mirror"),
    "check": ("restr.cli.data.check", "count a dataset and find what is wrong with it"),
    "browse": ("restr.cli.data.browse", "show its pictures and masks in a browser"),
    "convert": ("restr.cli.data.convert", "write it in another layout"),
}


def main(arguments: Sequence[str]) -> int:
    """Run ``restr data VERB ...``; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: restr data VERB ...\n\n{help_lines(_VERBS)}\n\n  restr data VERB --help")
        return OK if arguments else USAGE
    return run_verb("restr data", _VERBS, arguments)
