"""Fields of a config by dotted path: ``fusion.variant=ime``, as ``--set`` and ``Start(settings=...)`` name them."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from restr.errors import ConfigError
from restr.fields import as_int, from_dict

_Config = TypeVar("_Config")


def with_settings(config: _Config, settings: Mapping[str, Any]) -> _Config:
    """The config with other values in the named fields, all set before the config checks itself.

    settings: dotted path -> a value of the field's type, or its text ("ime", "0.4", "true", "4,8"). Raises ``ConfigError``
    for a name or a value that does not fit, with the nearest name or the expected values.
    """
    if not settings:
        return config
    values = dataclasses.asdict(config)  # type: ignore[call-overload]
    kinds = field_kinds(type(config))
    for path, value in settings.items():
        *groups, name = _known(path, kinds).split(".")
        place = values
        for group in groups:
            place = place[group]
        place[name] = _value(path, value, kinds[path])
    return from_dict(type(config), values)


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """Path -> text of the value, of texts such as "fusion.variant=ime"; the last of equal paths counts.

    Raises ``ConfigError`` for a text without an equals sign.
    """
    found: dict[str, str] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"the setting is {text!r}; write NAME=VALUE, such as fusion.variant=ime")
        found.pop(path.strip(), None)
        found[path.strip()] = value.strip()
    return found


def setting_texts(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Settings, nested or with dotted names, as texts for ``parse_settings``."""
    found: list[str] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += setting_texts(value, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}={_text(value)}")
    return found


def field_kinds(config: type, prefix: str = "") -> dict[str, Any]:
    """Dotted path -> annotation of every field of a config class that is not a config itself."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(config).items():
        if dataclasses.is_dataclass(kind):
            found |= field_kinds(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            found[prefix + name] = kind
    return found


def _known(path: str, kinds: Mapping[str, Any]) -> str:
    """The path. Raises ``ConfigError`` with the nearest names if no field has it."""
    if path in kinds:
        return path
    inside = [name for name in kinds if name.startswith(f"{path}.")]
    if inside:
        raise ConfigError(f"the setting {path!r} is a group; set one of its fields: {', '.join(inside)}")
    last = path.rpartition(".")[2]
    near = [name for name in kinds if name.rpartition(".")[2] == last]
    near += [name for name in difflib.get_close_matches(path, kinds, n=3, cutoff=0.6) if name not in near]
    if not near:  # nearest by its last part: "varaint" alone
        ends = difflib.get_close_matches(last, {name.rpartition(".")[2] for name in kinds}, n=1)
        near = [name for name in kinds if name.rpartition(".")[2] in ends]
    groups = dict.fromkeys(name.partition(".")[0] for name in kinds)
    advice = f"did you mean {' or '.join(near[:3])}?" if near else f"settings begin with one of {', '.join(groups)}"
    raise ConfigError(f"there is no setting {path!r}; {advice}")


def _value(path: str, value: Any, kind: Any) -> Any:
    """A value of the field's type, from text or as it is. Raises ``ConfigError``."""
    found, expected = _read(value, kind)
    if found is _WRONG:
        near = difflib.get_close_matches(str(value), [str(each) for each in get_args(kind)], n=1)
        hint = f"; did you mean {near[0]}?" if near and get_origin(kind) is Literal else ""
        raise ConfigError(f"the setting {path} is {value!r}; expected {expected}{hint}")
    return found


_WRONG = object()
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _read(value: Any, kind: Any) -> tuple[Any, str]:
    """(the value as the annotation wants it, or ``_WRONG``; what was expected)."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        chosen = [each for each in parts if value == each or isinstance(value, str) and value == str(each)]
        return (chosen[0] if chosen else _WRONG), f"one of {', '.join(map(str, parts))}"
    if origin in (Union, UnionType):
        return _read_union(value, parts)
    if origin is tuple:
        return _read_tuple(value, parts)
    if kind is bool:
        return (value if isinstance(value, bool) else _TRUTHS.get(str(value).lower(), _WRONG)), "true or false"
    if kind is int:
        whole = as_int(value)
        return (_number(int, value) if whole is None else whole), "a whole number"
    if kind is float:
        return _number(float, value), "a number"
    return (value if isinstance(value, str) else _WRONG), "text"


def _read_union(value: Any, parts: tuple[Any, ...]) -> tuple[Any, str]:
    if NoneType in parts and (value is None or str(value).lower() == "none"):
        return None, "none"
    tried = [_read(value, part) for part in parts if part is not NoneType]
    found = next((each for each, _ in tried if each is not _WRONG), _WRONG)
    return found, " or ".join([*(expected for _, expected in tried), *(["none"] if NoneType in parts else [])])


def _read_tuple(value: Any, parts: tuple[Any, ...]) -> tuple[Any, str]:
    if isinstance(value, str):
        value = [each for each in value.strip("()[] ").replace(" ", ",").split(",") if each]
    free = len(parts) == 2 and parts[1] is Ellipsis
    wanted = f"{_read('', parts[0])[1]} each, with commas" if free else f"{len(parts)} values with commas"
    if not isinstance(value, (list, tuple)) or not free and len(value) != len(parts):
        return _WRONG, wanted
    found = tuple(
        _read(each, parts[0] if free else part)[0] for each, part in zip(value, parts * len(value), strict=False)
    )
    return (_WRONG if _WRONG in found else found), wanted


def _number(kind: type, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or kind is int and isinstance(value, float):
        return _WRONG
    try:
        return kind(value)
    except ValueError:
        return _WRONG


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value).replace("null", "none")
