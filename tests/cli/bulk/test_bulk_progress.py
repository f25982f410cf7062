"""Progress of a bulk run: lines for a log, rate and time left."""

from __future__ import annotations

import pytest

from restr.bulk.run import BulkProgress
from restr.cli.bulk.progress import EVERY, bulk_progress, duration


def test_a_log_gets_a_line_for_each_state_and_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with bulk_progress(clock=lambda: now) as show:
        show(BulkProgress("planning", 500))
        show(BulkProgress("predicting", 1000, 5000))
        for part in range(1, 5):
            now += EVERY / 2
            show(BulkProgress("predicting", 1000 + 1000 * part, 5000, 1000 * part))
    assert capsys.readouterr().err.splitlines() == [
        "restr bulk: predicting, 1,000 of 5,000 rows",
        "restr bulk: predicting, 3,000 of 5,000 rows, 66.7 a second, 30 s left",
        "restr bulk: predicting, 5,000 of 5,000 rows, 66.7 a second, 0 s left",
    ]


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with bulk_progress() as show:
        show(BulkProgress("planning", 10))
        show(BulkProgress("predicting", 10, 20, 10))
    assert "predicting" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(48.4, "48 s"), (720, "12 min"), (3 * 3600 + 300, "3 h 05 min"), (52 * 3600, "2 d 4 h")],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
