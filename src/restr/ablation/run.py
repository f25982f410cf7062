"""Train every row of a table with every seed, and keep what each got; goes on where it was stopped."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from restr.ablation.cost import Cost, cost_of
from restr.ablation.tables import Row, Table
from restr.ablation.tasks import Task
from restr.errors import ConfigError, DataError
from restr.files import write_whole
from restr.losses import segmentation_loss
from restr.training.config import TrainConfig
from restr.training.loop import checkpoint
from restr.training.loop.trainer import Trainer

FACTS, SCORES, COSTS = "ablation.json", "scores.json", "costs.json"
logger = logging.getLogger("restr")


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """A row's scores, one dict a finished seed, and what its model costs."""

    name: str
    scores: tuple[dict[str, float], ...]
    cost: Cost


def run_table(
    table: Table, task: Task, folder: Path, *, seeds: int, settings: TrainConfig, loss: dict[str, Any] | None = None
) -> tuple[list[RowResult], str | None]:
    """The results of all rows, and why it stopped before the end (None: it did not). loss: settings of
    ``segmentation_loss`` where a row has none of its own.

    Every seed is run for all rows before the next one, so that a stopped table is still a fair one. Raises
    ``DataError`` where ``folder`` holds an ablation of other settings.
    """
    if table.of_vision and task.cached:
        raise ConfigError(
            f"the table {table.title!r} changes the vision encoder; cached features are of one encoder only"
        )
    folder.mkdir(parents=True, exist_ok=True)
    loss = loss or {}
    facts = {
        "title": table.title,
        "rows": [row.name for row in table.rows],
        **task.facts(),
        "loss": loss,
        "train": {k: v for k, v in asdict(settings).items() if k not in ("seed", "device", "workers")},
    }
    check_facts(folder / FACTS, facts)
    stopped = None
    for seed in range(seeds):
        for row in table.rows:
            if stopped is None:
                stopped = run_row(row, task, folder / _slug(row.name), seed, settings, loss)
    costs = measured_costs(table, task, folder / COSTS)
    return [
        RowResult(name=row.name, scores=finished(folder / _slug(row.name), seeds), cost=costs[row.name])
        for row in table.rows
    ], stopped


def run_row(row: Row, task: Task, folder: Path, seed: int, settings: TrainConfig, loss: dict[str, Any]) -> str | None:
    """Train and measure one row with one seed, unless that has been done; why it stopped early, if it did."""
    folder = folder / f"seed{seed}"
    if (folder / SCORES).exists():
        return None
    config = row.change(task.config)
    trainer = Trainer(
        task.build(config, seed),
        task.batches(config, seed),
        replace(settings, seed=seed),
        folder,
        resume=bool(checkpoint.saved(folder)),
        loss=partial(segmentation_loss, **loss | row.loss),
    )
    logger.info("%s, seed %d", row.name, seed)
    result = trainer.fit()
    if result.stopped is not None:
        return result.stopped
    scores = task.measure(trainer.load_averaged().eval())
    write_whole(folder / SCORES, json.dumps(scores, indent=2) + "\n")
    for path in checkpoint.saved(folder):
        path.unlink()  # the scores are what is kept; a table's checkpoints would fill a disk
    return None


def finished(folder: Path, seeds: int) -> tuple[dict[str, float], ...]:
    """The scores of the seeds that are done."""
    paths = [folder / f"seed{seed}" / SCORES for seed in range(seeds)]
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists())


def measured_costs(table: Table, task: Task, path: Path) -> dict[str, Cost]:
    """Each row's cost; measured once, together, so that times can be compared."""
    if not path.exists():
        costs = {row.name: asdict(cost_of(row.change(task.config))) for row in table.rows}
        write_whole(path, json.dumps(costs, indent=2) + "\n")
    return {name: Cost(**values) for name, values in json.loads(path.read_text(encoding="utf-8")).items()}


def check_facts(path: Path, facts: dict) -> None:
    """Write what the folder's results depend on; raises ``DataError`` where other facts are written there."""
    text = json.dumps(facts, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        known = json.loads(path.read_text(encoding="utf-8"))
        differing = sorted(
            name for name in known.keys() | facts.keys() if known.get(name) != json.loads(text).get(name)
        )
        raise DataError(
            f"{path.parent} holds an ablation with another {differing[0]}; give the same settings to go on, or name another folder"
        )
    write_whole(path, text)


def _slug(name: str) -> str:
    """A row's name as a folder's."""
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in name.lower()).split())
