"""``restr data browse``: look through a dataset's pictures and masks in a browser."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.data.check import open_whole, write_check
from restr.cli.options import parsed

if TYPE_CHECKING:
    from restr.data.dataset import IndexedSamples


@dataclasses.dataclass(frozen=True, kw_only=True)
class Browse:
    """Serve a dataset's samples, with their masks, and the page of restr data check to a browser on this machine.

    The check is run first where there is none of this dataset as it is now. Ctrl-C ends it.

    Example: restr data browse refcoco:unc --root DATA
    """

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr data check: NAME[:SPLITTER] or FORM:PATH."""

    root: Path = Path(".")
    """The folder that holds it."""

    out: Path = Path("check")
    """Folder of the report."""

    port: int = 8123
    """Port to listen on; 0 takes a free one."""

    host: str = "127.0.0.1"
    """Address to listen on. With any other, whoever reaches this machine can see the pictures."""

    check: bool = True
    """Show the report, and make it if need be."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb until Ctrl-C; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Browse, "restr data browse", arguments)
    from restr.inspection.browse import Server, Site

    samples = open_whole(settings.data, settings.root)
    if settings.check and not is_checked(samples, settings.data, settings.out):
        write_check(samples, settings.data, settings.out)
    check = (settings.out / "check.html").read_text(encoding="utf-8") if settings.check else ""
    with Server(Site(samples, settings.data, check), settings.host, settings.port) as server:
        print(f"{settings.data}, {len(samples):,} sentences: {server.address} (Ctrl-C ends it)", flush=True)
        if settings.host not in ("127.0.0.1", "localhost"):
            print(f"whoever reaches {settings.host} can see the pictures", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def is_checked(samples: IndexedSamples, data: str, out: Path) -> bool:
    """Whether a folder holds the report of this dataset, made since its index was."""
    try:
        with open(out / "check.json", encoding="utf-8") as file:
            report = json.load(file)
        newer = (out / "check.html").stat().st_mtime >= samples.entries.path.stat().st_mtime
    except (OSError, ValueError):
        return False
    known = (report.get("data"), report.get("root")) if isinstance(report, dict) else None
    return newer and known == (data, str(samples.root.absolute()))
