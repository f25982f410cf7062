"""Reading and checking the fields of config dataclasses; errors name the allowed values."""

from __future__ import annotations

import dataclasses
import numbers
from typing import Any, TypeVar, get_args, get_type_hints

from restr.errors import ConfigError

_T = TypeVar("_T")


def from_dict(cls: type[_T], values: dict[str, Any], *, where: str = "") -> _T:
    """A (nested) config dataclass from JSON values. Raises ``ConfigError`` for unknown and missing names."""
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


def as_int(value: Any) -> int | None:
    """An integer of any type (NumPy's, a library's) as Python's int; None for anything else, bools included."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return None
    return int(value)


def seed_of(value: Any) -> int:
    """A seed that NumPy accepts. Raises ``ConfigError``."""
    number = as_int(value)
    if number is None or number < 0:
        raise ConfigError(f"the seed is {value!r}; it must be a whole number of at least 0")
    return number


def share(name: str, value: Any) -> float:
    """A number between 0 and 1, both excluded, as Python's float. Raises ``ConfigError``."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0.0 < float(value) < 1.0:
        raise ConfigError(f"{name} is {value!r}; it must be a number between 0 and 1, such as 0.5")
    return float(value)


def at_least(config: Any, name: str, least: int) -> None:
    """Raises ``ConfigError`` unless the named field is a whole number >= ``least``; makes it Python's int, for JSON."""
    value = getattr(config, name)
    number = as_int(value)
    if number is None or number < least:
        raise ConfigError(f"{type(config).__name__}.{name} is {value!r}; it must be a whole number of at least {least}")
    if type(value) is not int:
        object.__setattr__(config, name, number)  # the config is frozen, but still under construction


def one_of(config: Any, *names: str) -> None:
    """Raises ``ConfigError`` unless each named field is one of the literals of its annotation."""
    hints = get_type_hints(type(config))
    for name in names:
        value, known = getattr(config, name), get_args(hints[name])
        if value not in known:
            raise ConfigError(f"{type(config).__name__}.{name} is {value!r}; choose one of {', '.join(known)}")
