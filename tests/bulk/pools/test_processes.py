"""Processes of this machine: their number, their threads, and what they do when the caller is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from restr.bulk.pools.processes import ProcessPool
from restr.errors import ConfigError, WorkerError
from served import wait_until
from toy_workers import ToyFactory, ToyTask, alive


def test_threads_are_set_before_a_worker_imports_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    [outcome] = ProcessPool(4, threads=3).run([ToyTask(1)], ToyFactory(tmp_path))
    assert outcome.report is not None and outcome.report.threads == "3"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert len(ToyFactory(tmp_path).made()) == 1, "one task needs one process"


@pytest.mark.parametrize("numbers", [(0, 1), (1, -1), (1.5, 1), (True, 1)])
def test_wrong_numbers_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="must be a whole number of at least"):
        ProcessPool(*numbers)


def test_processes_that_die_while_they_load_are_not_tried_for_ever(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="3 times while it loaded, the last time by SIGKILL"):
        list(ProcessPool(1).run([ToyTask(1)], ToyFactory(tmp_path, fails="dies")))
    assert len(ToyFactory(tmp_path).made()) == 3


def test_an_error_of_the_source_of_tasks_ends_the_processes(tmp_path: Path) -> None:
    def tasks():
        yield ToyTask(1)
        raise OSError("the plan cannot be read")

    factory = ToyFactory(tmp_path)
    with pytest.raises(OSError, match="the plan cannot be read"):
        list(ProcessPool(2).run(tasks(), factory))
    assert not any(alive(process) for process in factory.made())


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_caller_that_is_killed_takes_its_workers_along(tmp_path: Path) -> None:
    program = f"""
        import pathlib
        from restr.bulk.pools.processes import ProcessPool
        from toy_workers import ToyFactory, ToyTask
        if __name__ == "__main__":
            tasks = [ToyTask(number, "slow") for number in range(100)]
            list(ProcessPool(1).run(tasks, ToyFactory(pathlib.Path({str(tmp_path)!r}))))
    """
    script = tmp_path / "caller.py"
    script.write_text(textwrap.dedent(program))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    caller = subprocess.Popen([sys.executable, str(script)], env=environment)
    factory = ToyFactory(tmp_path)
    try:
        wait_until(lambda: factory.begun(0), 30)
        os.kill(caller.pid, signal.SIGKILL)
        caller.wait()
        wait_until(lambda: not any(alive(process) for process in factory.made()), 10)
    finally:
        caller.kill()
        caller.wait()
    assert factory.begun(50) == 0
