"""``restr data VERB``: get a dataset together, look it over, look through it, write it in another layout."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

# verb -> (module with main(arguments) -> exit code, one line of help)
_VERBS = {
    "prepare": ("restr.cli.data.prepare", "which files a published dataset needs, where; fetch them from a mirror"),
    "check": ("restr.cli.data.check", "count a dataset and find what is wrong with it"),
    "browse": ("restr.cli.data.browse", "look through its pictures and masks in a browser"),
    "convert": ("restr.cli.data.convert", "write it in another layout"),
}


def main(arguments: Sequence[str]) -> int:
    """Run ``restr data VERB ...``; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    if arguments[0] not in _VERBS:
        print(f"restr data: there is no verb {arguments[0]!r}; choose from {', '.join(_VERBS)}", file=sys.stderr)
        return 2
    return importlib.import_module(_VERBS[arguments[0]][0]).main(arguments[1:])


def _usage() -> str:
    """The help of ``restr data`` itself."""
    verbs = "\n".join(f"  {verb:<9} {line}" for verb, (_, line) in _VERBS.items())
    return f"usage: restr data VERB ...\n\n{verbs}\n\n  restr data VERB --help"
