"""The options of the application under Ray Serve, and the line that the documentation shows; without Ray."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from restr.errors import ConfigError
from restr.server.processes.ray_options import read_options, settings_of
from restr.server.settings import ServerSettings


def test_options_are_those_of_restr_serve() -> None:
    found = settings_of({"model": ["a=x", "b=y"], "rate-limit": "60", "kept_s": 5, "allowed_host": "here"})
    assert found == ServerSettings(host="0.0.0.0", models=("a=x", "b=y"), rate_limit=60, kept_s=5.0, hosts=("here",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"port": 80}, "port is 80, but Ray Serve decides"),
        ({"workers": 2}, "replicas=N"),
        ({"colour": "red"}, "--colour=red cannot be read"),
        ({"threads": "many"}, "--threads=many cannot be read"),
        ({"replicas": "1.5"}, "replicas is 1.5"),
        ({"replicas": 0}, "at least 1"),
        ({"cpus": "two"}, "cpus is 'two'"),
        ({"gpus": -1}, "gpus is -1"),
    ],
)
def test_wrong_options_are_reported(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        read_options(options)


def test_the_line_of_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "server.md").read_text(encoding="utf-8")
    ((module, line),) = re.findall(r"serve run (restr[.\w]+):app (.+)", page)
    assert importlib.util.find_spec(module) is not None
    options = read_options(dict(word.partition("=")[::2] for word in line.split()))
    assert (options.replicas, options.cpus, options.settings.rate_limit) == (4, 2, 600)
