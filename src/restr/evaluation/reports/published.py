"""An evaluation as a row of the papers' table, with the published rows for the same split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restr.evaluation.evaluate import EvaluationResult
from restr.formats.catalog import PUBLISHED_LAYOUTS
from restr.metrics import PRECISION_AT
from restr.report.tables import markdown_table

_SPLITS: dict[str, str] = {  # a dataset's name here: its name in the papers
    "refcoco:unc:val": "UNC val",
    "refcoco:unc:testA": "UNC testA",
    "refcoco:unc:testB": "UNC testB",
    "refcoco+:unc:val": "UNC+ val",
    "refcoco+:unc:testA": "UNC+ testA",
    "refcoco+:unc:testB": "UNC+ testB",
    "refcocog:google:val": "Gref val (google)",
}


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """A published method."""

    method: str
    """Its name."""
    scores: tuple[float | None, ...]
    """oIoU in percent, in the order of ``_SPLITS``; None for splits without a published number."""

    def score(self, data: str) -> float | None:
        """The score on a split of ``_SPLITS``."""
        return dict(zip(_SPLITS, self.scores, strict=True))[data]


PUBLISHED: tuple[PublishedRow, ...] = (
    PublishedRow(method="VLT", scores=(65.65, 68.29, 62.73, 55.50, 59.20, 49.36, None)),
    PublishedRow(method="ReSTR", scores=(67.22, 69.30, 64.45, 55.78, 60.44, 48.27, 54.48)),
    PublishedRow(method="LAVT", scores=(72.73, 75.82, 68.79, 62.14, 68.38, 55.10, 60.50)),
    PublishedRow(method="ASDA (ViT-B)", scores=(75.06, 77.14, 71.36, 66.84, 71.13, 57.83, None)),
    PublishedRow(method="OneRef-L, one set", scores=(80.48, 82.78, 78.27, 74.25, 78.41, 69.85, None)),
    PublishedRow(method="DeRIS-L", scores=(85.41, 86.49, 82.87, 79.01, 82.34, 74.41, None)),
)
CAUTION = (
    "Published rows are as their authors give them, each trained on the benchmark's own training split and measured by "
    "its own protocol; they differ by points for that alone."
)


def published_scores(data: str) -> dict[str, float]:
    """The published oIoU, in percent, of a dataset's split, by method; empty if none is known."""
    name, *rest = data.split(":")
    if len(rest) == 1 and name in PUBLISHED_LAYOUTS:
        rest = [*PUBLISHED_LAYOUTS[name].splitters[:1], *rest]  # the default splitter
    split = ":".join([name, *rest])
    if split not in _SPLITS:
        return {}
    scores = {row.method: row.score(split) for row in PUBLISHED}
    return {method: score for method, score in scores.items() if score is not None}


def markdown_rows(result: EvaluationResult, data: str, *, method: str = "this model") -> str:
    """The row "Pr@0.5 ... Pr@0.9, oIoU" in Markdown, with the published rows above it and the protocol below."""
    heads = [f"Pr@{least:g}" for least in PRECISION_AT]
    known = published_scores(data)
    rows = [[name, *("" for _ in heads), f"{score:.2f}"] for name, score in known.items()]
    rows.append([f"**{method}**", *_cells(result.overall)])
    lines = markdown_table([data or "method", *heads, "oIoU"], rows)
    lines += ["", f"{result.overall['n']} samples. {result.protocol}.", *([CAUTION] if known else [])]
    return "\n".join(lines) + "\n"


def latex_rows(result: EvaluationResult, data: str, *, method: str = "this model") -> str:
    """The same as rows of a LaTeX tabular, with the conditions in comments."""
    heads = [f"Pr@{least:g}" for least in PRECISION_AT]
    known = published_scores(data)
    lines = [f"% {data}: {result.overall['n']} samples", f"% {result.protocol}", *([f"% {CAUTION}"] if known else [])]
    lines += [f"Method & {' & '.join(heads)} & oIoU \\\\ \\hline"]
    lines += [f"{_escaped(name)} {'& ' * (len(heads) + 1)}{score:.2f} \\\\" for name, score in known.items()]
    lines += [f"{_escaped(method)} & {' & '.join(_cells(result.overall))} \\\\"]
    return "\n".join(lines) + "\n"


def _cells(values: Mapping[str, float]) -> list[str]:
    return [f"{100 * values[name]:.2f}" for name in (*(f"pr@{least}" for least in PRECISION_AT), "oiou")]


def _escaped(text: str) -> str:
    for letter in "&%_#$":
        text = text.replace(letter, "\\" + letter)
    return text
