"""The facts that results on disk depend on, kept beside them: results of other facts are never mixed with new ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restr.errors import DataError
from restr.files import write_atomically


def keep_facts(path: Path, facts: Mapping[str, Any], what: str) -> None:
    """Write the facts of a folder's results to a JSON file. Raises ``DataError`` if the file has other facts.

    what: the beginning of the error's sentence, such as "runs/a holds measurements".
    """
    text = json.dumps(dict(facts), indent=2, ensure_ascii=False) + "\n"
    if path.exists():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}); delete it to measure it again") from error
        refuse_other_facts(known, json.loads(text), what)
    write_atomically(path, text)


def refuse_other_facts(known: Mapping[str, Any], current: Mapping[str, Any], what: str) -> None:
    """Raises ``DataError`` if ``known``, from disk, differs from ``current``, both in JSON's types.

    what: see ``keep_facts``.
    """
    differing = sorted(name for name in known.keys() | current.keys() if known.get(name) != current.get(name))
    if differing:
        name = differing[0]
        raise DataError(
            f"{what} with {name} {known.get(name)!r}, not {current.get(name)!r}; give the same settings to resume, name "
            "another folder, or delete it"
        )
