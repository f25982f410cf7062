"""The report of ``restr.inspection.check`` as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.data.opener import Opener
from restr.errors import DatasetError, ImageError
from restr.inspection.check import PROBLEM_KINDS, CheckReport, DatasetProblem
from restr.inspection.style import RULES
from restr.pictures.reading import read_picture
from restr.report.overlay import highlight_mask
from restr.report.page import document, html_table

SIDE = 220  # pixels of a thumbnail
_MOST = 24  # pictures of one kind
_Masks = Mapping[tuple[str, str], np.ndarray]  # by split and id


def check_html(report: CheckReport, samples: IndexedSamples, title: str) -> str:
    """The page of a check: a table of the splits, the counts, and pictures with their masks for each kind of problem."""
    parts = [f"<h1>{html.escape(title)}</h1>", _splits(report), _counts(report.counts()), _left_out(report)]
    by_kind: dict[str, list[DatasetProblem]] = defaultdict(list)
    for problem in report.problems:
        by_kind[problem.kind].append(problem)
    shown = {(problem.split, problem.entry) for problems in by_kind.values() for problem in problems[:_MOST]}
    masks = _masks(samples, {each: report.numbers[each] for each in shown if each in report.numbers})
    parts += [_examples(kind, problems, samples.files, masks) for kind, problems in by_kind.items()]
    return document(title, "\n".join(part for part in parts if part), style=RULES)


def _splits(report: CheckReport) -> str:
    names = list(next(iter(report.splits.values()), {}))
    rows = [
        [html.escape(split or "all"), *(_number(name, values[name]) for name in names)]
        for split, values in report.splits.items()
    ]
    return html_table(rows, ["split", *names])


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return "<p class='good'>No problems found.</p>"
    rows = [
        [f"<a href='#{_anchor(kind)}'>{kind}</a>", f"{count}", f"<span class='quiet'>{PROBLEM_KINDS[kind]}</span>"]
        for kind, count in counts.items()
    ]
    return f"<h2>Problems</h2>{html_table(rows, texts=(0, 2))}"


def _left_out(report: CheckReport) -> str:
    if not report.left_out:
        return ""
    rows = [
        [html.escape(each.what), f"{each.count}", f"<span class='quiet'>{html.escape(each.detail)}</span>"]
        for each in report.left_out
    ]
    return f"<h2>Left out</h2>{html_table(rows, texts=(0, 2))}"


def _examples(kind: str, problems: list[DatasetProblem], files: Opener, masks: _Masks) -> str:
    """The first pictures of a kind of problem."""
    more = f" <small>the first {_MOST}</small>" if len(problems) > _MOST else ""
    figures = "".join(_figure(problem, files, masks) for problem in problems[:_MOST])
    return f"<h2 id='{_anchor(kind)}'>{kind} ({len(problems)}){more}</h2><div class='grid'>{figures}</div>"


def _number(name: str, value: float) -> str:
    if "share" in name:
        return f"{100 * value:.1f}%"
    return f"{value:.1f}" if "mean" in name else f"{value:,.0f}"


def _masks(samples: IndexedSamples, numbers: Mapping[tuple[str, str], int]) -> _Masks:
    """The masks of the shown entries, except those that cannot be read."""
    found = {}
    for each, number in sorted(numbers.items(), key=lambda pair: pair[1]):
        try:
            found[each] = samples[number].mask
        except DatasetError:
            continue
    return found


def _figure(problem: DatasetProblem, files: Opener, masks: _Masks) -> str:
    picture = problem.image and thumbnail(files, problem.image, masks.get((problem.split, problem.entry)))
    image = f"<img alt='' src='data:image/jpeg;base64,{picture}'>" if picture else "<img alt='no picture'>"
    image = image if problem.image else ""
    where = " ".join(filter(None, (problem.split, problem.entry)))
    text = f"{html.escape(problem.detail)}<br><small>{html.escape(where)} {html.escape(problem.image)}</small>"
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"


def thumbnail(files: Opener, name: str, mask: np.ndarray | None) -> str | None:
    """A small JPEG in base64, with the mask laid over it; None if the file is not a readable picture."""
    try:
        with files.open(name) as file:
            picture = read_picture(file, name)
    except (DatasetError, ImageError, OSError):
        return None
    pixels = picture.upright if mask is None else picture.for_size((mask.shape[0], mask.shape[1]))
    return base64.b64encode(jpeg(Image.fromarray(pixels), mask, 2 * SIDE)).decode()


def jpeg(picture: Image.Image, mask: np.ndarray | None, side: int) -> bytes:
    """A picture as JPEG, at most ``side`` pixels wide and high, with a mask of its size laid over it unless that is empty."""
    small = picture.copy()
    small.thumbnail((side, side))
    if mask is not None and mask.shape == (picture.height, picture.width) and mask.any():
        small = highlight_mask(small, mask, tint=0.3)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")
