"""The frame and the style of restr's HTML pages: no other file, no script, in the browser's light or dark scheme."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Iterable, Sequence

PAGE_STYLE = """
:root { color-scheme: light dark; --ink: #191b1f; --quiet: #666b74; --line: #e2e5ea; --paper: #fff; --card: #f6f7f9;
  --bar: #4a90c2; --strong: #1f4e79; --link: #0b62c4; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --quiet: #9aa1ac; --line: #30343b; --paper: #15171a;
  --card: #1e2126; --bar: #4a90c2; --strong: #8cc0e8; --link: #7ab7ff; --good: #5ec97b; } }
* { box-sizing: border-box; }
body { font: 15px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 1120px; padding: 2.5rem 1.25rem 4rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.8rem 0 .8rem; }
p { margin: .4rem 0; max-width: 75ch; } small, .quiet { color: var(--quiet); font-size: .88rem; } .good { color: var(--good); }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
code { font-size: .85rem; background: var(--card); padding: .15rem .4rem; border-radius: 4px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile { background: var(--card); border-radius: 10px; padding: .9rem 1.1rem; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; color: var(--strong); }
.tile span { color: var(--quiet); font-size: .85rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: .32rem .7rem; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { padding-left: 0; } th { font-weight: 600; color: var(--quiet); } td b { font-weight: 600; }
.text { text-align: left; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1.3rem 1.1rem; }
figure { margin: 0; } figure img { display: block; width: 100%; border-radius: 8px; }
figcaption { font-size: .93rem; line-height: 1.45; margin-top: .4rem; overflow-wrap: anywhere; }
.grid img { height: 230px; object-fit: contain; background: var(--card); }
"""


def document(title: str, body: str, *, style: str = "") -> str:
    """The page. body: HTML, its texts escaped already. style: CSS rules for this kind of page."""
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
    )
    head += f"<style>{PAGE_STYLE}{style}</style>"
    return f"<!doctype html>\n<html lang='en'><head>{head}</head>\n<body>\n{body}\n</body></html>\n"


def section(heading: str, content: str, note: str = "") -> str:
    """A heading, its content, and a remark below; all three are HTML."""
    return f"<section><h2>{heading}</h2>{content}" + (f"<p class='quiet'>{note}</p>" if note else "") + "</section>"


def number_tiles(tiles: Iterable[tuple[str, str]]) -> str:
    """Pairs of a number and its meaning, both HTML, as a row of tiles."""
    return (
        "<div class='tiles'>"
        + "".join(f"<div class='tile'><b>{b}</b><span>{s}</span></div>" for b, s in tiles)
        + "</div>"
    )


def html_table(rows: Iterable[Sequence[str]], heads: Sequence[str] = (), *, texts: Collection[int] = (0,)) -> str:
    """A table of cells of HTML. texts: the columns that hold text, aligned left; numbers are aligned right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        kinds = [" class='text'" if column in texts else "" for column in range(len(cells))]
        found = "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{found}</tr>"

    lines = [line("th", heads)] if heads else []
    lines += [line("td", cells) for cells in rows]
    return f"<div class='wide'><table>{''.join(lines)}</table></div>"


def figure(picture: bytes, kind: str, text: str, below: str = "") -> str:
    """A picture inside the page with its text, then ``below`` (HTML). kind: "png" or "jpeg"."""
    data = base64.b64encode(picture).decode()
    text = html.escape(text)
    return f"<figure><img alt='{text}' src='data:image/{kind};base64,{data}'><figcaption>{text}{below}</figcaption></figure>"
