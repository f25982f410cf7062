"""Where each page of the site comes from, and how a page of the repository becomes a page of the site.

The pages stay as they are: what differs on the site is changed in a copy. Links to pages lead to pages, links to other
files to a page with that file's text, formulas become MathML, and comments are taken out.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLACES = {
    "README.md": "index.md",
    "docs/README.md": "all-pages.md",
    "src/restr/assets/restr_small/MODEL_CARD.md": "model-card.md",  # which docs/model-card.md includes
}
_CODE = re.compile(r"^( *)(```+)[^\n]*\n.*?^\1\2 *$|(?<!`)(`+)(?!`).+?(?<!`)\3(?!`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))|((?:src|href)=\")([^\"]+)(\")")
_MATH = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?![\s$])([^$\n]*[^$\s])\$(?![\w$])", re.DOTALL)
_INCLUDE = re.compile(r"^<!-- site: include (\S+?)(?:#([\w-]+))? -->$", re.MULTILINE)


class SiteError(Exception):
    """A page, a link or a file of the site is wrong."""


def listed(nav: list[Any]) -> Iterator[str]:
    """The pages that a nav lists, in order, as paths in the repository."""
    for entry in nav:
        for target in entry.values():
            yield from listed(target) if isinstance(target, list) else [target]


def without(nav: list[Any], left_out: set[str]) -> list[Any]:
    """The nav without some pages, and without what is then empty."""
    kept = []
    for entry in nav:
        ((title, target),) = entry.items()
        target = without(target, left_out) if isinstance(target, list) else target
        if target and (isinstance(target, list) or target not in left_out):
            kept.append({title: target})
    return kept


def place(source: str) -> str:
    """The site's path of a page, from its path in the repository: ``docs/cli.md`` is ``cli.md``."""
    if source in PLACES:
        return PLACES[source]
    path = Path(source.removeprefix("docs/"))
    if path.name == "README.md":
        path = path.parent.with_suffix(".md") if path.parent.suffix == "" else Path(f"{path.parent}.md")
    return str(path).lower() if "/" not in source else str(path)


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """The text with everything changed that is no code."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(text[end:])])


def with_mathml(text: str) -> str:
    """``$...$`` and ``$$...$$`` as MathML, which browsers show without a script or a font of its own."""

    def formula(found: re.Match[str]) -> str:
        from latex2mathml.converter import convert  # here, as the tests run without the extra "docs"

        if found[1]:
            return f'<div class="formula">{convert(found[1].strip(), display="block")}</div>'
        return f'<span class="formula">{convert(found[2])}</span>'

    return _MATH.sub(formula, text)


def with_deeper_lists(text: str) -> str:
    """Lists whose further paragraphs are indented as GitHub wants it, indented by four as Python-Markdown wants it."""
    lines, missing = [], 0
    for line in text.split("\n"):
        if marker := re.match(r"(?:-|\d+\.) +(?=\S)", line):
            missing = max(0, 4 - len(marker[0]))
        elif line and not line.startswith(" "):
            missing = 0
        indented = line.startswith(" " * (4 - missing)) and not marker
        lines.append(" " * missing + line if missing and indented else line)
    return "\n".join(lines)


class Stage:
    """A folder of pages for zensical, made of the pages that ``sources`` names."""

    def __init__(self, folder: Path, sources: list[str], root: Path = ROOT) -> None:
        self.folder, self.root, self.sources = folder, root, sources
        self.places = {**PLACES, **{source: place(source) for source in sources}}
        self.shown: dict[str, str] = {}
        """File of the repository -> the page that shows its text."""

    def write(self) -> None:
        """Write the pages, what they show, and the texts of the files that they link to."""
        for source in self.sources:
            self.put(self.places[source], self.page(source))
        for source, target in self.shown.items():
            self.put(target, self.text_of(source))

    def put(self, target: str, text: str) -> None:
        """Write one page at its path of the site."""
        path = self.folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, source: str) -> str:
        """The site's text of a page of the repository."""
        text = self.prepared(source, self.places[source])
        return _INCLUDE.sub(lambda found: self.included(source, found[1], found[2]), text)

    def prepared(self, source: str, target: str) -> str:
        """A page's text with its links as they are at ``target``; it keeps the marks of what is to be included."""
        text = with_deeper_lists((self.root / source).read_text(encoding="utf-8"))

        def change(part: str) -> str:
            part = re.sub(r"<!--(?! site: include ).*?-->\n?", "", part, flags=re.DOTALL)
            part = _LINK.sub(
                lambda found: (
                    f"{found[1]}{self.link(source, target, found[2])}{found[3]}"
                    if found[1]
                    else f"{found[4]}{self.link(source, target, found[5])}{found[6]}"
                ),
                part,
            )
            return with_mathml(part)

        return outside_code(text, change)

    def included(self, page: str, path: str, section: str | None) -> str:
        """Another file's text, or one section of it without its heading, for the place of a mark on ``page``."""
        source = os.path.normpath(Path(page).parent / path)
        text = self.prepared(source, self.places[page])
        if not section:
            return re.sub(r"\A# .*\n", "", text)
        for heading in re.finditer(r"^(#+) (.+)$", text, re.MULTILINE):
            if heading[2].lower().replace(" ", "-") == section:
                rest = text[heading.end() :]
                return re.split(rf"^#{{1,{len(heading[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()
        raise SiteError(f"{page} includes {path}#{section}, and {source} has no such heading")

    def link(self, source: str, target: str, link: str) -> str:
        """A link of the page ``source`` as it is on the site's page ``target``."""
        if re.match(r"[a-z]+:|//|#", link):
            return link
        path, _, anchor = link.partition("#")
        wanted = os.path.normpath(Path(source).parent / path)
        if not (self.root / wanted).exists():
            raise SiteError(f"{source} links to {link}, which does not exist")
        found = self.destination(wanted)
        if found.startswith("source/"):
            anchor = re.sub(r"^L(\d+)$", r"__codelineno-0-\1", anchor)
        relative = os.path.relpath(found, Path(target).parent)
        return f"{relative}#{anchor}" if anchor else relative

    def destination(self, wanted: str) -> str:
        """The site's path for a path of the repository: a page, a copied picture, or a page with the file's text."""
        if wanted in self.places:
            return self.places[wanted]
        path = self.root / wanted
        if path.is_dir():
            inside = f"{wanted}/README.md"
            return self.places[inside] if inside in self.places else self.show(wanted)
        if path.suffix in {".jpg", ".png", ".svg"}:
            copy = self.folder / wanted.removeprefix("docs/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            return wanted.removeprefix("docs/")
        return self.show(wanted)

    def show(self, wanted: str) -> str:
        """Remember that a file's text, or a folder's list, is to be shown; returns its page."""
        return self.shown.setdefault(wanted, f"source/{wanted}.md")

    def text_of(self, source: str) -> str:
        """A page with a file's text, or with the names in a folder; the search leaves it out."""
        path = self.root / source
        head = f"---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# `{source}`\n\n"
        if path.is_dir():
            names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in path.iterdir())
            return head + "\n".join(f"- `{name}`" for name in names if not name.startswith(("_", ".")))
        language = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".json": "json"}.get(path.suffix, "text")
        return f'{head}````{language} linenums="1"\n{path.read_text(encoding="utf-8").rstrip()}\n````\n'
