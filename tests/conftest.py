"""The environment of every test: seeded random numbers, few threads, and the same examples from hypothesis in every CI run."""

from __future__ import annotations

import os
import random
import tempfile

import hypothesis
import numpy as np
import pytest
import torch

import shape_checks

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # the cores are shared by the workers
os.environ["RESTR_BACKEND"] = "torch"  # the user's cache decides nothing here; child processes inherit it
# No test reads or fills the user's cache; child processes inherit this.
_cache = tempfile.TemporaryDirectory(prefix="restr-tests-")
os.environ["RESTR_CACHE"] = _cache.name

# Other work on the machine must not fail a property test; CI must not fail on luck.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

shape_checks.install()
# Fixtures of tests of shards, of the server, of runtimes, and of Ray clusters.
pytest_plugins = ["sharded", "served", "fake_runtimes", "ray_nodes"]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Each test starts from the same random state, independent of earlier tests."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
