"""Reference pages: the public names of ``restr`` from their docstrings, the verbs from their ``--help``.

A page of Python only names what mkdocstrings is to show: it reads signatures, docstrings and the docstrings below the
fields from the source. A page of a verb holds what ``restr VERB --help`` prints, set as Markdown.
"""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

from restr.cli.completion.pages import printed_help

PUBLIC_MODULES = re.compile(r"`(restr\.[a-z_.]+)`")
_WIDE = 1000  # columns: tyro then prints each paragraph on one line
_BOX = re.compile(r"^│ (.*?) *│$")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|{}#$~])")


def first_sentence(thing: object) -> str:
    """The first sentence of a docstring, on one line."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", text, maxsplit=1)[0].removesuffix(":")


def python_pages(package: ModuleType, page: str) -> dict[str, str]:
    """Path -> text of a page for each name of ``package.__all__``, each module that ``page`` lists, and their index."""
    names = [name for name in package.__all__ if not name.startswith("_")]
    modules = sorted({*PUBLIC_MODULES.findall(page)} - {f"{package.__name__}.{name}" for name in names})
    pages, rows = {}, []
    for dotted in [*(f"{package.__name__}.{name}" for name in names), *modules]:
        owner, _, name = dotted.rpartition(".")
        thing = importlib.import_module(dotted) if dotted in modules else getattr(package, name)
        real = thing.__name__ if inspect.ismodule(thing) else f"{thing.__module__}.{thing.__qualname__}"
        title = name if owner == package.__name__ and dotted not in modules else dotted
        rows.append(f"| [`{title}`]({title}.md) | {first_sentence(thing)} |")
        pages[f"python/{title}.md"] = _python_page(title, dotted, real, inspect.ismodule(thing))
    index = ["# Python, name by name", "", f"`from {package.__name__} import ...` offers the first {len(names)}."]
    table = ["", "| Name | |", "|---|---|", *rows, ""]
    return {"python/index.md": "\n".join([*index, *table]), **pages}


def _python_page(title: str, dotted: str, real: str, whole_module: bool) -> str:
    """A page on which mkdocstrings shows one name, or all names of a module."""
    options = {"show_root_heading": "false", "show_root_toc_entry": "false"}
    use = f"`import {dotted}`" if whole_module else f"`from {dotted.rpartition('.')[0]} import {title}`"
    settings = "".join(f"      {name}: {value}\n" for name, value in options.items())
    return f"# {title}\n\n{use}\n\n::: {real}\n    options:\n{settings}"


def help_of(main: Callable[[Sequence[str]], int | None], words: Sequence[str]) -> str:
    """What ``restr WORDS --help`` prints."""
    return printed_help(main, words, columns=_WIDE)


def cli_pages(main: Callable[[Sequence[str]], int | None], program: str) -> dict[str, str]:
    """Path -> text of a page for each verb of a command, and their index."""
    pages, rows = {}, []
    for words, line in _verbs(main, program, ()):
        name = " ".join(words)
        rows.append(f"| [`{program} {name}`]({'-'.join(words)}.md) | {escaped(line)} |")
        pages[f"cli/{'-'.join(words)}.md"] = f"# {program} {name}\n\n{as_markdown(help_of(main, words))}"
    head = f"# Every verb's options\n\nWhat `{program} VERB --help` prints, verb by verb.\n\n| Verb | |\n|---|---|\n"
    return {"cli/index.md": head + "\n".join(rows) + "\n", **pages}


def _verbs(main: Callable, program: str, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(words, line of help) of each verb, and of the verbs of a verb."""
    for verb, line in re.findall(r"^  ([a-z][\w-]*) +(\S.*)$", help_of(main, above), re.MULTILINE):
        if verb != program:
            words = (*above, verb)
            inner = list(_verbs(main, program, words)) if f"{verb} VERB" in help_of(main, words) else []
            yield from inner or [(words, line)]


def escaped(text: str) -> str:
    """Text in which no character means anything to Markdown."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", text)


def as_markdown(text: str) -> str:
    """A printed help as Markdown: its usage as code, its paragraphs, its boxes of options as definitions."""
    out: list[str] = []
    box: list[str] = []
    for line in text.splitlines():
        if line.startswith("╭"):
            out += ["", f"## {line.strip('╭─╮ ').capitalize()}", ""]
        elif line.startswith("╰"):
            out += [definition for entry in _entries(box) for definition in _definition(*entry)]
            box = []
        elif inside := _BOX.match(line):
            box.append(inside[1])
        elif line.startswith("usage: "):
            out += ["```text", line.removeprefix("usage: "), "```"]
        elif line.startswith("Example: "):
            out += ["Example:", "", "```text", line.removeprefix("Example: "), "```"]
        else:
            out.append(_sentence(line))
    return "\n".join(out).rstrip() + "\n"


def _sentence(line: str) -> str:
    """A line of a docstring: what stands in two backticks is code, all else is text."""
    parts = line.split("``")
    return "".join(f"`{part}`" if n % 2 and n < len(parts) - 1 else escaped(part) for n, part in enumerate(parts))


def _entries(box: list[str]) -> Iterator[tuple[str, str]]:
    """(option, its text) of the lines in a box: an option stands at the left, its text beside or below it."""
    option, text = "", []
    for line in box:
        if line[:1].strip():
            if option:
                yield option, " ".join(text)
            option, _, beside = line.partition("  ")
            text = [beside.strip()] if beside.strip() else []
        elif line.strip():
            text.append(line.strip())
    if option:
        yield option, " ".join(text)


def _definition(option: str, text: str) -> list[str]:
    """An option and its text as a definition, with an anchor of the option's name."""
    name = re.search(r"--([\w.-]+)", option)
    if name and name[1] == "help":
        return []
    mark = f"{{ #{name[1]} }}" if name else ""
    return [f"`{option}`{mark}", *textwrap.wrap(_sentence(text) or "...", 10**6, initial_indent=":   "), ""]
