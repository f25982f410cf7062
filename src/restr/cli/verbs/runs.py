"""``restr runs``: what was trained, with which settings, and how well."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from restr.cli.options import parsed

if TYPE_CHECKING:
    from restr.training.run.record import Run

KEEP = "restr", "git", "torch", "machine", "gpu"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """List the runs below a folder, or set some against each other: what differs between them, and their curves.

    Example: restr runs runs, or: restr runs runs/a runs/b --out compared.png
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = (Path("runs"),)
    """Where to look; with several, their runs are compared."""

    out: Path | None = None
    """A PNG for the curves of the runs."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parsed(Runs, "restr runs", arguments)
    from rich.console import Console
    from rich.table import Table

    from restr.training.run.record import runs

    found = [run for folder in settings.folders for run in runs(folder)]
    table = Table(box=None, pad_edge=False)
    for name in ("run", "begun", "verb", "data", "step", "state", "loss", "measures"):
        table.add_column(name, justify="right" if name in ("step", "loss") else "left", overflow="fold")
    for run in found:
        table.add_row(*row(run))
    Console(soft_wrap=False).print(table)
    if len(settings.folders) > 1:
        for line in differences(found):
            print(line)
    if settings.out:
        from restr.training.run.curves import plot_runs

        plot_runs({str(run.folder): run.folder / "log.jsonl" for run in found}, settings.out)
        print(settings.out)
    return 0


def row(run: Run) -> list[str]:
    """A run in the table's columns."""
    record, measures = run.record, run.record.get("metrics") or {}
    of_log = {name.removeprefix("val_"): value for name, value in run.last.items() if name.startswith("val_")}
    shown = {name: value for name, value in (measures or of_log).items() if name in ("oiou", "miou")}
    loss = run.last.get("loss")
    return [
        str(run.folder),
        str(record.get("begun", ""))[:16].replace("T", " "),
        str(record.get("verb", "")),
        str(record.get("settings", {}).get("data", "")),
        str(record.get("step") or run.last.get("step", "-")),
        run.state,
        f"{loss:.4g}" if isinstance(loss, float) else "-",
        ", ".join(f"{name} {100 * value:.1f}" for name, value in shown.items()) or "-",
    ]


def differences(found: Sequence[Run]) -> list[str]:
    """The settings and surroundings in which runs differ, a line each."""
    flat = [_flat(run.record.get("settings", {})) | {name: run.record.get(name) for name in KEEP} for run in found]
    names = [name for name in dict.fromkeys(name for each in flat for name in each) if name != "out"]
    differing = [name for name in names if len({repr(each.get(name)) for each in flat}) > 1]
    lines = [f"{name}: {' | '.join(str(each.get(name, '-')) for each in flat)}" for name in differing]
    return ["", "differing:", *(f"  {line}" for line in lines)] if lines else ["", "no setting differs"]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _flat(value) if isinstance(value, dict) else {name: value}
    return found
