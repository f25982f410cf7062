"""An evaluation in several processes, killed and resumed: the same numbers as an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from restr.data.generated import vocabulary
from restr.errors import ConfigError, DataError, DatasetError
from restr.evaluation.datasets import drawn_scenes
from restr.evaluation.journal import JOURNAL_FILE, Journal
from restr.evaluation.protocol import PROTOCOLS
from restr.evaluation.run import EvalSetup, measure_all
from restr.model.build import build_model
from restr.model.weights import save_pretrained
from restr.presets import restr_tiny


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = vocabulary()
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, folder)
    return folder


def setup_of(model: Path, n: int = 12) -> EvalSetup:
    return EvalSetup(samples=drawn_scenes(n), model=model, protocol=PROTOCOLS["own"], device="cpu")


def test_two_processes_measure_what_one_does(model: Path) -> None:
    seen: list[int] = []
    two = measure_all(setup_of(model), processes=2, progress=seen.append)
    assert two == measure_all(setup_of(model))
    assert [record.id for record in two] == [sample.id for sample in drawn_scenes(12)]
    assert sum(seen) == 12
    with pytest.raises(ConfigError, match="processes is 0"):
        measure_all(setup_of(model), processes=0)


def test_what_goes_wrong_in_a_process_is_said_as_it_is(model: Path) -> None:
    with pytest.raises(DatasetError, match="there is no picture of number 1"):
        measure_all(replace(setup_of(model), samples=Broken()), processes=2)


class Broken:
    """Two samples that cannot be read."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int):
        raise DatasetError("there is no picture of number 1")

    def __iter__(self):
        return iter(())

    def ids(self) -> list[str]:
        return ["0", "1"]

    def image_groups(self) -> list[range]:
        return [range(0, 1), range(1, 2)]


def test_a_journal_is_resumed_after_half_a_line(model: Path, tmp_path: Path) -> None:
    whole = measure_all(setup_of(model))
    facts = {"seed": 0, "data": "generated"}
    journal = Journal(tmp_path, facts)
    measure_all(setup_of(model), journal=journal)
    journal.close()
    lines = (tmp_path / JOURNAL_FILE).read_text().splitlines(keepends=True)
    (tmp_path / JOURNAL_FILE).write_text("".join(lines[:2]) + lines[2][:40])
    again = Journal(tmp_path, facts)
    assert sorted(again.done) == [0] and again.done[0] == whole[: len(again.done[0])]
    assert measure_all(setup_of(model), journal=again) == whole
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_of_other_settings_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path, {"seed": 0, "data": "generated"}).close()
    with pytest.raises(DataError, match=r"unfinished evaluation with seed 0, not 1; give the same settings"):
        Journal(tmp_path, {"seed": 1, "data": "generated"})
    (tmp_path / JOURNAL_FILE).write_text("{}\n[1]\n")
    with pytest.raises(DataError, match="damaged"):
        Journal(tmp_path, {})


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_evaluation_gives_the_report_of_an_undisturbed_one(
    model: Path, tmp_path: Path, processes: int
) -> None:
    arguments = ["eval", "--data", "generated", "--n", "200", "--model", str(model), "--processes", str(processes)]

    def command(out: str) -> list[str]:
        return [sys.executable, "-m", "restr.cli.main", *arguments, "--out", out]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL}
    subprocess.run(command("whole"), check=True, **quiet)
    process = subprocess.Popen(command("killed"), **quiet)
    journal = tmp_path / "killed" / JOURNAL_FILE
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 5):
        assert process.poll() is None and time.monotonic() < deadline, "it finished before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "metrics.json").exists()
    done = journal.read_bytes().count(b"\n")
    subprocess.run(command("killed"), check=True, **quiet)
    assert done > 5 and not journal.exists()
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "killed").iterdir())
    for name in names:
        one, two = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "killed"))
        assert one.replace(b"whole", b"") == two.replace(b"killed", b""), name
    assert json.loads((tmp_path / "killed" / "metrics.json").read_text())["overall"]["n"] == 200
