"""Charts, with matplotlib and without."""

from __future__ import annotations

import math
import sys

import pytest

from restr.errors import DataError
from restr.report.charts import BLUE, Bar, chart_png, draw_bars, has_matplotlib, open_figure


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert not has_matplotlib()
    with pytest.raises(DataError, match=r"pip install 'restr\[train\]'"):
        open_figure(2, 2)


def test_bars_reach_their_values_and_leave_out_what_was_not_measured() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.patches import Rectangle

    figure = open_figure(4, 2)
    axes = figure.subplots()
    bars = [
        Bar("one", 3, 0.5, BLUE, (0.25, 0.75), 0.6),
        Bar("none", 0, math.nan, BLUE, (math.nan, math.nan)),
        Bar("two", 1, 0.625, BLUE),
    ]
    assert draw_bars(axes, bars, form="{:.2f}", gap=0.1) == 0.75
    assert [patch.get_width() for patch in axes.patches if isinstance(patch, Rectangle)] == [0.5, 0.0, 0.625]
    assert [text.get_text() for text in axes.texts] == ["0.50", "-", "0.62"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one  (n = 3)", "none  (n = 0)", "two  (n = 1)"]
    assert len(axes.lines) == 2 and chart_png(figure).startswith(b"\x89PNG")
