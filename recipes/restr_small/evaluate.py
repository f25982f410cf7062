"""The table, the chart and the picture sheet of the README and of the model card.

    python recipes/restr_small/evaluate.py --photos PHOTOS
    python recipes/restr_small/evaluate.py --photos PHOTOS --model runs/small/model --out runs/small/evaluation

PHOTOS is a folder with images/ and instances.json. The same as ``restr eval --data photos:PHOTOS --split val --n 600
--seed 0 --out ...``, fixed here so that the published numbers have one command. Sentences depend on the seed and on
the grammar's version, so a changed grammar makes a new table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from restr.cli.verbs.measuring.eval import Eval, evaluate_and_report

COMMAND = "python recipes/restr_small/evaluate.py --photos PHOTOS"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Measure restr_small on photos val with generated expressions."""

    photos: Path
    """Folder with images/ and instances.json."""

    model: Path | None = None
    """A model folder (default: the bundled model)."""

    out: Path = Path("recipes/restr_small/evaluation")
    """Folder for table.md, metrics.json, records.jsonl, by_kind.png and cases.png."""

    n: int = 600
    """Sentences."""

    seed: int = 0
    """Draws the sentences."""

    threads: int = 0
    """For torch; 0 leaves the choice to it."""


def main(settings: Evaluation) -> None:
    """Evaluate and write the report."""
    evaluate_and_report(
        Eval(
            data=f"photos:{settings.photos}",
            split="val",
            n=settings.n,
            seed=settings.seed,
            model=settings.model,
            out=settings.out,
            threads=settings.threads,
        ),
        command=COMMAND,
    )


if __name__ == "__main__":
    main(tyro.cli(Evaluation, description=__doc__))
