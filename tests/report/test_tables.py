"""Numbers and Markdown tables."""

from __future__ import annotations

import math

from restr.report.tables import decimal, decimal_interval, markdown_table, percent


def test_a_markdown_table_has_a_line_per_row() -> None:
    found = markdown_table(["", "n", "IoU"], [["all", "3", ""], ["one", "1", "50.0"]])
    assert found == ["| | n | IoU |", "|---|---:|---:|", "| all | 3 | |", "| one | 1 | 50.0 |"]


def test_what_was_not_measured_is_a_dash() -> None:
    assert (percent(0.5), percent(math.nan)) == ("50.0", "-")
    assert (decimal(0.125), decimal(math.nan)) == ("0.12", "-")
    assert decimal_interval((0.25, 0.5)) == "0.25-0.50" and decimal_interval((0.25, math.nan)) == "-"
