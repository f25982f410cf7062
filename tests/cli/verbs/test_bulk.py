"""``restr bulk`` as it is typed: exit codes, the printed summary, and real processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bulk_runs import HerePool, json_lines, make_model, png
from restr.cli.main import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a model, four pictures and a table, one row of which is bad; work is done in the test's process."""
    make_model(tmp_path / "model")
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    lines = [{"image": f"{number % 4}.png", "text": ["left", "red"]} for number in range(60)]
    (tmp_path / "rows.jsonl").write_bytes(json_lines([{"image": "none.png", "text": "left"}, *lines]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("restr.bulk.pools.processes.ProcessPool", lambda processes, threads: HerePool())
    before = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(before)


def words(*more: str) -> list[str]:
    return ["bulk", *more, "--model", "model", "--device", "cpu", "--threads", "1"]


def test_pictures_with_texts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words("*.png", "--text", "left", "--text", "red", "--out", "out", "--presence", "0")
    assert main(asked) == 0
    printed = capsys.readouterr()
    assert "8 rows in 1 part\n" in printed.out and "errors 0" in printed.out and "torch fp32 on cpu" in printed.out
    assert "predicting, 8 of 8 rows" in printed.err
    assert main(asked) == 0
    assert "nothing was left to do" in capsys.readouterr().out


def test_a_bad_row_is_told_and_makes_the_exit_code_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = words("rows.jsonl", "--out", "out", "--format", "jsonl", "--rows-per-part", "50")
    assert main(asked) == 1
    assert "1 ImageError, such as row 0, none.png: there is no file none.png" in capsys.readouterr().out
    assert main([*asked, "--allow-errors"]) == 0
    assert len(list((here / "out").glob("part-*.jsonl"))) == 3


def test_wrong_use_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("*.png", "--out", "out")) == 1
    assert "add --text" in capsys.readouterr().err
    assert main(words("rows.jsonl", "--out", "out", "--rows-per-part", "0")) == 1
    assert "rows_per_part is 0" in capsys.readouterr().err
    assert not (here / "out").exists()


def test_ctrl_c_says_how_to_go_on(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restr.bulk.pools.processes.ProcessPool", lambda processes, threads: HerePool(1))
    assert main(words("rows.jsonl", "--out", "out", "--rows-per-part", "50")) == 130
    assert "the same command resumes" in capsys.readouterr().err


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "restr", *words("rows.jsonl", "--rows-per-part", "4", *more)]


def wait_for_parts(folder: Path, count: int) -> None:
    until = time.monotonic() + 120
    while len(list(folder.glob("part-*"))) < count and time.monotonic() < until:
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_driver_is_started_again(here: Path, how: signal.Signals) -> None:
    whole = subprocess.run(command("--out", "whole"), capture_output=True, timeout=300)
    assert whole.returncode == 1, whole
    killed = subprocess.Popen(command("--out", "killed", "--processes", "2"), stderr=subprocess.DEVNULL)
    wait_for_parts(here / "killed", 3)
    workers = children(killed.pid)
    killed.send_signal(how)
    killed.wait(60)
    assert len(workers) >= 2 and len(list((here / "killed").glob("part-*"))) < 31
    until = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)
    again = subprocess.run(command("--out", "killed", "--processes", "2"), capture_output=True, timeout=300)
    assert again.returncode == 1, again
    written = {path.name: path.read_bytes() for path in (here / "killed").iterdir() if path.name != "summary.json"}
    assert written == {
        path.name: path.read_bytes() for path in (here / "whole").iterdir() if path.name != "summary.json"
    }
