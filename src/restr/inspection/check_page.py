"""The report of ``restr.inspection.check`` as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.data.opener import Opener
from restr.errors import DatasetError, ImageError
from restr.inspection.check import KINDS, CheckReport, DatasetProblem
from restr.inspection.style import STYLE
from restr.pictures import read_picture

SIDE = 220  # pixels of a thumbnail
_MOST = 24  # pictures of one kind
_FOUND = (0, 190, 255)


def page(report: CheckReport, samples: IndexedSamples, title: str) -> str:
    """The page: a table of the splits, the counts, and for each kind of problem some pictures with their masks."""
    parts = [f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"]
    parts.append("<meta name='viewport' content='width=device-width'>")
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
    if report.left_out:
        rows = "".join(
            f"<tr><td>{html.escape(each.what)}</td><td class='n'>{each.count}</td><td class='quiet'>{html.escape(each.detail)}</td></tr>"
            for each in report.left_out
        )
        parts.append(f"<h2>Left out</h2><table>{rows}</table>")
    by_kind: dict[str, list[DatasetProblem]] = defaultdict(list)
    for problem in report.problems:
        by_kind[problem.kind].append(problem)
    shown = {(problem.split, problem.entry) for problems in by_kind.values() for problem in problems[:_MOST]}
    masks = _masks(samples, {each: report.numbers[each] for each in shown if each in report.numbers})
    for kind, problems in by_kind.items():
        more = f" <small>the first {_MOST}</small>" if len(problems) > _MOST else ""
        figures = "".join(_figure(problem, samples.files, masks) for problem in problems[:_MOST])
        parts.append(f"<h2 id='{_anchor(kind)}'>{kind} ({len(problems)}){more}</h2><div class='grid'>{figures}</div>")
    return "\n".join(parts) + "</html>\n"


def _splits(report: CheckReport) -> str:
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


def _masks(samples: IndexedSamples, numbers: dict[tuple[str, str], int]) -> dict[tuple[str, str], np.ndarray]:
    """The masks of the entries that are shown, where they can be read."""
    found = {}
    for each, number in sorted(numbers.items(), key=lambda pair: pair[1]):
        try:
            found[each] = samples[number].mask
        except DatasetError:
            continue
    return found


def _figure(problem: DatasetProblem, files: Opener, masks: dict[tuple[str, str], np.ndarray]) -> str:
    picture = problem.image and thumbnail(files, problem.image, masks.get((problem.split, problem.entry)))
    image = f"<img alt='' src='data:image/jpeg;base64,{picture}'>" if picture else "<img alt='no picture'>"
    image = image if problem.image else ""
    where = " ".join(filter(None, (problem.split, problem.entry)))
    text = f"{html.escape(problem.detail)}<br><small>{html.escape(where)} {html.escape(problem.image)}</small>"
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def thumbnail(files: Opener, name: str, mask: np.ndarray | None) -> str | None:
    """A small JPEG in base64, the mask laid over it; None for what is no picture."""
    try:
        with files.open(name) as file:
            picture = read_picture(file, name)
    except (DatasetError, ImageError, OSError):
        return None
    pixels = picture.upright if mask is None else picture.sized((mask.shape[0], mask.shape[1]))
    return base64.b64encode(jpeg(Image.fromarray(pixels), mask, 2 * SIDE)).decode()


def jpeg(picture: Image.Image, mask: np.ndarray | None, side: int) -> bytes:
    """A picture as JPEG, at most ``side`` pixels wide and high; what a mask of its size leaves out is dark and nearly grey."""
    if mask is not None and mask.shape == (picture.height, picture.width) and mask.any():
        pixels = np.asarray(picture, np.float32)
        dimmed = 0.2 * pixels + 0.4 * pixels.mean(-1, keepdims=True)
        tinted = 0.7 * pixels + 0.3 * np.array(_FOUND, np.float32)
        picture = Image.fromarray(np.where(mask[..., None], tinted, dimmed).astype(np.uint8))
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")
