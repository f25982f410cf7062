"""Numbers as text, and tables of them in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table: the first column to the left, the others to the right."""
    return [_line(heads), "|---|" + "---:|" * (len(heads) - 1), *map(_line, rows)]


def percent(share: float) -> str:
    """A share in percent with one decimal; a dash for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def decimal(value: float) -> str:
    """A number with two decimals; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def decimal_interval(interval: tuple[float, float]) -> str:
    """Both bounds with two decimals; a dash if one is NaN."""
    return "-" if any(map(math.isnan, interval)) else f"{interval[0]:.2f}-{interval[1]:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
