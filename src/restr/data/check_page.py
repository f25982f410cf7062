"""The report of ``restr.data.check`` as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from restr.data.check import KINDS, Problem, Report
from restr.data.dataset import Samples
from restr.errors import DatasetError

SIDE = 220  # pixels of a thumbnail
MOST = 24  # pictures of one kind
FOUND = (0, 190, 255)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #191b1f; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } small, .quiet { color: #6e727a; }
table { border-collapse: collapse; } td, th { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid #e3e5e8; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { width: 100%; height: 165px; object-fit: cover; border-radius: 6px; background: #eef0f2; }
figcaption { font-size: .83rem; overflow-wrap: anywhere; } .good { color: #1a7f37; }
"""


def page(report: Report, samples: Samples, title: str) -> str:
    """The page: a table of the splits, the counts, and for each kind of problem some pictures with their masks."""
    parts = [f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"]
    parts.append(f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>")
    parts.append(_splits(report))
    counts = report.counts()
    if not counts:
        parts.append("<p class='good'>No problems found.</p>")
    else:
        rows = "".join(
            f"<tr><td><a href='#{_anchor(kind)}'>{kind}</a></td><td class='n'>{count}</td><td class='quiet'>{KINDS[kind]}</td></tr>"
            for kind, count in counts.items()
        )
        parts.append(f"<h2>Problems</h2><table>{rows}</table>")
    by_kind: dict[str, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        by_kind[problem.kind].append(problem)
    wanted = {(p.split, p.entry) for problems in by_kind.values() for p in problems[:MOST] if p.entry}
    masks = _masks(samples, wanted)
    for kind, problems in by_kind.items():
        more = f" <small>the first {MOST}</small>" if len(problems) > MOST else ""
        figures = "".join(_figure(problem, samples.root, masks) for problem in problems[:MOST])
        parts.append(f"<h2 id='{_anchor(kind)}'>{kind} ({len(problems)}){more}</h2><div class='grid'>{figures}</div>")
    return "\n".join(parts) + "</html>\n"


def _splits(report: Report) -> str:
    names = list(next(iter(report.splits.values()), {}))
    head = "".join(f"<th class='n'>{name}</th>" for name in names)
    rows = ""
    for split, values in report.splits.items():
        cells = "".join(f"<td class='n'>{_number(name, values[name])}</td>" for name in names)
        rows += f"<tr><td>{html.escape(split or 'all')}</td>{cells}</tr>"
    return f"<table><tr><th>split</th>{head}</tr>{rows}</table>"


def _number(name: str, value: float) -> str:
    if "share" in name:
        return f"{100 * value:.1f}%"
    return f"{value:.1f}" if "mean" in name else f"{value:,.0f}"


def _masks(samples: Samples, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
    """The masks of the entries that are shown, where they can be read."""
    found = {}
    for number in range(len(samples)):
        entry = samples.entry(number)
        if (entry.split, entry.id) in wanted:
            try:
                found[entry.split, entry.id] = samples.sample(entry).mask
            except DatasetError:
                continue
    return found


def _figure(problem: Problem, root: Path, masks: dict[tuple[str, str], np.ndarray]) -> str:
    picture = thumbnail(root / problem.image, masks.get((problem.split, problem.entry)))
    image = f"<img alt='' src='data:image/jpeg;base64,{picture}'>" if picture else "<img alt='no picture'>"
    where = " ".join(filter(None, (problem.split, problem.entry)))
    text = f"{html.escape(problem.detail)}<br><small>{html.escape(where)} {html.escape(problem.image)}</small>"
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def thumbnail(path: Path, mask: np.ndarray | None) -> str | None:
    """A small JPEG in base64, the mask laid over it; None for what is no picture."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if mask is not None and mask.shape == (upright.height, upright.width) and mask.any():
        pixels = np.asarray(upright, np.float32).copy()
        pixels[mask] = 0.5 * pixels[mask] + 0.5 * np.array(FOUND, np.float32)
        upright = Image.fromarray(pixels.astype(np.uint8))
    upright.thumbnail((2 * SIDE, 2 * SIDE))
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")
