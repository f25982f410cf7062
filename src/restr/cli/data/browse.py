"""``restr data browse``: look through a dataset's pictures and masks in a browser."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from restr.cli.check_files import is_checked, write_check
from restr.cli.options import DatasetOptions, parse_options


@dataclasses.dataclass(frozen=True, kw_only=True)
class Browse(DatasetOptions):
    """Serve a dataset's samples with their masks, and the page of restr data check, to a browser on this machine.

    The check runs first unless its report is up to date. Ctrl-C ends the server.

    Example: restr data browse refcoco:unc --root DATA
    """

    out: Path = Path("check")
    """Folder of the report."""

    port: int = 8123
    """Port to listen on; 0 takes a free one."""

    host: str = "127.0.0.1"
    """Address to listen on. With any other address, everybody who reaches this machine can see the pictures."""

    check: bool = True
    """Show the report of restr data check; it is written if it is missing or old."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb until Ctrl-C; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Browse, "restr data browse", arguments)
    from restr.inspection.browse import Server, Site

    samples = settings.open()
    if settings.check and not is_checked(samples, settings.data, settings.out):
        write_check(samples, settings.data, settings.out)
    check = (settings.out / "check.html").read_text(encoding="utf-8") if settings.check else ""
    with Server(Site(samples, settings.data, check), settings.host, settings.port) as server:
        print(f"{settings.data}, {len(samples):,} sentences: {server.address} (Ctrl-C ends it)", flush=True)
        if settings.host not in ("127.0.0.1", "localhost"):
            print(f"everybody who reaches {settings.host} can see the pictures", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
