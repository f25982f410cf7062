"""What every pool promises, with workers that need no model: each task once, whatever becomes of the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from restr.bulk.pools.base import Pool
from restr.bulk.pools.processes import ProcessPool
from restr.bulk.pools.ray_pool import RayPool
from restr.errors import WorkerError
from served import wait_until
from toy_workers import ToyFactory, ToyTask, alive


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def pool(request: pytest.FixtureRequest) -> Pool:
    if request.param == "processes":
        return ProcessPool(2, threads=1)
    return RayPool(2, address=request.getfixturevalue("two_nodes").address)


def test_every_task_has_one_outcome_whatever_happens_to_its_worker(pool: Pool, tmp_path: Path) -> None:
    factory = ToyFactory(tmp_path)
    fates = {3: "raises", 5: "kills once", 8: "kills", 11: "unpicklable"}
    tasks = [ToyTask(number, fates.get(number, "done")) for number in range(20)]
    outcomes = {outcome.task.number: outcome for outcome in pool.run(tasks, factory)}
    assert [outcomes[task.number].task for task in tasks] == tasks and len(outcomes) == 20
    for number, outcome in outcomes.items():
        if fates.get(number, "done") in ("done", "kills once"):
            assert outcome.report is not None and outcome.report.doubled == 2 * number and outcome.error is None
        else:
            assert outcome.report is None and outcome.error
    assert outcomes[3].error == "ValueError: a task that raises" and outcomes[3].attempts == 1
    assert factory.begun(3) == 1, "what raises would raise again"
    assert outcomes[5].attempts == 2 == factory.begun(5)
    assert outcomes[8].attempts == 3 == factory.begun(8)
    assert "3 times" in (outcomes[8].error or "") and "memory" in (outcomes[8].error or "")
    innocent = Counter(factory.begun(task.number) for task in tasks if task.fate == "done")
    assert set(innocent) == {1}, "only the task of the worker that died is done again"
    wait_until(lambda: not any(alive(process) for process in factory.made()), 30)


def test_tasks_are_read_as_they_are_needed(pool: Pool, tmp_path: Path) -> None:
    read: list[int] = []

    def tasks() -> Iterator[ToyTask]:
        for number in range(1000):
            read.append(number)
            yield ToyTask(number)

    factory = ToyFactory(tmp_path)
    with closing(pool.run(tasks(), factory)) as outcomes:
        assert read == []
        for done in range(1, 11):
            next(outcomes)
            assert len(read) <= done + 2
        assert len(factory.made()) <= 2 and any(alive(process) for process in factory.made())
    assert len(read) <= 12
    wait_until(lambda: not any(alive(process) for process in factory.made()), 30)


def test_closing_ends_workers_in_the_middle_of_a_task(pool: Pool, tmp_path: Path) -> None:
    factory = ToyFactory(tmp_path)
    with closing(pool.run([ToyTask(0), *(ToyTask(number, "slow") for number in range(1, 99))], factory)) as found:
        next(found)
    wait_until(lambda: not any(alive(process) for process in factory.made()), 30)
    assert factory.begun(98) == 0


def test_no_tasks_no_processes(pool: Pool, tmp_path: Path) -> None:
    factory = ToyFactory(tmp_path)
    assert list(pool.run([], factory)) == [] and factory.made() == []


def test_a_worker_that_cannot_be_made_is_said_at_once(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no such model: toy"):
        list(pool.run([ToyTask(number) for number in range(9)], ToyFactory(tmp_path, fails="raises")))
