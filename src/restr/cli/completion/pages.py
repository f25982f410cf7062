"""The help pages of restr, read as facts: verbs, their options and what these take."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass

from restr.cli.main import main
from restr.errors import RestrError

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WIDE = 250  # columns, so that no name is wrapped
_PATHS = ("PATH", "DIR", "FILE", "IMAGE")
_SAID = re.compile(r" *\((?:default|required|repeatable)\b.*", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class HelpOption:
    """An option as a help page shows it."""

    names: tuple[str, ...]
    """--model; of a switch also --no-NAME."""

    value: str
    """What follows the name, such as PATH or {auto,cpu}; empty for a switch."""

    text: str
    """The first sentence of its text."""

    repeatable: bool = False
    """Whether it may be given several times."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it takes, if they are listed."""
        return _choices(self.value)

    @property
    def is_path(self) -> bool:
        """Whether its value is a file or a folder, or may name one."""
        return any(each in self.value for each in (*_PATHS, "STR"))


@dataclass(frozen=True, kw_only=True)
class HelpPage:
    """A verb and what can follow it."""

    words: tuple[str, ...]
    """What is typed for it: ("data", "convert"); () for restr itself."""

    verbs: dict[str, str]
    """Verbs that follow, each with a line of help."""

    options: tuple[HelpOption, ...]
    """Its options."""

    choices: tuple[str, ...] = ()
    """The values of its argument, if they are listed."""


def read_pages(words: Sequence[str] = ()) -> Iterator[HelpPage]:
    """The pages of restr and of each verb. Loads the verbs' options, but no torch."""
    text = _COLOUR.sub("", printed_help(main, words, columns=_WIDE))
    if re.search(r"^usage: .*VERB \.\.\.$", text, re.MULTILINE):
        listed = text.partition("\n\n  restr ")[0]  # examples follow
        verbs = dict(re.findall(r"^  ([a-z][\w-]*) +(\S.*)$", listed, re.MULTILINE))
        yield HelpPage(words=tuple(words), verbs=verbs, options=())
        for verb in verbs:
            yield from read_pages([*words, verb])
    else:
        rows = [_split(row) for row in _rows(text)]
        options = [_option(name, said) for name, said in rows if name.startswith("-")]
        choices = [_choices(name) for name, _ in rows if name.startswith("{")]
        yield HelpPage(words=tuple(words), verbs={}, options=tuple(options), choices=choices[0] if choices else ())


def printed_help(command: Callable[[Sequence[str]], int | None], words: Sequence[str], *, columns: int) -> str:
    """What a command prints for ``words --help`` on a page of so many columns."""
    page = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # the encoding decides how tyro draws its frames
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        with redirect_stdout(page), suppress(SystemExit):
            command([*words, "--help"])
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    page.seek(0)
    return page.read()


def _rows(page: str) -> Iterator[str]:
    """Every option and argument with its text, as one line."""
    _, _, tables = page.partition("\N{BOX DRAWINGS LIGHT HORIZONTAL}")
    row = ""
    for line in tables.splitlines():
        line = line.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").rstrip()
        if line.startswith("   ") and row:
            row += f"  {line.strip()}"
            continue
        if row:
            yield row
        row = line.strip() if line.startswith("  ") else ""
    if row:
        yield row


def _split(row: str) -> tuple[str, str]:
    """(name with its value, text)"""
    name, _, text = row.partition("  ")
    return name, " ".join(text.split())


def _option(name: str, text: str) -> HelpOption:
    """An option of the two halves of its row. Raises ``RestrError`` for a row that is not understood."""
    found = re.fullmatch(r"((?:--?[a-z][\w-]*(?:, )?)+)(?: (\S.*))?", name)
    if not found:
        raise RestrError(f"the help shows {name!r}; expected --option or --option VALUE")
    names = tuple(each for each in found[1].split(", ") if each.startswith("--"))
    said = re.split(r"(?<=[^.]{3})[.;:](?: |$)", _SAID.sub("", text))[0]
    return HelpOption(names=names, value=found[2] or "", text=said, repeatable="(repeatable)" in text)


def _choices(value: str) -> tuple[str, ...]:
    listed = re.fullmatch(r"(?:\{None\}\|)?\{([^{}]+)\}", value)
    return tuple(listed[1].split(",")) if listed else ()
