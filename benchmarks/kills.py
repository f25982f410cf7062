"""Does a run that is killed repeatedly end with the same bits as an undisturbed one? SIGKILL at random moments, then resume.

    python benchmarks/kills.py                # 20 kills of one process, 20 of two that share each step (torchrun, gloo)
    python benchmarks/kills.py --kills 5 --seed 1

A run of ``restr_tiny`` on drawn scenes (240 steps, a checkpoint every 3, an evaluation every 20, batches prepared by a worker
process) is done once undisturbed. Then the same command is killed, with all processes that it has started, between 0.2 s and
some seconds after its start, and started again with --resume, until the number of kills is reached; the last one may finish.
Of two processes, every other time only one is killed, and torchrun's elastic agent restarts both. In the end the last
checkpoint (weights, running mean, optimiser, random states), the model's file and the log's losses must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from restr.training.loop import checkpoint
from restr.training.run.log import read

STEPS = 240
MOMENTS = 4.0  # seconds of training within which a run is killed
OPTIONS = ["--scenes", "64", "--per-scene", "4", "--batch", "8", "--steps", str(STEPS), "--validation-scenes", "8",
           "--evaluate-every", "20", "--save-every", "3", "--log-every", "1", "--workers", "1", "--threads", "1",
           "--accumulate", "2", "--lr", "1e-3"]  # fmt: skip
ELASTIC = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "99", "--monitor-interval", "0.1"]
WAYS = {
    "one process": [sys.executable, "-m", "restr", "train"],
    "two processes": [sys.executable, "-m", "torch.distributed.run", *ELASTIC, "-m", "restr", "train"],
}


def start(way: str, folder: Path) -> subprocess.Popen[bytes]:
    """The run, in a process group of its own; its output goes to a file."""
    command = [*WAYS[way], "--out", str(folder), *OPTIONS, "--resume"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(folder.with_suffix(".said"), "ab") as said:
        return subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)


def wait(run: subprocess.Popen[bytes], folder: Path) -> None:
    if run.wait(timeout=600):
        raise SystemExit(f"the run failed:\n{folder.with_suffix('.said').read_text()[-2000:]}")


def trainers(run: subprocess.Popen[bytes]) -> list[int]:
    """The processes that torchrun has started so far."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"restr" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def kill_all(run: subprocess.Popen[bytes]) -> None:
    """Kill all processes of a run together, as when a machine dies; torchrun gives its children sessions of their own."""
    for pid in [*family(run.pid), run.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    run.wait()


def family(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [member for child in children for member in (child, *family(child))]


def step_of(folder: Path) -> int:
    """The last checkpoint's."""
    earlier = checkpoint.list_checkpoints(folder)
    return int(earlier[-1].stem.removeprefix("step-")) if earlier else 0


def kill_often(way: str, folder: Path, kills: int, rng: random.Random, startup: float) -> list[str]:
    """Kill and resume; the kills, in words."""
    done: list[str] = []
    run = start(way, folder)
    began = time.monotonic()
    while len(done) < kills:
        # from the first imports on; half of the kills come while it starts, half while it trains
        time.sleep(rng.uniform(0.2, startup) if rng.random() < 0.5 else rng.uniform(startup, startup + MOMENTS))
        if run.poll() is not None:
            wait(run, folder)  # it finished before the last kill: start again from the first step
            shutil.rmtree(folder)
            run, began = start(way, folder), time.monotonic()
            print("  finished; from the first step again", file=sys.stderr)
            continue
        after, before = time.monotonic() - began, step_of(folder)
        victims = trainers(run) if way == "two processes" and len(done) % 2 == 1 else []
        if victims:
            os.kill(rng.choice(victims), signal.SIGKILL)
        else:
            kill_all(run)
            run, began = start(way, folder), time.monotonic()
        done.append(f"{'one of two' if victims else 'all'} after {after:.1f} s, at checkpoint {before}")
        print(f"  {len(done)}: {done[-1]}", file=sys.stderr)
    wait(run, folder)
    return done


def differences(straight: Path, killed: Path) -> Iterator[str]:
    """The parts in which the final states of two runs differ, even by one bit."""
    one, other = (checkpoint.load(checkpoint.path_at(folder, STEPS)) for folder in (straight, killed))
    for name in ("model", "ema", "optimizer", "random", "best", "metrics", "step"):
        if not same(one[name], other[name]):
            yield f"the checkpoint's {name}"
    for name in ("model/model.safetensors", "model/config.json", "model/vocab.txt"):
        if (straight / name).read_bytes() != (killed / name).read_bytes():
            yield name
    logged = [[(line["step"], line.get("loss"), line.get("val_miou")) for line in read(f / "log.jsonl")]
              for f in (straight, killed)]  # fmt: skip
    if logged[0] != logged[1]:
        yield "log.jsonl's losses"


def same(one: Any, other: Any) -> bool:
    """Whether two nested values are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    chosen = parser.parse_args()
    rng, failed = random.Random(chosen.seed), False
    root = Path(tempfile.mkdtemp(prefix="restr-kills-"))
    for way in chosen.ways:
        straight, killed = root / way.replace(" ", "-"), root / f"{way.replace(' ', '-')}-killed"
        began = time.monotonic()
        run = start(way, straight)
        while not read(straight / "log.jsonl") and run.poll() is None:
            time.sleep(0.05)
        startup = time.monotonic() - began
        wait(run, straight)
        whole = time.monotonic() - began
        trained = json.loads((straight / "log.jsonl").read_text().splitlines()[-1])["step"]
        kill_often(way, killed, chosen.kills, rng, startup)
        found = list(differences(straight, killed))
        failed |= bool(found)
        verdict = f"DIFFERENT: {', '.join(found)}" if found else "bit-equal"
        print(
            f"{way}: {trained} steps in {whole:.0f} s undisturbed; {chosen.kills} kills, resumed each time: {verdict}"
        )
    shutil.rmtree(root)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
