"""Presets say what they cost, and each one builds; ``tests/model/test_variants.py`` holds their contract."""

from __future__ import annotations

import re

import pytest

from restr.ablation.cost import gmac_of, parameters_of
from restr.config import ModelConfig
from restr.errors import ConfigError
from restr.presets import PRESETS, preset

NAMED = [name for name in PRESETS if name.startswith("restr_base")]


@pytest.mark.parametrize("name", NAMED)
def test_a_docstring_has_the_counted_numbers_and_the_command(name: str) -> None:
    text, config = " ".join((PRESETS[name].__doc__ or "").split()), preset(name)
    said = re.search(r"Parameters: ([\d.]+) million.*Cost: ([\d.]+) GMAC", text)
    assert said is not None
    assert float(said[1]) == round(parameters_of(config) / 1e6, 1)
    assert float(said[2]) == round(gmac_of(config), 1)
    assert "restr train --config recipes/refcoco/config.toml" in text
    assert name == "restr_base" or f"--preset {name} " in text


def test_the_named_variants_are_what_their_names_say() -> None:
    def differing(config: ModelConfig) -> set[str]:
        base = preset("restr_base")
        return {
            part for part in ("vision", "language", "fusion", "decoder") if getattr(config, part) != getattr(base, part)
        }

    dagger, ime, vme, fine = (preset(f"restr_base_{each}") for each in ("dagger", "ime", "vme", "p8_windowed"))
    assert [config.name for config in (dagger, ime)] == ["restr_base_dagger", "restr_base_ime"]
    assert (dagger.fusion.sharing, ime.fusion.variant, vme.fusion.variant) == ("depth", "ime", "vme")
    assert all(differing(config) == {"fusion"} for config in (dagger, ime, vme))
    assert differing(fine) == {"vision", "fusion"} and fine.vision.patch * fine.vision.grid == fine.preprocess.size
    assert {fine.vision.blocks.attention, fine.fusion.visual_linguistic.attention} == {"windowed"}
    assert fine.fusion.linguistic_seed.attention == "full", "it has no patches"


def test_an_unknown_preset_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no preset 'restr_huge'; choose one of restr_tiny, .*restr_base_dagger"):
        preset("restr_huge")
