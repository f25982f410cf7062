"""A Ray cluster of two nodes on this machine, for tests and ``benchmarks/bulk.py``; its fixture skips without Ray."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest


def start_node(cluster: Any, **options: Any) -> Any:
    """A further node of one processor. Ray gives up if its helpers take 15 seconds to start, as on a busy machine."""
    return cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20, **options)


def start_two_nodes() -> tuple[Any, Any]:
    """(cluster, its second node), one processor each; no program is connected to it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's processes must import restr, and what the tests run.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with warnings.catch_warnings(action="ignore"):
        from ray.cluster_utils import Cluster
    cluster = Cluster()
    start_node(cluster, include_dashboard=False)
    return cluster, start_node(cluster)


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Any]:
    """A cluster that all tests share: they leave it as it was."""
    if find_spec("ray") is None:
        pytest.skip("needs Ray: pip install -e '.[ray]'")
    before = os.environ.get("PYTHONPATH")
    cluster, _ = start_two_nodes()
    yield cluster
    cluster.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
