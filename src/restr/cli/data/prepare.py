"""``restr data prepare``: list the files of a published dataset, and fetch missing ones from a mirror."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import RootOptions, parse_options
from restr.errors import DatasetError

if TYPE_CHECKING:
    from restr.published.prepare import FoundFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepare(RootOptions):
    """Say which files a published dataset needs and where, check which are there, and get the missing ones.

    Nothing is downloaded unless you name a mirror: a folder, or a base address below which the files have the names
    shown. Downloads are resumed, compared with the known size and SHA-256, and unpacked. An archive that you put there
    yourself is unpacked too. The exit code is 1 while something is missing.

    Example: restr data prepare refcoco --root DATA --mirror URL --mirror FOLDER
    """

    name: Annotated[str, tyro.conf.Positional]
    """refcoco, refcoco+, refcocog, refclef, grefcoco, refzom, referit, phrasecut or reasonseg."""

    mirror: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Where to fetch missing files from: http://, https://, file:// or a folder. Several are tried in turn."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Prepare, "restr data prepare", arguments)
    from restr.published.fetch import address_of
    from restr.published.prepare import find_file, release

    known = release(settings.name)
    for mirror in settings.mirror:
        address_of(mirror, "")  # a wrong one fails before any work
    settings.root.mkdir(parents=True, exist_ok=True)
    print(f"{settings.name}, below {settings.root}\n")
    found = [find_file(file, settings.root) for file in known.files]
    for each in found:
        print(_description(each))
    print(f"\npublished by {known.source}")
    found = [_completed_with_bar(each, settings) for each in found]
    if any(each.lacking for each in found):
        print(f"\n{_to_do(found, settings.root)}")
        return 1
    check = known.example.rpartition(":")[0]
    print(f"\neverything is there; next: restr data check {check} --root {settings.root}")
    print(f"                            restr eval --data {known.example} --root {settings.root}")
    return 0


def _description(found: FoundFile) -> str:
    """A file's state, name, size and hash, in two or three lines."""
    file = found.file
    state = "unpack" if found.state == "packed" else found.state
    where = f"{file.name}, unpacked into {file.into}/" if file.into else file.name
    lines = [f"  {state:<8} {where}{' (optional)' if file.optional else ''}"]
    if found.state in ("there", "part", "wrong"):
        return "\n".join([*lines, *([f"{'':11}{found.detail}"] if found.detail != file.name else [])])
    if file.name.endswith("/"):
        return "\n".join([*lines, f"{'':11}a folder of {file.holds[0][0]}{f'; {file.note}' if file.note else ''}"])
    size = "exact size unknown" if file.size is None else f"{file.size:,} bytes"
    facts = [size, f"SHA-256 {file.sha256 or 'unknown'}", *([file.note] if file.note else [])]
    return "\n".join([*lines, f"{'':11}{'; '.join(facts)}"])


def _to_do(found: Sequence[FoundFile], root: Path) -> str:
    """The steps that are left to the user."""
    wrong = [each.file.name for each in found if each.state == "wrong"]
    lacking = [each.file.name for each in found if each.lacking and each.state != "wrong"]
    lines = [f"delete {', '.join(wrong)}: not what was given out"] if wrong else []
    if lacking:
        lines.append(
            f"still to come: {', '.join(lacking)}; name a --mirror, or put it below {root}, and run this again"
        )
    return "\n".join(lines)


def _completed_with_bar(found: FoundFile, settings: Prepare) -> FoundFile:
    """The file after it was fetched and unpacked if necessary; shows a bar or, without a terminal, a line."""
    from restr.cli.progress import progress_bar
    from restr.published.prepare import fetch_and_unpack

    by_hand = not settings.mirror or found.file.name.endswith("/")
    if found.state != "packed" and (found.state != "missing" or by_hand):
        return found
    print(
        f"{'unpacking' if found.state == 'packed' else 'fetching'} {found.file.name} ...", file=sys.stderr, flush=True
    )
    with progress_bar(of_bytes=True) as bar:
        tasks = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        try:
            after = fetch_and_unpack(found, settings.root, settings.mirror, progress)
        except DatasetError as error:
            bar.stop()
            print(f"restr data prepare: {error}", file=sys.stderr)
            return found
    if after != found:
        print(_description(after))
    return after
