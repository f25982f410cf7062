"""A Ray cluster of two nodes on this machine, for tests and ``benchmarks/bulk.py``; its fixture skips without Ray."""

from __future__ import annotations

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import pytest

# On a busy machine Ray's processes need longer to start than Ray waits for them.
_PATIENCE = {
    "agent_register_timeout_ms": "300000",
    "gcs_server_request_timeout_seconds": "300",
    "raylet_start_wait_time_s": "300",
    "worker_register_timeout_seconds": "300",
}


def start_node(cluster: Any, **options: Any) -> Any:
    """A further node of one processor."""
    return cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20, **_agent_ports(), **options)


def _agent_ports() -> dict[str, int]:
    """Free ports for a node's helpers. If they choose their own, Ray waits 15 seconds to be told, and then gives up."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return dict(zip(names, (each.getsockname()[1] for each in sockets), strict=True))


def start_two_nodes() -> tuple[Any, Any]:
    """(cluster, its second node), one processor each; no program is connected to it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    for name, value in _PATIENCE.items():
        os.environ.setdefault(f"RAY_{name}", value)
    # Ray's processes must import restr, and what the tests run.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with warnings.catch_warnings(action="ignore"):
        from ray.cluster_utils import Cluster
    cluster = Cluster()
    start_node(cluster, include_dashboard=False)
    return cluster, start_node(cluster)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    """A cluster that the tests of a module share: they leave it as it was."""
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
