"""Calibration: is a score the probability that its mask is right, and does presence separate present from absent?"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from restr.metrics import CalibrationBin, area_under_curve, calibration_bins, expected_calibration_error
from restr.report.charts import BLACK, BLUE, DARK_BLUE, GREY, chart_png, has_matplotlib, open_figure

_RIGHT = 0.5  # the least IoU of a right mask


class HasPresence(Protocol):
    """The part of an evaluation's record that calibration needs."""

    @property
    def area(self) -> int: ...

    @property
    def iou(self) -> float: ...

    @property
    def score(self) -> float: ...

    @property
    def presence(self) -> float | None: ...

    @property
    def marked(self) -> bool: ...


def scores_and_outcomes(records: Sequence[HasPresence]) -> tuple[list[float], list[bool]]:
    """The scores, and whether each one's mask is right: IoU >= 0.5. Both empty if no mask has a score.

    A sentence that means nothing counts if it got a mask, which is wrong then; without a mask there is no score to
    judge.
    """
    if not any(record.score for record in records):
        return [], []
    counted = [record for record in records if record.area or record.marked]
    right = [bool(record.area) and record.iou >= _RIGHT for record in counted]
    return [record.score for record in counted], right


def calibration_measures(records: Sequence[HasPresence]) -> dict[str, float]:
    """ece, the expected calibration error of the scores, and presence_auc, how well presence separates sentences that
    mean something from those that mean nothing; each only if known."""
    scores, right = scores_and_outcomes(records)
    found = {"ece": expected_calibration_error(scores, right)} if scores else {}
    known = [(record.area > 0, record.presence) for record in records if record.presence is not None]
    present, absent = ([presence for there, presence in known if there == which] for which in (True, False))
    return found | ({"presence_auc": area_under_curve(present, absent)} if present and absent else {})


def draw_reliability(records: Sequence[HasPresence], *, title: str) -> bytes | None:
    """Share of right masks against their score as a PNG, with how many there are; None without matplotlib, or scores."""
    scores, right = scores_and_outcomes(records)
    if not scores or not has_matplotlib():
        return None
    bins = calibration_bins(scores, right)
    figure = open_figure(5, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.bar(
        _middles(bins), [each.correct for each in bins], _width(bins), color=BLUE, label="share right (IoU >= 0.5)"
    )
    upper.plot([0, 1], [0, 1], "--", color=BLACK, linewidth=1, label="as the score says")
    upper.plot([each.score for each in bins], [each.correct for each in bins], "o", color=DARK_BLUE, markersize=4)
    upper.set_ylim(0, 1)
    upper.set_ylabel("share of right masks")
    upper.legend(loc="upper left", frameon=False, fontsize=9)
    upper.set_title(
        f"{textwrap.shorten(title, 60, placeholder=' ...')}\n"
        f"expected calibration error {expected_calibration_error(scores, right):.3f}",
        fontsize=11,
        loc="left",
    )
    lower.bar(_middles(bins), [each.n for each in bins], _width(bins), color=GREY)
    lower.set_xlim(0, 1)
    lower.set_ylabel("masks")
    lower.set_xlabel("score")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    return chart_png(figure)


def _middles(bins: Sequence[CalibrationBin]) -> np.ndarray:
    return np.array([(each.low + each.high) / 2 for each in bins])


def _width(bins: Sequence[CalibrationBin]) -> float:
    return 0.92 * (bins[0].high - bins[0].low)
