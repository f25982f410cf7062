"""The frame of restr's reports: one HTML page that needs no other file and no script, by day and by night."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable

_STYLE = """
:root { color-scheme: light dark; --ink: #191b1f; --quiet: #666b74; --line: #e2e5ea; --paper: #fff; --card: #f6f7f9;
  --bar: #4a90c2; --strong: #1f4e79; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --quiet: #9aa1ac; --line: #30343b; --paper: #15171a;
  --card: #1e2126; --bar: #4a90c2; --strong: #8cc0e8; } }
body { font: 15px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 1080px; padding: 2.5rem 1.25rem 4rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.8rem 0 .8rem; }
p { margin: .4rem 0; max-width: 75ch; } .quiet { color: var(--quiet); font-size: .88rem; }
code { font-size: .85rem; background: var(--card); padding: .15rem .4rem; border-radius: 4px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile { background: var(--card); border-radius: 10px; padding: .9rem 1.1rem; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; color: var(--strong); }
.tile span { color: var(--quiet); font-size: .85rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; } .wide { overflow-x: auto; }
th, td { text-align: right; padding: .32rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th { font-weight: 600; color: var(--quiet); }
figure { margin: 0; } figure img { width: 100%; border-radius: 8px; }
figcaption { margin-top: .35rem; overflow-wrap: anywhere; }
"""


def document(title: str, body: str, *, style: str = "") -> str:
    """The page. body: HTML, everything in it escaped already. style: rules for what only this page shows."""
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
    )
    return f"<!doctype html>\n<html lang='en'><head>{head}<style>{_STYLE}{style}</style></head>\n<body>\n{body}\n</body></html>\n"


def section(heading: str, content: str, note: str = "") -> str:
    """A heading (HTML), what it is about, and below it a remark."""
    return f"<section><h2>{heading}</h2>{content}" + (f"<p class='quiet'>{note}</p>" if note else "") + "</section>"


def number_tiles(tiles: Iterable[tuple[str, str]]) -> str:
    """(number, what it is), both HTML, as a row of tiles."""
    return (
        "<div class='tiles'>"
        + "".join(f"<div class='tile'><b>{b}</b><span>{s}</span></div>" for b, s in tiles)
        + "</div>"
    )


def figure(picture: bytes, kind: str, text: str, below: str = "") -> str:
    """A picture of that kind ("png", "jpeg") inside the page, its text under it, then ``below`` (HTML)."""
    data = base64.b64encode(picture).decode()
    text = html.escape(text)
    return f"<figure><img alt='{text}' src='data:image/{kind};base64,{data}'><figcaption>{text}{below}</figcaption></figure>"
