"""The options of the application under Ray Serve, by name; read without Ray."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any, NamedTuple

import tyro

from restr.errors import ConfigError
from restr.server.settings import ServerSettings

# Serve decides these in place of `restr serve`: option -> where to say it.
_SERVE_DECIDES = {
    "host": "http_options.host of a Serve config file, or serve.start",
    "port": "http_options.port of a Serve config file, or serve.start",
    "workers": "replicas=N",
}


class RayOptions(NamedTuple):
    """How many replicas there are, the resources of each, and the settings of its server."""

    replicas: int
    """Processes that answer, on all machines together."""

    cpus: float
    """Processors that each replica reserves; may be a fraction."""

    gpus: float
    """GPUs that each replica reserves; may be a fraction."""

    settings: ServerSettings
    """The options of ``restr serve``."""


def read_options(args: Mapping[str, Any]) -> RayOptions:
    """Options as ``serve run`` passes them. Raises ``ConfigError``."""
    options = dict(args)
    replicas = _pop_number(options, "replicas", 1)
    cpus, gpus = _pop_number(options, "cpus", 1), _pop_number(options, "gpus", 0)
    if replicas < 1 or replicas != int(replicas):
        raise ConfigError(f"replicas is {replicas:g}; it must be a whole number of at least 1: replicas=2")
    return RayOptions(int(replicas), cpus, gpus, settings_of(options))


def settings_of(options: Mapping[str, Any]) -> ServerSettings:
    """The options of ``restr serve`` by name, a list for one that may be given several times. Raises ``ConfigError``."""
    words = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if option in _SERVE_DECIDES:
            raise ConfigError(
                f"{name} is {value!r}, but Ray Serve decides about it; say it there: {_SERVE_DECIDES[option]}"
            )
        for each in value if isinstance(value, list | tuple) else [value]:
            words.append(f"--{option}={each}")
    output = io.StringIO()
    try:
        with redirect_stderr(output), redirect_stdout(output):
            settings = tyro.cli(ServerSettings, prog="restr serve", args=words)
    except SystemExit as end:
        raise ConfigError(
            f"{' '.join(words)} cannot be read as options of `restr serve`; its --help lists them:\n{output.getvalue()}"
        ) from end
    # Serve listens for every machine of the cluster, so a Host header can name any of them, unless --allowed-host says which.
    return replace(settings, host="0.0.0.0")


def _pop_number(options: dict[str, Any], name: str, default: float) -> float:
    """An option that is not one of ``restr serve``, popped from ``options``. Raises ``ConfigError``."""
    value = options.pop(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} is {value!r}; it must be a number: {name}=2") from error
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name} is {value!r}; it must not be negative: {name}=2")
    return number
