"""Measures by the size of the thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oracles import Oracle, run
from restr.data.sample import Sample
from restr.evaluation.evaluate import Record, measure_mask
from restr.evaluation.protocol import PROTOCOLS
from restr.evaluation.reports.report import evaluation_table
from restr.evaluation.sizes import LARGEST_BIN, SIZE_BINS, measures_by_size, size_bin
from restr.metrics import SegmentationMetrics

SMALL, MEDIUM = SIZE_BINS


def sample(side: int, name: str) -> Sample:
    """A square of ``side`` pixels in a picture of 100 x 100."""
    mask = np.zeros((100, 100), bool)
    mask[:side, :side] = True
    return Sample(id=name, image=np.zeros((100, 100, 3), np.uint8), text=name, mask=mask, image_id=name)


def record(side: int, found: int) -> Record:
    """The record of a square of ``side`` pixels of which a square of ``found`` pixels is found."""
    return measure_mask(sample(side, "a"), sample(side, "a").mask, sample(found, "a").mask, 0.5, PROTOCOLS["own"])


@pytest.mark.parametrize(
    ("share", "name"), [(0.0, SMALL), (0.0199, SMALL), (0.02, MEDIUM), (0.1, LARGEST_BIN), (1.0, LARGEST_BIN)]
)
def test_a_share_at_an_edge_belongs_to_the_larger_bin(share: float, name: str):
    assert size_bin(share) == name


def test_bins_have_the_measures_of_their_own_records():
    records = [record(10, 10), record(10, 5), record(50, 25), record(0, 0)]  # nothing has no size
    assert records[0].share == 0.01
    found = measures_by_size(records, SegmentationMetrics())
    assert list(found) == [SMALL, LARGEST_BIN]
    assert (found[SMALL]["n"], found[SMALL]["oiou"], found[SMALL]["miou"]) == (2, 125 / 200, (1 + 0.25) / 2)
    assert found[LARGEST_BIN]["miou"] == 0.25
    assert found[SMALL]["boundary_iou"] == np.mean([r.boundary_iou for r in records[:2]]) < 1


def test_the_order_of_records_does_not_change_the_bins():
    records = [record(50, 50), record(20, 20), record(10, 10)]
    assert list(measures_by_size(records, SegmentationMetrics())) == [*SIZE_BINS, LARGEST_BIN]


def test_an_evaluation_reports_sizes_with_boundary_iou():
    samples = [sample(10, "small"), sample(60, "large"), replace(sample(60, "none"), mask=np.zeros((100, 100), bool))]
    result = run(samples, Oracle(samples))
    assert {name: values["n"] for name, values in result.by_size.items()} == {SMALL: 1, LARGEST_BIN: 1}
    assert result.summary()["by_size"][SMALL]["boundary_iou"] == 1.0
    lines = [line for line in evaluation_table(result, title="t").splitlines() if line.startswith(f"| {SMALL}")]
    assert len(lines) == 1 and lines[0].endswith("| 100.0 |")
