"""The report of ``benchmarks/fast.py``: what was measured beside what was asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from restr.report.tables import markdown_table


@dataclass(frozen=True)
class Promise:
    """A measured value and its bound."""

    what: str
    value: float
    bound: float
    unit: str
    """"s", "x", or "%" of a fraction."""
    at_most: bool
    """Whether the bound is the largest value, else the smallest."""

    @property
    def holds(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def cells(self) -> list[str]:
        bound = f"at {'most' if self.at_most else 'least'} {self._text(self.bound)}"
        return [self.what, self._text(self.value), bound, "yes" if self.holds else "no"]

    def _text(self, value: float) -> str:
        return f"{value:.1%}" if self.unit == "%" else f"{value:.2f} {self.unit}"


@dataclass(frozen=True)
class Part:
    """The times of one part, what they must show, and remarks."""

    times: dict[str, dict[str, float]]
    promises: list[Promise]
    remarks: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"promises": [asdict(each) | {"holds": each.holds} for each in self.promises]}

    def lines(self) -> list[str]:
        rows = ([side, f"{ms['p50']:.0f}", f"{ms['p95']:.0f}"] for side, ms in self.times.items())
        promised = markdown_table(["", "measured", "asked", "holds"], (each.cells() for each in self.promises))
        return [*markdown_table(["", "ms", "p95"], rows), "", *promised, "", *self.remarks]


def markdown(machine: dict[str, Any], parts: dict[str, Part]) -> str:
    """The report as people read it."""
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}, {machine['rounds']} rounds. "
        f"The default: {machine['default']}."
    ]
    for name, part in parts.items():
        lines += ["", f"## {name}", "", *part.lines()]
    return "\n".join(lines) + "\n"
