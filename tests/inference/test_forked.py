"""A process that was forked after its parent had computed: it computes too, or says what to do, and never hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restr import build_model, presets
from restr.errors import ConfigError
from restr.inference.backends import base
from restr.inference.backends.base import Backend
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary

CODE = """
import multiprocessing, sys
import numpy as np, torch
from restr import Segmenter

def of(text):
    segmenter = Segmenter.from_pretrained(folder, device="cpu") if when == "load" else parents
    return torch.get_num_threads(), float(segmenter(image, text).prob.sum())

folder, when = sys.argv[1:]
image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
torch.set_num_threads(4)
parents = Segmenter.from_pretrained(folder, device="cpu")
expected = parents(image, "left").prob.sum()
torch.randn(1000, 1000) @ torch.randn(1000, 1000)  # whatever the model's size, there are threads now
with multiprocessing.get_context("fork").Pool(2) as pool:
    for threads, found in pool.map_async(of, ["left"] * 4).get(timeout=60):
        assert abs(found - expected) < 1e-2 * abs(expected) and threads in (1, 4), (threads, found, expected)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("when", ["load", "predict"])
def test_a_forked_process_computes_with_one_thread_and_says_so(tmp_path: Path, when: str) -> None:
    vocabulary = Vocabulary(("the", "left", "right"))
    save_pretrained(build_model(presets.restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path), when],
        capture_output=True, text=True, timeout=120, env=environment,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr
    assert "spawn" in done.stderr


class Runtime(Backend):
    """A runtime with threads of its own that a fork leaves behind."""

    name = "some runtime"

    def encode_image(self, image: np.ndarray) -> Any:
        raise NotImplementedError

    def segment(self, features: Any, ids: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def test_another_runtime_refuses_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_process", None)
    backend = Runtime()
    backend.enter()
    backend.enter()
    assert base._process == os.getpid()
    monkeypatch.setattr(base, "_process", os.getppid())  # as a forked process finds it
    for _ in range(2):
        with pytest.raises(ConfigError, match="'some runtime' cannot continue there; start processes with .*spawn"):
            backend.enter()
