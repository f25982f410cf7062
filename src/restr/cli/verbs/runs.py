"""``restr runs``: what was trained, with which settings, and how well."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import parse_options

if TYPE_CHECKING:
    from restr.training.run.record import Run

_ENVIRONMENT = "restr", "git", "torch", "machine", "gpu"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runs:
    """List the runs in a folder, or compare several: the settings that differ, and their curves.

    Example: restr runs runs, or: restr runs runs/a runs/b --out compared.png
    """

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional] = (Path("runs"),)
    """Folders to search; with several, their runs are compared."""

    out: Path | None = None
    """Write the curves of the runs to this PNG."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Runs, "restr runs", arguments)
    from rich.console import Console
    from rich.table import Table

    from restr.training.run.record import find_runs

    found = [run for folder in settings.folders for run in find_runs(folder)]
    table = Table(box=None, pad_edge=False)
    for name in ("run", "begun", "verb", "data", "step", "state", "loss", "measures"):
        table.add_column(name, justify="right" if name in ("step", "loss") else "left", overflow="fold")
    for run in found:
        table.add_row(*_row(run))
    Console(soft_wrap=False).print(table)
    if len(settings.folders) > 1:
        for line in _differences(found):
            print(line)
    if settings.out:
        from restr.training.run.curves import plot_runs

        plot_runs({str(run.folder): run.folder / "log.jsonl" for run in found}, settings.out)
        print(settings.out)
    return 0


def _row(run: Run) -> list[str]:
    """The cells of a run, by column."""
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


def _differences(found: Sequence[Run]) -> list[str]:
    """The settings and environment that differ between runs, one line each."""
    from restr.training.run.record import flatten

    flat = []
    for run in found:
        settings = {name.rpartition(".")[2]: value for name, value in flatten(run.record.get("settings", {})).items()}
        flat.append(settings | {name: run.record.get(name) for name in _ENVIRONMENT})
    names = [name for name in dict.fromkeys(name for each in flat for name in each) if name != "out"]
    differing = [name for name in names if len({repr(each.get(name)) for each in flat}) > 1]
    lines = [f"{name}: {' | '.join(str(each.get(name, '-')) for each in flat)}" for name in differing]
    return ["", "differing:", *(f"  {line}" for line in lines)] if lines else ["", "no setting differs"]
