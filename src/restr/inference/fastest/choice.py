"""The table of measured runtimes, and which of them is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from restr.files import read_text, write_atomically

LEAST_GAIN = 1.1  # anything but PyTorch in fp32 must be this many times as fast
_EXACT = "torch fp32"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TimedRuntime:
    """A runtime in a precision, and how long it takes."""

    target: str
    """"torch", "onnx" or "openvino"."""
    precision: str
    """"fp32", "bf16" or "int8"."""
    ms: float | None = None
    """Milliseconds from an image and an expression to a mask, the median; None if it was not measured."""
    why: str = ""
    """Why it was not measured, or is not taken."""

    @property
    def title(self) -> str:
        """Such as "openvino int8"."""
        return f"{self.target} {self.precision}"


@dataclass(frozen=True, kw_only=True)
class RuntimeChoice:
    """What was measured on a machine with a model."""

    weights: str
    """The hash of the model's files."""
    machine: Mapping[str, Any]
    """As ``machine_facts`` gives it."""
    rows: tuple[TimedRuntime, ...]
    """All candidates, PyTorch first."""

    def best(self, *, backend: str = "auto", precision: str = "auto") -> TimedRuntime | None:
        """The fastest row of a backend and a precision ("auto": any); None if no such row was measured.

        PyTorch in fp32 stays where nothing is at least ``LEAST_GAIN`` times as fast: it is exact, and explains its masks.
        """
        timed = [
            (row.ms / LEAST_GAIN if row.title == _EXACT else row.ms, row)
            for row in self.rows
            if row.ms is not None
            and not row.why
            and backend in ("auto", row.target)
            and precision in ("auto", row.precision)
        ]
        return min(timed, key=lambda pair: pair[0])[1] if timed else None

    @property
    def is_bf16(self) -> bool:
        """Whether PyTorch in bfloat16 is the fastest."""
        best = self.best()
        return best is not None and best.title == "torch bf16"

    def reason(self) -> str:
        """One line: what is taken, and why."""
        best, torch = self.best(), self.rows[0]
        if best is None:
            return "PyTorch: nothing was measured"
        if best.title == _EXACT:
            return f"PyTorch, {best.ms:.0f} ms a first expression: nothing that was measured is clearly faster"
        gain = (
            f", {torch.ms / best.ms:.1f} times as fast as PyTorch ({torch.ms:.0f} ms)" if torch.ms and best.ms else ""
        )
        return f"{best.title}, {best.ms:.0f} ms a first expression{gain}"

    def save(self, path: Path) -> None:
        """Write it as JSON, atomically. Raises ``OSError``."""
        content = {"format": _FORMAT, **asdict(self), "rows": [asdict(row) for row in self.rows]}
        write_atomically(path, json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> RuntimeChoice | None:
        """The choice in a file; None if there is none, or if it is damaged or of another format."""
        try:
            values = json.loads(read_text(path))
            if values["format"] != _FORMAT or not isinstance(values["machine"], dict):
                return None
            rows = tuple(_row(each) for each in values["rows"])
            return cls(weights=str(values["weights"]), machine=values["machine"], rows=rows) if rows else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _row(values: dict[str, Any]) -> TimedRuntime:
    """A row of a file. Raises ``ValueError``, ``KeyError`` or ``TypeError`` if it is none."""
    ms = values["ms"]
    return TimedRuntime(
        target=str(values["target"]),
        precision=str(values["precision"]),
        ms=None if ms is None else float(ms),
        why=str(values["why"]),
    )
