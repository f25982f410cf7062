"""Settings files: a table of the model's fields beside the options."""

from __future__ import annotations

from pathlib import Path

import pytest

from restr.cli.config_file import options_of, with_config
from restr.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'steps = 5\n[set]\nfusion.variant = "ime"\nvision.taps = [1, 2]\nfusion.normalise = true\n'),
        ("b.toml", 'steps = 5\n[set.fusion]\nvariant = "ime"\nnormalise = true\n[set.vision]\ntaps = [1, 2]\n'),
        ("c.json", '{"steps": 5, "set": ["fusion.variant=ime", "vision.taps=1,2", "fusion.normalise=true"]}'),
        (
            "d.json",
            '{"settings": {"steps": 5, "set": ["fusion.variant=ime", "vision.taps=1,2", "fusion.normalise=true"]}}',
        ),
    ],
)
def test_a_table_of_fields_is_as_if_each_had_been_set(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = options_of(tmp_path / name)
    assert {tuple(words) for words in found} == {
        ("--set", "fusion.variant=ime"),
        ("--set", "vision.taps=1,2"),
        ("--set", "fusion.normalise=true"),
        ("--steps", "5"),
    }


def test_fields_of_the_file_come_before_those_of_the_command_line(tmp_path: Path) -> None:
    """Both count; of equal fields the last does, which is the command line's."""
    (tmp_path / "a.toml").write_text('steps = 5\n[set]\nfusion.variant = "ime"\n')
    words = with_config(["--config", str(tmp_path / "a.toml"), "--set", "fusion.variant=vme", "--steps", "7"])
    assert words == ["--set", "fusion.variant=ime", "--set", "fusion.variant=vme", "--steps", "7"]


def test_a_set_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('set = "fusion.variant=ime"\n')
    with pytest.raises(ConfigError, match="has set = 'fusion.variant=ime'; expected a table"):
        options_of(tmp_path / "a.toml")
