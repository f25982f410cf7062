"""A run as one HTML page: its settings, measures, curves, pictures, and the command that repeats it."""

from __future__ import annotations

import html
import json
import shlex
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from restr.errors import DataError
from restr.files import write_atomically
from restr.report.page import document, figure, html_table, number_tiles, section
from restr.training.run.log import read
from restr.training.run.record import RECORD_FILE, Run, flatten

_STYLE = """
td { overflow-wrap: anywhere; } .halves { display: grid; gap: 0 3rem; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); }
td.text { overflow-wrap: normal; color: var(--quiet); } .sheets { display: grid; gap: 1.5rem; }
figure img { background: #fff; box-shadow: 0 0 0 1px var(--line); } pre { white-space: pre-wrap; margin: .5rem 0; }
pre code { display: block; padding: .7rem .9rem; border-radius: 8px; }
"""
_ENVIRONMENT = ("begun", "ended", "step", "restr", "git", "torch", "python", "machine", "gpu")
# Columns of the log: name -> label, summary over the run, format.
_SPEED = {
    "samples_per_s": ("samples per second, median", statistics.median, "{:,.1f}"),
    "data_wait": ("share of the time spent waiting for data, mean", statistics.mean, "{:.1%}"),
    "mfu": ("MFU, median", statistics.median, "{:.1%}"),
    "memory_gb": ("peak memory", max, "{:.2f} GB"),
}
_OPTIMISATION = {
    "loss": ("training loss, last", lambda values: values[-1], "{:.4g}"),
    "iou": ("training IoU, last", lambda values: values[-1], "{:.3f}"),
    "grad_norm": ("gradient's norm, median", statistics.median, "{:.3g}"),
    "weight_norm": ("weights' norm, last", lambda values: values[-1], "{:.4g}"),
}
_MFU = (
    "MFU: the FLOP/s of the matrix products in forward and backward, not counting recomputation, divided by the FLOP/s of one "
    "large matrix product, timed on the same device in the same data type."
)


def write_run_report(folder: Path) -> Path:
    """Write ``report.html`` into a run's folder, from the files there: run.json, log.jsonl, metrics.json, curves.png, sheets/*.png.

    Files other than run.json may be missing. Raises ``DataError`` if the folder holds no run.
    """
    if not (folder / RECORD_FILE).exists():
        raise DataError(f"there is no {folder / RECORD_FILE}; name the folder of a run (restr runs lists them)")
    record: dict[str, Any] = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    log = read(folder / "log.jsonl")
    measures = record.get("metrics") or _loaded(folder / "metrics.json") or _last_measures(log)
    state = Run(folder=folder, record=record, last=log[-1] if log else {}).state
    title = f"{record.get('verb', 'run')}: {folder.resolve().name}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p class='quiet'>{html.escape(_when(record, state, log))}</p>",
        _tiles(log, measures),
        _curves(folder / "curves.png"),
        _measures(measures, record.get("model")),
        _costs(log),
        _sheets(sorted((folder / "sheets").glob("*.png"))),
        _settings(record),
        _again(folder, record),
    ]
    target = folder / "report.html"
    write_atomically(target, document(title, "\n".join(part for part in parts if part), style=_STYLE))
    return target


def _when(record: Mapping[str, Any], state: str, log: Sequence[Mapping[str, Any]]) -> str:
    """When the run began, how long it took, and how it ended."""
    parts = [str(record.get("begun", ""))[:16].replace("T", " ") + " UTC"]
    if record.get("ended") and record.get("begun"):
        taken = datetime.fromisoformat(record["ended"]) - datetime.fromisoformat(record["begun"])
        parts.append(f"{taken} from beginning to end")
    parts.append(state)
    if reached := record.get("step") or (log[-1]["step"] if log else None):
        parts.append(f"after step {reached:,}")
    return ", ".join(parts)


def _tiles(log: Sequence[Mapping[str, Any]], measures: Mapping[str, float]) -> str:
    tiles = [
        (f"{100 * measures[name]:.1f}", label)
        for name, label in (("miou", "mIoU, percent"), ("oiou", "oIoU, percent"))
        if name in measures
    ]
    if losses := _column(log, "loss"):
        tiles.append((f"{losses[-1]:.4g}", "training loss"))
    tiles += [(value, label) for label, value in _summaries(log, {"samples_per_s": _SPEED["samples_per_s"]}).items()]
    if minutes := _column(log, "minutes"):
        tiles.append((str(timedelta(seconds=round(60 * minutes[-1]))), "time, of the last call"))
    return number_tiles(tiles) if tiles else ""


