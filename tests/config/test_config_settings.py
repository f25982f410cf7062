"""Fields of a config by dotted path: right names and values are taken, wrong ones are told the right ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from restr.config import ModelConfig
from restr.config.settings import field_kinds, parse_settings, setting_texts, with_settings
from restr.errors import ConfigError
from restr.presets import restr_base, restr_tiny


def changed(*texts: str) -> ModelConfig:
    return with_settings(restr_tiny(), parse_settings(texts))


def test_values_are_read_by_the_type_of_their_field() -> None:
    config = changed(
        "fusion.variant=ime",
        "fusion.normalise=true",
        "vision.blocks.drop_path=0.2",
        "vision.grid=8",
        "vision.taps=1,2",
        "preprocess.mean=0.1,0.2,0.3",
        "name = mine",
    )
    assert (config.fusion.variant, config.fusion.normalise, config.name) == ("ime", True, "mine")
    assert (config.vision.blocks.drop_path, config.vision.grid, config.vision.taps) == (0.2, 8, (1, 2))
    assert config.preprocess.mean == (0.1, 0.2, 0.3)
    assert changed("vision.taps=") == changed() == restr_tiny()


def test_values_that_are_no_text_are_taken_as_they_are() -> None:
    settings = {"preprocess.size": 32, "vision.taps": [1], "decoder.head_bias": False, "preprocess.threshold": 0.25}
    config = with_settings(restr_tiny(), settings)
    assert (config.preprocess.size, config.vision.taps, config.decoder.head_bias) == (32, (1,), False)
    assert with_settings(restr_tiny(), parse_settings(setting_texts(settings))) == config


def test_all_settings_are_made_before_the_config_checks_itself() -> None:
    """Either of them alone leaves two encoders that differ, which sharing does not allow."""
    both = ("fusion.sharing=encoders", "fusion.visual_linguistic.depth=2")
    assert changed(*both).fusion.visual_linguistic.depth == 2
    with pytest.raises(ConfigError, match="visual_linguistic and linguistic_seed differ"):
        changed(both[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fusion.varient=ime", r"no setting 'fusion.varient'; did you mean fusion.variant"),
        ("variant=ime", r"did you mean fusion.variant"),
        ("varaint=ime", r"did you mean fusion.variant"),
        ("drop_path=0", r"did you mean vision.blocks.drop_path or language.blocks.drop_path or"),
        ("qqq=1", "settings begin with one of name, vision, language, fusion"),
        ("vision.blocks=1", "'vision.blocks' is a group; set one of its fields: vision.blocks.width"),
        ("fusion.variant=imee", r"fusion.variant is 'imee'; expected one of cme, ime, vme; did you mean ime\?"),
        ("preprocess.size=big", "preprocess.size is 'big'; expected a whole number"),
        ("preprocess.size=64.0", "expected a whole number"),
        ("preprocess.threshold=half", "expected a number"),
        ("fusion.normalise=maybe", "expected true or false"),
        ("preprocess.std=1,2", "expected 3 values with commas"),
        ("vision.taps=1,x", "expected a whole number each, with commas"),
        ("fusion.variant", "the setting is 'fusion.variant'; write NAME=VALUE"),
        ("preprocess.size=63", "not a multiple of vision.patch 4"),
        ("preprocess.threshold=1.5", "must be between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_told_what_does(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        changed(text)


def test_every_field_of_the_config_can_be_set_to_what_it_is() -> None:
    import dataclasses
    from typing import Any

    def leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in values.items():
            found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        return found

    config = restr_base()
    values = leaves(dataclasses.asdict(config))
    assert values.keys() == field_kinds(ModelConfig).keys()
    assert with_settings(config, parse_settings(setting_texts(values))) == config


def test_optional_fields_may_be_none() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Optional:
        number: int | None = 3

    globals()["Optional"] = Optional
    assert with_settings(Optional(), {"number": "none"}).number is None
    assert with_settings(Optional(), {"number": "4"}).number == 4
    with pytest.raises(ConfigError, match="expected a whole number or none"):
        with_settings(Optional(), {"number": "x"})
