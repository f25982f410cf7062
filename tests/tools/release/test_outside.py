"""The comparison of a wheel with the repository, and the trial without a network."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import restr
from outside import OTHER_BUILD_MASK, OTHER_BUILD_PROBABILITY, PICTURES, compare, readme_snippets, without_network
from probe import TEXTS
from steps import ROOT, DistError, run

EXPECTED = {"a: mask": np.zeros((50, 50), bool), "a: probabilities": np.full((50, 50), 0.25, np.float32)}


def changed(name: str, by: float) -> dict[str, np.ndarray]:
    array = EXPECTED[name].copy()
    array[0, 0] += by
    return {**EXPECTED, name: array}


def test_equal_bits_are_equal() -> None:
    copied = {name: array.copy() for name, array in EXPECTED.items()}
    assert "bit by bit" in compare(copied, EXPECTED, exact=True)


@pytest.mark.parametrize(("name", "by"), [("a: mask", 1), ("a: probabilities", 1e-6)])
def test_with_the_same_torch_any_difference_counts(name: str, by: float) -> None:
    with pytest.raises(DistError, match=f"1 of 2 arrays differ: {name}"):
        compare(changed(name, by), EXPECTED, exact=True)


def test_with_another_torch_it_must_be_close() -> None:
    assert "1.0e-06 apart" in compare(changed("a: probabilities", 1e-6), EXPECTED, exact=False)
    assert "0.0400% of their pixels" in compare(changed("a: mask", 1), EXPECTED, exact=False)
    with pytest.raises(DistError, match=f"allowed are {OTHER_BUILD_PROBABILITY}"):
        compare(changed("a: probabilities", 2 * OTHER_BUILD_PROBABILITY), EXPECTED, exact=False)
    far = {**EXPECTED, "a: mask": np.ones((50, 50), bool)}
    with pytest.raises(DistError, match=f"masks in at most 100.0000% .* and {OTHER_BUILD_MASK:.4%}"):
        compare(far, EXPECTED, exact=False)


def test_a_result_on_one_side_only_is_named() -> None:
    with pytest.raises(DistError, match="a: mask"):
        compare({"a: probabilities": EXPECTED["a: probabilities"]}, EXPECTED, exact=False)
    with pytest.raises(DistError, match=r"\(2, 2\) and \(50, 50\)"):
        compare({**EXPECTED, "a: mask": np.zeros((2, 2), bool)}, EXPECTED, exact=False)


def test_the_trial_shows_things_that_are_there_and_one_that_is_not() -> None:
    assert all((ROOT / "examples" / name).is_file() for name in PICTURES)
    assert len(TEXTS) >= 3 and readme_snippets()[0].startswith("from restr import")


@pytest.mark.skipif(not without_network()[0], reason="no network namespace can be made here")
def test_a_network_namespace_has_no_network() -> None:
    asked = "import socket; print(*[name for _, name in socket.if_nameindex()])"
    assert run([*without_network()[0], sys.executable, "-I", "-c", asked]).split() == ["lo"]


def test_a_failed_command_shows_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DistError, match=r"ended with 3:\nthe reason"):
        run([sys.executable, "-I", "-c", "import sys; print('the reason'); sys.exit(3)"])
    with pytest.raises(DistError, match="no-such-command is not here"):
        run(["no-such-command"])
    with pytest.raises(DistError, match="took longer than 0 s"):
        run([sys.executable, "-I", "-c", "import time; time.sleep(20)"], timeout=0.2)
    monkeypatch.setenv("PYTHONPATH", "src")
    assert run([sys.executable, "-c", "import os; print(os.environ.get('PYTHONPATH'))"]).strip() == "None"


def test_the_scripts_explain_themselves() -> None:
    for name in ("make.py", "outside.py", "resolve.py"):
        said = subprocess.run(
            [sys.executable, ROOT / "tools" / "release" / name, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )
        assert "usage:" in said.stdout and restr.__name__ not in said.stderr
