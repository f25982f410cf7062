"""The table of the seed's attention has the measured shares, and what they would be if all were attended to alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from restr.ablation.attention_report import has_seed_attention, plot_seed_attention, seed_attention_table
from restr.ablation.cost import Cost
from restr.ablation.run import RowResult

COST = Cost(parameters=1, gmac=1.0, milliseconds=1.0)


def scores(patches: float) -> dict[str, float]:
    shares = {"patches": patches, "words": 0.9 - patches, "seed": 0.1}
    kinds = ("direct", "direct_uniform", "effective", "effective_uniform", "direct_block1", "direct_block2")
    return {f"seed_{kind}_{source}": share for kind in kinds for source, share in shares.items()}


def test_measured_beside_all_alike(tmp_path: Path) -> None:
    rows = [
        RowResult(name="VME", scores=(scores(0.2), scores(0.4)), cost=COST),
        RowResult(name="CME", scores=(), cost=COST),
    ]
    lines = seed_attention_table(rows).splitlines()
    assert len(lines) == 4  # CME has no seed yet
    assert lines[2].startswith("| VME | 30.0 ± 14.1 | 60.0 ± 14.1 | 10.0 ± 0.0 |") and lines[2].endswith(
        "| 30.0 / 30.0 |"
    )
    assert lines[3].startswith("| all alike | 30.0 | 60.0 | 10.0 |")
    pytest.importorskip("matplotlib")
    plot_seed_attention("x", rows, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_folders_of_earlier_versions_have_none() -> None:
    assert not has_seed_attention([RowResult(name="VME", scores=({"miou": 0.5, "oiou": 0.5},), cost=COST)])
