"""Actors on a Ray cluster of two nodes, one of which is lost in the middle. Slow tests need Ray: pip install -e '.[ray]'."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from restr.bulk.pools.ray_pool import RayPool
from restr.errors import ConfigError, WorkerError
from served import wait_until
from toy_workers import ToyFactory, ToyTask, alive

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's: sockets and files left open at the end of a cluster


@pytest.mark.parametrize(
    ("values", "named"), [((-1,), "workers"), ((1, 0), "cpus_per_worker"), ((1, 1, float("nan")), "gpus_per_worker")]
)
def test_wrong_numbers_are_refused(values: tuple, named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named} is .* it must be"):
        RayPool(*values)


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WorkerError, match=r"pip install 'restr\[ray\]'"):
        list(RayPool(1).run([ToyTask(1)], ToyFactory(tmp_path)))


def test_room_is_counted_machine_by_machine() -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 7.0, "GPU": 1.0}},
        {"Alive": True, "Resources": {"CPU": 3.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    assert RayPool(cpus_per_worker=2).room(nodes) == 4
    assert RayPool(cpus_per_worker=2, gpus_per_worker=0.5).room(nodes) == 2
    assert RayPool(cpus_per_worker=8).room(nodes) == 0


def test_an_address_where_nobody_answers_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9"):
        with pytest.raises(WorkerError, match=f"no Ray cluster at '{address}': .*refused.*ray start --head"):
            list(RayPool(1, address=address).run([ToyTask(1)], ToyFactory(tmp_path)))


@pytest.mark.slow
def test_a_node_that_is_lost_costs_no_task(tmp_path: Path, two_nodes) -> None:
    from ray_nodes import start_node

    lost = start_node(two_nodes)
    factory = ToyFactory(tmp_path)
    tasks = [ToyTask(number, "slow") for number in range(30)]
    found = RayPool(3, address=two_nodes.address).run(tasks, factory)
    first = [next(found) for _ in range(3)]
    wait_until(lambda: len(factory.made()) == 3, 120)
    threading.Thread(target=two_nodes.remove_node, args=(lost,), kwargs={"allow_graceful": False}).start()
    outcomes = first + list(found)
    assert sorted(outcome.task.number for outcome in outcomes) == list(range(30))
    assert all(outcome.report and outcome.report.doubled == 2 * outcome.task.number for outcome in outcomes)
    again = [outcome.task.number for outcome in outcomes if outcome.attempts > 1]
    assert len(again) == 1 and factory.begun(again[0]) == 2, "the task that was on it was done by another worker"
    wait_until(lambda: not any(alive(process) for process in factory.made()), 30)


@pytest.mark.slow
def test_nothing_is_printed(tmp_path: Path, two_nodes) -> None:
    program = f"""
import pathlib
from restr.bulk.pools.ray_pool import RayPool
from toy_workers import ToyFactory, ToyTask
tasks = [ToyTask(0), ToyTask(1, "kills once"), ToyTask(2)]
found = list(RayPool(2, address={two_nodes.address!r}).run(tasks, ToyFactory(pathlib.Path({str(tmp_path)!r}))))
print(sorted(outcome.report.doubled for outcome in found))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=200, check=True
    )
    assert done.stdout == "[0, 2, 4]\n"
    lines = done.stderr.splitlines()
    assert [line for line in lines if not line.startswith("a worker ended (")] == []
