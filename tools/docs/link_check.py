"""Checks every link of a built site: each ``href``, ``src`` and anchor must lead to something that is there.

Addresses on other hosts are only looked at, never asked: they must be whole, and nothing may be loaded from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script", "img", "link", "source", "iframe", "video", "audio", "embed", "object"}
_NOT_LOADED = {"canonical", "prev", "next", "alternate", "edit"}  # of a <link>: only said


class _Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str, bool]] = []
        """(address, its tag, whether a browser loads it by itself)"""
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, and which anchor it is."""
        values = dict(attrs)
        self.anchors |= {value for name, value in attrs if value and (name == "id" or (tag == "a" and name == "name"))}
        loaded = tag in _LOADED and not _NOT_LOADED & set((values.get("rel") or "").split())
        for name in ("href", "src", "data", "poster"):
            if (value := values.get(name)) is not None and not (tag != "object" and name == "data"):
                self.links.append((value, tag, loaded))


def broken(site: Path) -> Iterator[str]:
    """A line for each link of a site's pages that leads nowhere, and for each thing that comes from another host."""
    pages = {path.resolve(): _Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    root = site.resolve()
    for path, page in pages.items():
        for link, tag, loaded in page.links:
            if problem := _problem(link, path, root, pages, loaded):
                yield f"{path.relative_to(root)}: <{tag}> {link!r} {problem}"


def _problem(link: str, path: Path, root: Path, pages: dict[Path, _Links], loaded: bool) -> str:
    """What is wrong with a link of the page at ``path``; nothing is an empty text."""
    parts = urlsplit(link)
    if parts.scheme in {"data", "mailto", "javascript"}:
        return ""
    if parts.scheme or parts.netloc:
        if loaded:
            return "is loaded from another host"
        return "" if parts.scheme in {"http", "https"} and parts.hostname else "is no whole address"
    target = path
    if parts.path:
        base = root if parts.path.startswith("/") else path.parent
        target = (base / unquote(parts.path).lstrip("/")).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(root) or not target.is_file():
        return "leads to no file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors and anchor not in {"top", "__skip"}:
        return "leads to no anchor"
    return ""
