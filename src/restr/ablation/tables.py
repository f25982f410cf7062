"""The named ablation tables: which rows, and what each row changes (the shape of the paper's tables 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from restr.config import ModelConfig
from restr.errors import ConfigError

Change = Callable[[ModelConfig], ModelConfig]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table."""

    name: str
    """Its name in the table."""

    change: Change = lambda config: config
    """Its change of the model's config."""

    loss: dict[str, Any] = field(default_factory=dict)
    """Its settings of ``segmentation_loss``."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows to compare."""

    title: str
    """The heading of the table."""

    rows: tuple[Row, ...]
    """Its lines, in order."""

    def only(self, names: Sequence[str]) -> Table:
        """The table with these rows only. Raises ``ConfigError`` with the known names."""
        known = {row.name: row for row in self.rows}
        for name in names:
            if name not in known:
                raise ConfigError(f"the table {self.title!r} has no row {name!r}; choose from {', '.join(known)}")
        return replace(self, rows=tuple(row for row in self.rows if row.name in names))


def fusion(**settings: Any) -> Change:
    """Fusion settings with two equal encoders of two blocks, as in the paper; equal encoders can share weights."""

    def change(config: ModelConfig) -> ModelConfig:
        blocks = replace(config.fusion.linguistic_seed, depth=2)
        return replace(
            config, fusion=replace(config.fusion, visual_linguistic=blocks, linguistic_seed=blocks, **settings)
        )

    return change


def decoder(**settings: Any) -> Change:
    """Decoder settings."""
    return lambda config: replace(config, decoder=replace(config.decoder, **settings))


def patch(side: int) -> Change:
    """Patches of another size on the same input."""
    return lambda config: replace(
        config, vision=replace(config.vision, patch=side, grid=config.preprocess.size // side)
    )


def windowed(*, window: int, cells: int, vision: bool) -> Change:
    """Windowed attention in the visual-linguistic encoder, and in the vision encoder too."""
    kind = {"attention": "windowed", "window": window, "cells": cells}

    def change(config: ModelConfig) -> ModelConfig:
        seeing = replace(config.fusion.visual_linguistic, **kind)
        config = replace(config, fusion=replace(config.fusion, visual_linguistic=seeing))
        if vision:
            config = replace(config, vision=replace(config.vision, blocks=replace(config.vision.blocks, **kind)))
        return config

    return change


def _together(*changes: Change) -> Change:
    """One change after the other."""

    def change(config: ModelConfig) -> ModelConfig:
        for each in changes:
            config = each(config)
        return config

    return change


_VARIANTS = tuple(Row(name=name.upper(), change=fusion(variant=name)) for name in ("vme", "ime", "cme"))
_DEPTH, _ROLES = "one block over depth", "one encoder in both roles"
_SHARED = {  # VME has one encoder only
    f"{variant.upper()}{'-dagger' if variant == 'cme' else ''}, {name}": fusion(variant=variant, sharing=sharing)
    for variant in ("vme", "ime", "cme")
    for sharing, name in (("depth", _DEPTH), ("encoders", _ROLES))
    if (variant, sharing) != ("vme", "encoders")
}
_SHARING = (*_VARIANTS, *(Row(name=name, change=change) for name, change in _SHARED.items()))
_DAGGER = tuple(row for row in _SHARING if row.name.startswith("CME-dagger"))

ABLATION_TABLES: dict[str, Table] = {
    "variants": Table(title="Fusion variants (2 + 2 blocks)", rows=_VARIANTS),
    "fusion": Table(
        title="Fusion encoders (2 + 2 blocks)",
        rows=(*_VARIANTS, *_DAGGER),
    ),
    "sharing": Table(title="Fusion encoders with and without shared weights (2 + 2 blocks)", rows=_SHARING),
    "lambda": Table(
        title="Weight of the patch loss",
        rows=tuple(Row(name=f"lambda {value:g}", loss={"patch_weight": value}) for value in (0.0, 0.1, 0.5, 1.0)),
    ),
    "patch-label": Table(
        title="Which patches are foreground",
        rows=(
            Row(name="share above 0.8", loss={"patch_share": 0.8}),
            Row(name="share above 0.5", loss={"patch_share": 0.5}),
            Row(name="any pixel", loss={"patch_share": 0.0}),
            Row(name="the share itself", loss={"patch_share": None}),
        ),
    ),
    "decoder": Table(
        title="Decoder",
        rows=(
            Row(name="none", change=decoder(kind="none")),
            Row(name="beside the patches before fusion", change=decoder(beside="input")),
            Row(name="beside the patches after fusion", change=decoder(beside="fused")),
            Row(name="masked by the logit", change=decoder(mask_by="logit")),
        ),
    ),
    "patch-size": Table(
        title="Patch size",
        rows=tuple(Row(name=f"P = {side}", change=patch(side)) for side in (16, 8, 4)),
    ),
    "attention": Table(
        title="Attention",
        rows=(
            Row(name="full"),
            Row(name="windowed, 4 x 4 patches", change=windowed(window=4, cells=4, vision=True)),
            Row(name="windowed, 8 x 8 patches", change=windowed(window=8, cells=4, vision=True)),
        ),
    ),
    "paper-3": Table(
        title="Fusion, patch loss, patch size and decoder (2 + 2 blocks; the shape of the paper's table 3)",
        rows=(
            *_SHARING,
            *(
                Row(name=f"CME, lambda {value:g}", change=fusion(), loss={"patch_weight": value})
                for value in (0.0, 0.5, 1.0)
            ),
            *(Row(name=f"CME, P = {side}", change=_together(fusion(), patch(side))) for side in (32, 8)),
            Row(name="CME without decoder", change=_together(fusion(), decoder(kind="none"))),
        ),
    ),
    "paper-4": Table(
        title="By length of the expression (2 + 2 blocks; the shape of the paper's table 4)",
        rows=(*_VARIANTS, *_DAGGER[:1]),
    ),
}


def table(name: str) -> Table:
    """The named table. Raises ``ConfigError`` with the known names."""
    if name not in ABLATION_TABLES:
        raise ConfigError(f"there is no ablation table {name!r}; choose one of {', '.join(ABLATION_TABLES)}")
    return ABLATION_TABLES[name]
