"""Train every row of a table with every seed and keep the scores; an interrupted table is resumed."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from restr.ablation.cost import Cost, cost_of
from restr.ablation.study import Study
from restr.ablation.tables import Row, Table
from restr.errors import ConfigError
from restr.facts import refuse_other_facts
from restr.files import write_atomically
from restr.losses import segmentation_loss
from restr.model.folder import FROZEN
from restr.training.config import TrainConfig
from restr.training.loop import checkpoint
from restr.training.loop.trainer import Trainer
from restr.training.run.record import flatten

_FACTS, SCORES, _COSTS = "ablation.json", "scores.json", "costs.json"
_logger = logging.getLogger("restr")


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """The results of a row."""

    name: str
    """The row."""

    scores: tuple[dict[str, float], ...]
    """The metrics of each finished seed."""

    cost: Cost
    """The cost of its model."""


def run_table(
    table: Table, study: Study, folder: Path, *, seeds: int, settings: TrainConfig, loss: dict[str, Any] | None = None
) -> tuple[list[RowResult], str | None]:
    """The results of all rows, and why the table was stopped early (None: it was not).

    ``loss``: settings of ``segmentation_loss`` that a row may override. Every seed is run for all rows before the next
    seed, so that an interrupted table is still fair. Raises ``DataError`` if ``folder`` holds an ablation with other
    settings.
    """
    changed = [row.name for row in table.rows if row.change(study.config).vision != study.config.vision]
    if study.cached and changed:
        raise ConfigError(
            f"{', '.join(changed)}: these rows of the table {table.title!r} change the vision encoder, and cached features are "
            "of one encoder only; choose others with --rows"
        )
    folder.mkdir(parents=True, exist_ok=True)
    loss = loss or {}
    facts = {
        "title": table.title,
        "rows": [row.name for row in table.rows],
        **study.facts,
        "loss": loss,
        "train": {k: v for k, v in asdict(settings).items() if k not in ("seed", "device", "workers")},
    }
    _check_facts(folder / _FACTS, facts)
    stopped = None
    for seed in range(seeds):
        for row in table.rows:
            if stopped is None:
                stopped = _run_row(row, study, folder / _folder_name(row), seed, settings, loss)
    costs = _measured_costs(table, study, folder / _COSTS)
    return [
        RowResult(name=row.name, scores=_finished(folder / _folder_name(row), seeds), cost=costs[row.name])
        for row in table.rows
    ], stopped


def _run_row(
    row: Row, study: Study, folder: Path, seed: int, settings: TrainConfig, loss: dict[str, Any]
) -> str | None:
    """Train and measure one row with one seed, unless that is done; returns why it stopped early, if it did."""
    folder = folder / f"seed{seed}"
    if (folder / SCORES).exists():
        return None
    task = study.task(row.change(study.config), seed)
    evaluate = task.evaluate
    task = replace(task, loss=partial(segmentation_loss, **loss | row.loss), evaluate=None, draw=None)
    trainer = Trainer(task, replace(settings, seed=seed), folder, resume=bool(checkpoint.list_checkpoints(folder)))
    _logger.info("%s, seed %d", row.name, seed)
    result = trainer.fit()
    if result.stopped is not None:
        return result.stopped
    model = trainer.load_averaged()
    scores = (evaluate(model) if evaluate else {}) | (task.seed_attention(model) if task.seed_attention else {})
    write_atomically(folder / SCORES, json.dumps(scores, indent=2) + "\n")
    for path in checkpoint.list_checkpoints(folder):
        path.unlink()  # only the scores are kept: the checkpoints of a table would fill a disk
    (folder / FROZEN).unlink(missing_ok=True)
    return None


def _finished(folder: Path, seeds: int) -> tuple[dict[str, float], ...]:
    """The scores of the finished seeds."""
    paths = [folder / f"seed{seed}" / SCORES for seed in range(seeds)]
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists())


def _measured_costs(table: Table, study: Study, path: Path) -> dict[str, Cost]:
    """The cost of each row; measured once, together, so that times can be compared."""
    if not path.exists():
        costs = {row.name: asdict(cost_of(row.change(study.config))) for row in table.rows}
        write_atomically(path, json.dumps(costs, indent=2) + "\n")
    return {name: Cost(**values) for name, values in json.loads(path.read_text(encoding="utf-8")).items()}


def _check_facts(path: Path, facts: dict[str, Any]) -> None:
    """Write what the results of a folder depend on. Raises ``DataError`` if the folder was begun with other facts."""
    text = json.dumps(facts, indent=2) + "\n"
    if path.exists():
        known = flatten(json.loads(path.read_text(encoding="utf-8")))
        refuse_other_facts(known, flatten(json.loads(text)), f"{path.parent} holds an ablation")
    write_atomically(path, text)


def _folder_name(row: Row) -> str:
    """The name of a row's folder: its words in lower case, joined by hyphens."""
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in row.name.lower()).split())
