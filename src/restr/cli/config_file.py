"""``restr VERB --config FILE``: settings from a JSON, TOML or YAML file, as if they had been typed.

Options on the command line override those in the file. Nested tables are flattened: {train: {lr: 1e-3}} is --lr 1e-3.
Only ``set`` is a table of its own, of fields of the model's config: {set: {fusion: {variant: ime}}} is --set
fusion.variant=ime. It is made before those of the command line, so that both count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from restr.config.settings import setting_texts
from restr.errors import ConfigError
from restr.files import read_text

_OPTION, _SET = "--config", "--set"


def with_config(arguments: Sequence[str]) -> list[str]:
    """The arguments of a verb, with those of its settings file. Raises ``ConfigError``."""
    rest, path = _without(list(arguments))
    if path is None:
        return rest
    typed = {_name(word) for word in rest if word.startswith("--")}
    options = [words for words in options_of(Path(path)) if _name(words[0]) not in typed or words[0] == _SET]
    first = [words for words in options if words[0] == _SET]  # of equal fields the last counts
    last = [words for words in options if words[0] != _SET]
    return [word for words in [*first, rest, *last] for word in words]


def options_of(path: Path) -> list[list[str]]:
    """A file's settings, each as words of the command line."""
    content = read_settings(path)
    if isinstance(content.get("settings"), Mapping):  # a run's run.json
        content = content["settings"]
    changes = content.get("set", [])
    listed = isinstance(changes, list) and all(isinstance(each, str) for each in changes)
    if not listed and not isinstance(changes, Mapping):
        raise ConfigError(f'the settings file {path} has set = {changes!r}; expected a table: fusion.variant = "ime"')
    texts = setting_texts(changes) if isinstance(changes, Mapping) else changes
    others = {name: value for name, value in content.items() if name != "set"}
    return [*([_SET, text] for text in texts), *(_typed(name, value, path) for name, value in _flat(others, path))]


def read_settings(path: Path) -> Mapping[str, Any]:
    """The mapping in a .json, .toml, .yaml or .yml file. Raises ``ConfigError``."""
    try:
        text = read_text(path)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read ({error})") from error
    try:
        if path.suffix == ".toml":
            import tomllib

            content = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            content = _yaml(text)
        elif path.suffix == ".json":
            import json

            content = json.loads(text)
        else:
            raise ConfigError(f"the settings file is {path}; expected a .json, .toml or .yaml file")
    except ValueError as error:
        raise ConfigError(f"the settings file {path} is damaged: {error}") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"the settings file {path} holds a {type(content).__name__}; expected names with values")
    return content


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ConfigError("YAML files need PyYAML; run: pip install 'restr[train]', or write TOML or JSON") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _without(words: list[str]) -> tuple[list[str], str | None]:
    """The words without ``--config FILE``, and the file."""
    for place, word in enumerate(words):
        if word == _OPTION:
            if place + 1 == len(words):
                raise ConfigError(f"{_OPTION} needs a file: {_OPTION} run.toml")
            return words[:place] + words[place + 2 :], words[place + 1]
        if word.startswith(f"{_OPTION}="):
            return words[:place] + words[place + 1 :], word.partition("=")[2]
    return words, None


def _flat(content: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if not isinstance(name, str):
            raise ConfigError(f"the settings file {path} has the name {name!r}; names are text")
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield name, value


def _typed(name: str, value: Any, path: Path) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else f"--no-{option.removeprefix('--')}"]
    if isinstance(value, (list, tuple)):
        return [option, *map(str, value)]
    if value is None or isinstance(value, (str, int, float)):
        return [option, str(value)]
    raise ConfigError(
        f"the settings file {path} has {name} = {value!r}; expected text, a number, true, false or a list"
    )


def _name(option: str) -> str:
    """An option's name, from either spelling."""
    return option.partition("=")[0].removeprefix("--").removeprefix("no-").replace("_", "-")
