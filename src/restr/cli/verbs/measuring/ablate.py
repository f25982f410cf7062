"""``restr ablate``: train the rows of a named table with several seeds, and write the table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from restr.cli.options import RootOptions, SettingOptions, ThreadOptions, parse_options
from restr.errors import ConfigError
from restr.files import write_atomically
from restr.training.config import TrainConfig

if TYPE_CHECKING:
    from restr.ablation.study import Study

_SETTINGS = TrainConfig(steps=1000, lr=1e-3, vision_lr_scale=1.0, schedule="cosine", ema=0.99, log_every=100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ablate(SettingOptions, RootOptions, ThreadOptions):
    """Compare variants of the model on your data: mean and spread over seeds, parameters, GMAC and milliseconds.

    On drawn scenes, or as restr train on any dataset. It can be interrupted at any time; the same command resumes it.
    OUT/table.md, OUT/table.png and OUT/seed_attention.png grow with every run.

    Example: restr ablate --table fusion --out runs/fusion --steps 1500

    On RefCOCOg, with the paper's settings: restr ablate --table paper-3 --config recipes/refcocog/config.toml --root DATA
    --vision vit.npz --vectors glove.txt --steps 50000 --out runs/paper-3
    """

    out: Path
    """Folder of the table and its runs."""

    table: Annotated[
        Literal[
            "variants",
            "fusion",
            "sharing",
            "lambda",
            "patch-label",
            "decoder",
            "patch-size",
            "attention",
            "paper-3",
            "paper-4",
        ],
        tyro.conf.arg(metavar="NAME"),
    ] = "fusion"
    """Which rows to compare: variants, fusion, sharing, lambda, patch-label, decoder, patch-size, attention, or of the
    paper's tables paper-3 and paper-4."""

    rows: tuple[str, ...] = ()
    """Only these rows of the table, by name (default: all)."""

    seeds: int = 3
    """Runs of each row, with different seeds."""

    batch: int = 32
    """Sentences per step."""

    preset: str | None = None
    """The model whose parts the rows change (default: restr_tiny on scenes, restr_base on a dataset, restr_small on
    features)."""

    data: str = "generated"
    """What to train on: "generated" (drawn scenes), or a dataset as for restr eval: NAME[:SPLITTER]:SPLIT, FORM:PATH:SPLIT,
    photos:DIR or everyday:DIR (their train splits)."""

    val: str | None = None
    """What to measure on; needed with a dataset. Of photos:DIR and everyday:DIR the val split."""

    model: Path | None = None
    """A trained model, as for restr predict, whose vision and language encoders and words all rows start from, instead of a
    preset."""

    vision: Path | None = None
    """Weights for the preset's vision encoder: a ViT of timm, DINOv2, Hugging Face or the JAX release."""

    vectors: Path | None = None
    """Word vectors for the preset: a file of GloVe, word2vec or NumPy."""

    n: int = 20_000
    """How many sentences to generate for the photographs of --data photos:DIR."""

    validation_samples: int = 512
    """How many samples of --val to measure on; 0 for all, of photos:DIR 512."""

    scenes: int = 20_000
    """Drawn scenes to train on, without --data and --features."""

    features: Path | None = None
    """Cached features of photographs (recipes/restr_small, cache.py), instead of drawn scenes or --data."""

    parts: Path | None = None
    """The encoder's and words' parts that the features belong to (fetch.py), instead of --model."""

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
    from restr.ablation.attention_report import has_seed_attention, plot_seed_attention, seed_attention_table
    from restr.ablation.report import ablation_table, plot_ablation
    from restr.ablation.run import run_table
    from restr.ablation.tables import table
    from restr.training.loop.state import exit_code

    settings.limit_torch()
    chosen = table(settings.table)
    if settings.rows:
        chosen = chosen.only(settings.rows)
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
    if has_seed_attention(results):
        text += "\n" + seed_attention_table(results)
        plot_seed_attention(chosen.title, results, settings.out / "seed_attention.png")
    write_atomically(settings.out / "table.md", text)
    plot_ablation(chosen.title, results, settings.out / "table.png")
    print(text)
    code = exit_code(stopped)
    if code:
        print(f"stopped by {stopped}; the same command resumes the table")
    return code


