"""Fields of config dataclasses: read from plain values and checked, with errors that name what is known."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, get_args, get_type_hints

from restr.errors import ConfigError

T = TypeVar("T")


def from_dict(cls: type[T], values: dict[str, Any], *, where: str = "") -> T:
    """A (nested) config dataclass from plain JSON values; unknown and missing names raise ``ConfigError``."""
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ConfigError(f"unknown setting {where}{unknown[0]!r}; {cls.__name__} knows {', '.join(fields)}")
    hints = get_type_hints(cls)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]):
            value = from_dict(hints[name], value, where=f"{where}{name}.")  # type: ignore[arg-type]
        elif isinstance(value, list):
            value = tuple(value)
        arguments[name] = value
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{where or cls.__name__}: {error}") from error


def at_least(config: Any, name: str, least: int) -> None:
    """Raises ``ConfigError`` unless the named field is a whole number of at least ``least``."""
    value = getattr(config, name)
    if not isinstance(value, int) or value < least:
        raise ConfigError(f"{type(config).__name__}.{name} is {value!r}; it must be a whole number of at least {least}")


def one_of(config: Any, *names: str) -> None:
    """Raises ``ConfigError`` unless each named field is one of its annotation's literals."""
    hints = get_type_hints(type(config))
    for name in names:
        value, known = getattr(config, name), get_args(hints[name])
        if value not in known:
            raise ConfigError(f"{type(config).__name__}.{name} is {value!r}; choose one of {', '.join(known)}")
