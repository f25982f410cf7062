"""The plan of a bulk run: which rows become which part. It is a function of the input and of the settings alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from restr import __version__
from restr.bulk.parts import PartFolder
from restr.bulk.rows import BulkPiece, BulkShard
from restr.bulk.sources.base import BulkSource
from restr.errors import DataError, OutputError
from restr.facts import refuse_other_facts

PLAN = "plan.json"
_FORM = 1


@dataclass(frozen=True)
class BulkPlan:
    """All shards of a run, in the input's order."""

    facts: dict[str, Any]
    """What the output depends on: a digest of the input, and the settings; in JSON's types."""

    shards: list[BulkShard]
    """The shards; their numbers are their places."""

    @property
    def rows(self) -> int:
        """Rows of the whole output."""
        return self.shards[-1].first_row + self.shards[-1].piece.rows if self.shards else 0


def make_plan(
    source: BulkSource,
    settings: dict[str, Any],
    parts: PartFolder,
    rows_per_part: int,
    *,
    seen: Callable[[int], None] = lambda rows: None,
) -> BulkPlan:
    """The plan of the input for the folder ``parts``, where it is kept; a second run reads it from there.

    settings: in JSON's types. seen: called with the rows counted so far. Raises ``DataError`` if the folder holds a run of
    another input or with other settings, ``OutputError`` if it holds parts without a plan.
    """
    found = source.facts()
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
    facts = {"form": _FORM, "restr": __version__, "input": f"{source.kind} {digest}", "rows_per_part": rows_per_part}
    facts |= {"texts": list(found.get("texts", ()))} | settings
    known = _read(parts, facts)
    if known is not None and known:  # the pictures of a list are not in the file, but all are here
        return BulkPlan(
            facts, _numbered((BulkPiece._make([*each[:5], tuple(each[5]), each[6]]) for each in known), seen)
        )
    plan = BulkPlan(facts, _numbered(source.cut(rows_per_part), seen))
    if not plan.shards:
        raise DataError("the input has no row; is it empty?")
    if known is None:
        if parts.numbers():
            raise OutputError(f"{parts.display_name} holds parts, but no {PLAN} that says of what; name another folder")
        parts.write_file(PLAN, _text(plan).encode())
    return plan


def _read(parts: PartFolder, facts: dict[str, Any]) -> list[list[Any]] | None:
    """The pieces in the folder's plan, which may be none; None if there is no plan."""
    content = parts.read_file(PLAN)
    if content is None:
        return None
    try:
        known = json.loads(content)
        pieces = known.pop("pieces")
        known_facts = known["facts"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{parts.display_name}/{PLAN} is damaged ({error}); name another folder") from error
    if known_facts.get("input") != facts["input"] and known_facts.get("form") == _FORM:
        raise DataError(
            f"{parts.display_name} holds a run of another input, or the input has changed since ({known_facts.get('input')}, now "
            f"{facts['input']}); name another folder for this one"
        )
    refuse_other_facts(known_facts, facts, f"{parts.display_name} holds rows that were made")
    return pieces


def _numbered(pieces: Iterable[BulkPiece], seen: Callable[[int], None]) -> list[BulkShard]:
    shards, row = [], 0
    for index, piece in enumerate(pieces):
        shards.append(BulkShard(index, row, piece))
        row += piece.rows
        seen(row)
    return shards


def _text(plan: BulkPlan) -> str:
    """The plan as JSON, one line a piece; without the names of pictures, which the input's digest stands for."""
    head = json.dumps({"facts": plan.facts, "rows": plan.rows, "parts": len(plan.shards)}, indent=2, ensure_ascii=True)
    listed = any(shard.piece.names for shard in plan.shards)
    pieces = [] if listed else [json.dumps(list(shard.piece)) for shard in plan.shards]
    listed_pieces = "[\n    " + ",\n    ".join(pieces) + "\n  ]" if pieces else "[]"
    return f'{head[:-2]},\n  "pieces": {listed_pieces}\n}}\n'