def _curves(path: Path) -> str:
    if not path.exists():
        return ""
    return section(
        "Curves", figure(path.read_bytes(), "png", "Loss and IoU over the steps; below, norms, rate, speed.")
    )


def _sheets(paths: Sequence[Path]) -> str:
    """The first and the last sheet, which show what the run has learnt."""
    if not paths:
        return ""
    chosen = {"last": paths[-1]} if len(paths) == 1 else {"first": paths[0], "last": paths[-1]}
    pictures = "".join(figure(path.read_bytes(), "png", f"{which}: {path.stem}") for which, path in chosen.items())
    return section("Samples", f"<div class='sheets'>{pictures}</div>")


def _measures(measures: Mapping[str, float], model: Mapping[str, Any] | None) -> str:
    if not measures:
        return ""
    table = _halves({name: f"{value:.4f}" for name, value in measures.items()})
    if model is None:
        return section("Measures", table)
    why = f"the best by {model['best_by']}" if model.get("best_by") else "its last weights"
    return section("Measures", table, html.escape(f"Of the run's model, which is of step {model['step']:,}: {why}."))


def _costs(log: Sequence[Mapping[str, Any]]) -> str:
    speed, learning = _summaries(log, _SPEED), _summaries(log, _OPTIMISATION)
    if not speed and not learning:
        return ""
    known = any(line.get("mfu") is not None for line in log)
    tables = f"<div class='halves'>{_table(speed)}{_table(learning)}</div>"
    return section("Speed, memory and norms", tables, _MFU if known else "")


def _settings(record: Mapping[str, Any]) -> str:
    settings = {name: _as_text(value) for name, value in flatten(record.get("settings", {})).items()}
    environment = {name: _as_text(record[name]) for name in _ENVIRONMENT if record.get(name) is not None}
    return section("Settings", _halves(settings)) + section("Environment", _halves(environment))


def _again(folder: Path, record: Mapping[str, Any]) -> str:
    """The command that ran, and one that reads all settings from the run's record."""
    commands = [record["command"]] if record.get("command") else []
    if record.get("verb"):
        other = folder.with_name(f"{folder.resolve().name}-again")
        commands.append(
            shlex.join(["restr", record["verb"], "--config", str(folder / RECORD_FILE), "--out", str(other)])
        )
    if not commands:
        return ""
    text = "\n".join(html.escape(command) for command in commands)
    note = f"With restr {record.get('restr', '')}" + (f", git {record['git']}" if record.get("git") else "")
    return section("To repeat the run", f"<pre><code>{text}</code></pre>", html.escape(note) + ".")


def _halves(rows: Mapping[str, str]) -> str:
    """A table of names and values, split into two tables side by side."""
    listed = list(rows.items())
    middle = -(-len(listed) // 2)
    return f"<div class='halves'>{_table(dict(listed[:middle]))}{_table(dict(listed[middle:]))}</div>"


def _table(rows: Mapping[str, str]) -> str:
    return html_table([html.escape(name), html.escape(value)] for name, value in rows.items())


def _summaries(log: Sequence[Mapping[str, Any]], names: Mapping[str, Any]) -> dict[str, str]:
    """Label -> summary over the run as text, for those of ``names`` that the log has."""
    columns = {name: _column(log, name) for name in names}
    return {
        label: form.format(summary(columns[name])) for name, (label, summary, form) in names.items() if columns[name]
    }


def _column(log: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [line[name] for line in log if line.get(name) is not None]


def _last_measures(log: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The newest evaluation of a run that has not ended."""
    found = [line for line in log if any(name.startswith("val_") for name in line)]
    newest = found[-1] if found else {}
    names = [name for name in newest if name.startswith("val_") and name != "val_best_step"]
    return {name.removeprefix("val_"): newest[name] for name in names}


def _loaded(path: Path) -> dict[str, float]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: value for name, value in content.items() if name != "step"}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