def study_of(settings: Ablate) -> Study:
    """Drawn scenes, a dataset, or cached features with the files that belong to them."""
    from restr.ablation.study import scenes_study

    if settings.features is not None:
        _refuse(settings, "data", "val", "vision", "vectors", why="does not go with --features")
        return _on_features(settings, settings.features)
    _refuse(settings, "parts", "sentences", "val_sentences", why="goes with --features only")
    if settings.data != "generated":
        return _on_dataset(settings)
    _refuse(settings, "val", "model", "vision", "vectors", why="goes with --data or --features only")
    return scenes_study(preset_name=settings.preset or "restr_tiny", scenes=settings.scenes, batch=settings.batch)


def _refuse(settings: Ablate, *names: str, why: str) -> None:
    """Raises ``ConfigError``, which says why, if one of these options is set."""
    unset = {field.name: field.default for field in dataclasses.fields(settings)}
    for name in names:
        if getattr(settings, name) != unset[name]:
            raise ConfigError(f"--{name.replace('_', '-')} {why}; leave it out")


def _on_features(settings: Ablate, features: Path) -> Study:
    """Photographs whose vision features are cached."""
    from restr.ablation.study import features_study
    from restr.inference.locate import model_folder

    if (settings.parts is None) == (settings.model is None) or settings.val_sentences is None or not settings.sentences:
        raise ConfigError(
            "--features needs --parts or --model, --sentences and --val-sentences too; see recipes/restr_small"
        )
    return features_study(
        features=features,
        parts=settings.parts,
        model=model_folder(settings.model) if settings.model else None,
        sentences=settings.sentences,
        val_sentences=settings.val_sentences,
        batch=settings.batch,
        preset_name=settings.preset or "restr_small",
    )


def _on_dataset(settings: Ablate) -> Study:
    """A dataset, as ``restr train`` reads it, or photographs with generated sentences."""
    from restr.ablation.study import dataset_study
    from restr.cli.notices import announce
    from restr.evaluation.samples import open_samples
    from restr.inference.locate import model_folder
    from restr.training.start import Start

    if settings.val is None:
        raise ConfigError(f"--data {settings.data} needs --val, what to measure on (refcocog:google:val)")
    train: Any = announce(open_samples(settings.data, settings.root, split="train", n=settings.n), settings.data)
    val = open_samples(settings.val, settings.root, split="val", n=settings.validation_samples or 512)
    return dataset_study(
        Start(
            preset=settings.preset or "restr_base",
            folder=model_folder(settings.model) if settings.model else None,
            vision=settings.vision,
            vectors=settings.vectors,
        ),
        train,  # all but drawn scenes know their texts and order
        announce(val, settings.val),
        names=(settings.data, settings.val),
        batch=settings.batch,
        measured=settings.validation_samples,
    )


def changed_study(study: Study, texts: Sequence[str]) -> Study:
    """The study with the fields of ``--set`` in the config that its rows change. Raises ``ConfigError``."""
    from restr.config.settings import parse_settings, with_settings

    if not texts:
        return study
    settings = parse_settings(texts)
    for name in ("language.vocab", "language.unknown_row"):
        if name in settings:
            raise ConfigError(f"{name} cannot be set: the words of all rows have their rows already; leave it out")
    if study.cached and any(path.startswith("vision.") for path in settings):
        raise ConfigError(
            f"--set {' '.join(texts)} changes the vision encoder; cached features are of one encoder only"
        )
    facts = study.facts | {"set": [f"{path}={text}" for path, text in settings.items()]}
    return dataclasses.replace(study, config=with_settings(study.config, settings), facts=facts)
