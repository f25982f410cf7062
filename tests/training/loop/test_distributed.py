"""Several processes: they learn what one process learns, and one process can resume their run."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import distributed_run
from restr.errors import ConfigError
from restr.model.weights import load_pretrained
from restr.training.loop import checkpoint, distributed
from restr.training.run.log import read
from small_runs import trainer

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def torchrun(*arguments: str | Path, options: Sequence[str] = ("--standalone", "--nproc-per-node", "2")) -> str:
    """The output of two processes; raises if one of them failed."""
    command = [*TORCHRUN, *options, *map(str, arguments)]
    done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Folders of runs by one process ("one") and by two (see distributed_run.main)."""
    root = tmp_path_factory.mktemp("runs")
    distributed_run.run(root / "one", distributed_run.SETTINGS)
    torchrun(distributed_run.__file__, root)
    return root


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read(folder / "log.jsonl") if "loss" in line]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model/model.safetensors")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "mixed"])
def test_two_processes_learn_what_one_learns(runs: Path, strategy: str) -> None:
    expected, found = losses(runs / "one"), losses(runs / strategy)
    assert len(found) == distributed_run.STEPS and found == pytest.approx(expected, rel=2e-4)
    different = weights(runs / strategy)
    for name, value in weights(runs / "one").items():
        difference = (value - different[name]).abs()
        if name.endswith("qkv.bias"):
            # Softmax does not see the keys' bias, so its gradient is rounding alone, which Adam turns into steps.
            q, k, v = difference.chunk(3)
            assert k.max() < 2e-3, name
            difference = torch.cat([q, v])
        assert difference.max() < 2e-4, name
    measured = [
        [line["val_miou"] for line in read(runs / f / "log.jsonl") if "val_miou" in line] for f in ("one", strategy)
    ]
    assert measured[1] == pytest.approx(measured[0], abs=0.01) and len(measured[0]) == 2


def test_gradients_that_are_exchanged_are_those_of_all_batches(runs: Path) -> None:
    settings = dataclasses.replace(distributed_run.SETTINGS, steps=3, accumulate=4)
    distributed_run.run(runs / "four-by-one", settings)
    assert losses(runs / "four") == pytest.approx(losses(runs / "four-by-one"), rel=1e-5)


def test_sharded_processes_hand_on_the_weights_of_their_best_evaluation(runs: Path) -> None:
    chosen, best = (load_pretrained(runs / "fsdp" / name)[0].state_dict() for name in ("chosen", "best.pt"))
    assert chosen.keys() == best.keys() and all(torch.equal(chosen[name], best[name]) for name in best)


def test_one_process_resumes_a_run_of_two_sharded_ones(runs: Path) -> None:
    folder = runs / "fsdp"
    for path in checkpoint.list_checkpoints(folder)[-1:]:
        path.unlink()
    resumed = distributed_run.run(folder, distributed_run.SETTINGS, resume=True)
    assert resumed.step == distributed_run.STEPS
    assert losses(folder) == pytest.approx(losses(runs / "one"), rel=2e-4)


def test_every_process_has_its_share() -> None:
    assert distributed.split_indices(3) == [(0, True), (1, True), (2, True)]
    assert distributed.all_max([1.0, 2.0], torch.device("cpu")) == [1.0, 2.0]
    assert distributed.all_mean({"a": 1.0}, torch.device("cpu")) == {"a": 1.0} and distributed.all_gather("a") == ["a"]


def test_a_share_of_several_processes_is_the_same_length_for_each(monkeypatch) -> None:
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert distributed.split_indices(3) == [(1, True), (0, False)]


def test_batches_that_cannot_be_shared_are_refused(tmp_path: Path, monkeypatch) -> None:
    from small_runs import SETTINGS

    with pytest.raises(ConfigError, match="only process; start several: torchrun"):
        trainer(tmp_path, dataclasses.replace(SETTINGS, strategy="fsdp"))
    with pytest.raises(ConfigError, match="fp16 with strategy fsdp; choose bf16"):
        dataclasses.replace(SETTINGS, strategy="fsdp", autocast="fp16")
    monkeypatch.setattr(distributed, "size", lambda: 2)
    with pytest.raises(ConfigError, match="accumulate is 3: 2 processes cannot share"):
        trainer(tmp_path, dataclasses.replace(SETTINGS, accumulate=3))


@pytest.mark.slow
def test_two_nodes_find_each_other_and_train(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    arguments = ["-m", "restr", "train", "--out", str(tmp_path), "--scenes", "8", "--per-scene", "4", "--batch", "4"]
    arguments += ["--steps", "3", "--validation-scenes", "2", "--threads", "1"]
    nodes = [
        subprocess.Popen(
            [*TORCHRUN, "--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(node), "--rdzv-backend", "c10d",
             "--rdzv-endpoint", f"localhost:{port}", *arguments],
            env=ONE_THREAD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for node in range(2)
    ]  # fmt: skip
    said = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert (tmp_path / "model/model.safetensors").exists() and sum("miou " in each for each in said) == 1
