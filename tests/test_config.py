"""Configs say what is wrong with them, and come back from JSON as they were."""

import dataclasses
import json

import pytest

from restr.config import ModelConfig, PreprocessConfig, TransformerConfig, VisionConfig
from restr.errors import ConfigError
from restr.presets import PRESETS, preset, restr_base


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_comes_back_from_json_as_it_was(name: str) -> None:
    config = preset(name)
    assert ModelConfig.from_json(config.to_json()) == config
    assert config.name == name


def test_the_base_preset_is_the_papers() -> None:
    config = restr_base()
    assert (config.vision.blocks.width, config.vision.blocks.depth, config.vision.patch) == (768, 12, 16)
    assert (config.fusion.visual_linguistic.depth, config.fusion.linguistic_seed.depth) == (2, 2)
    assert (config.language.vectors, config.language.blocks.depth, config.language.max_words) == (300, 6, 20)
    assert (config.preprocess.size, config.preprocess.fit, config.decoder_blocks) == (480, "letterbox", 4)


def test_an_unknown_setting_is_named() -> None:
    values = json.loads(preset("restr_tiny").to_json())
    values["vision"]["blocks"]["widht"] = 3
    with pytest.raises(ConfigError, match=r"unknown setting vision\.blocks\.'widht'"):
        ModelConfig.from_json(json.dumps(values))


def test_a_missing_setting_is_named() -> None:
    values = json.loads(preset("restr_tiny").to_json())
    del values["fusion"]["linguistic_seed"]
    with pytest.raises(ConfigError, match="linguistic_seed"):
        ModelConfig.from_json(json.dumps(values))


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        ModelConfig.from_json("{")


def test_impossible_values_are_refused() -> None:
    blocks = TransformerConfig(width=8, depth=1, heads=2, mlp=8)
    with pytest.raises(ConfigError, match="width 8 is not divisible by heads 3"):
        TransformerConfig(width=8, depth=1, heads=3, mlp=8)
    with pytest.raises(ConfigError, match="power of 2"):
        VisionConfig(patch=14, blocks=blocks)
    with pytest.raises(ConfigError, match="threshold is 1.0"):
        PreprocessConfig(threshold=1.0)
    with pytest.raises(ConfigError, match="102 is not a multiple of vision.patch"):
        dataclasses.replace(preset("restr_tiny"), preprocess=PreprocessConfig(size=102))


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="restr_tiny, restr_small, restr_base"):
        preset("restr_huge")


def test_a_config_of_version_0_1_0_keeps_its_decoder() -> None:
    values = json.loads(preset("restr_tiny").to_json())
    del values["format"], values["decoder"]["beside"]
    assert ModelConfig.from_json(json.dumps(values)).decoder.beside == "fused"
    values["format"] = 99
    with pytest.raises(ConfigError, match="format is 99, restr reads up to"):
        ModelConfig.from_json(json.dumps(values))


def test_one_shared_block_has_no_rate_for_each_depth() -> None:
    with pytest.raises(ConfigError, match="drop_path is 0.1"):
        TransformerConfig(width=8, depth=2, heads=2, mlp=8, shared=True, drop_path=0.1)
