"""``restr ablate``: train the rows of a named table with several seeds, and write the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from restr.cli.options import SettingOptions, ThreadOptions, parse_options
from restr.errors import ConfigError
from restr.files import write_atomically
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.ablation.study import Study

_SETTINGS = TrainConfig(steps=1000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", ema=0.99, log_every=100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ablate(SettingOptions, ThreadOptions):
    """Compare variants of the model on your data: mean and spread over seeds, parameters, GMAC and milliseconds.

    It can be interrupted at any time; the same command resumes it. OUT/table.md and OUT/table.png grow with every run.

    Example: restr ablate --table fusion --out runs/fusion --steps 1500
    """

    out: Path
    """Folder of the table and its runs."""

    table: Literal["fusion", "lambda", "patch-label", "decoder", "patch-size", "attention"] = "fusion"
    """Which rows to compare."""

    seeds: int = 3
    """Runs of each row, with different seeds."""

    batch: int = 32
    """Sentences per step."""

    preset: str | None = None
    """The model whose parts the rows change (default: restr_tiny on scenes, restr_small on features)."""

    scenes: int = 20_000
    """Drawn scenes to train on, without --features."""

    features: Path | None = None
    """Cached features of photographs (recipes/restr_small, cache.py), instead of drawn scenes."""

    parts: Path | None = None
    """The encoder's and words' parts that the features belong to (fetch.py)."""

    sentences: tuple[Path, ...] = ()
    """Training sentences for the features (make_sentences.py)."""

    val_sentences: Path | None = None
    """Sentences of held-out photographs, to measure with."""

    dice_weight: float = 1.0
    """Weight of the Dice term of the loss."""

    patch_weight: float = 0.1
    """Weight of the loss on patches (0.1 in the paper), where a row does not set it."""

    patch_share: float | None = 0.8
    """A patch is foreground where more than this share of it is; None takes the share itself as its label."""

    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = _SETTINGS
    """Settings of each run."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns 0, or 128 + n if signal n stopped it. Raises ``RestrError``."""
    return ablate(parse_options(Ablate, "restr ablate", arguments))


def ablate(settings: Ablate) -> int:
    """Run the rest of the table and write it."""
    from restr.ablation.report import ablation_table, plot_ablation
    from restr.ablation.run import run_table
    from restr.ablation.tables import table
    from restr.training.loop.state import exit_code

    settings.limit_torch()
    chosen = table(settings.table)
    if settings.seeds < 1:
        raise ConfigError(f"seeds is {settings.seeds}; it must be at least 1")
    results, stopped = run_table(
        chosen,
        changed_study(study_of(settings), settings.set),
        settings.out,
        seeds=settings.seeds,
        settings=settings.train,
        loss={name: getattr(settings, name) for name in ("dice_weight", "patch_weight", "patch_share")},
    )
    text = ablation_table(chosen.title, results)
    write_atomically(settings.out / "table.md", text)
    plot_ablation(chosen.title, results, settings.out / "table.png")
    print(text)
    code = exit_code(stopped)
    if code:
        print(f"stopped by {stopped}; the same command resumes the table")
    return code


def study_of(settings: Ablate) -> Study:
    """Drawn scenes, or cached features with the files that belong to them."""
    from restr.ablation.study import features_study, scenes_study

    if settings.features is None:
        return scenes_study(preset_name=settings.preset or "restr_tiny", scenes=settings.scenes, batch=settings.batch)
    if settings.parts is None or settings.val_sentences is None or not settings.sentences:
        raise ConfigError("--features needs --parts, --sentences and --val-sentences too; see recipes/restr_small")
    return features_study(
        features=settings.features,
        parts=settings.parts,
        sentences=settings.sentences,
        val_sentences=settings.val_sentences,
        batch=settings.batch,
        preset_name=settings.preset or "restr_small",
    )


def changed_study(study: Study, texts: Sequence[str]) -> Study:
    """The study with the fields of ``--set`` in the config that its rows change. Raises ``ConfigError``."""
    from restr.config.settings import parse_settings, with_settings

    if not texts:
        return study
    settings = parse_settings(texts)
    if study.cached and any(path.startswith("vision.") for path in settings):
        raise ConfigError(
            f"--set {' '.join(texts)} changes the vision encoder; cached features are of one encoder only"
        )
    facts = study.facts | {"set": [f"{path}={text}" for path, text in settings.items()]}
    return dataclasses.replace(study, config=with_settings(study.config, settings), facts=facts)
