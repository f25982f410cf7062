"""Faults around a training run: each is made for real, and the outcome compared with the expected one.

    python benchmarks/faults.py                   # a Markdown table; a full disk needs root (a small tmpfs is mounted)
    python benchmarks/faults.py --only SIGTERM

Runs of ``restr_tiny``, some seconds each. The exit status is 1 if an outcome was not expected.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from fault_table import Fault, table

from restr.data.generated import GeneratedScenes
from restr.training.loop import checkpoint
from restr.training.run.log import read

SCENES = ["--scenes", "16", "--per-scene", "4", "--batch", "8", "--validation-scenes", "4", "--log-every", "1",
          "--threads", "1", "--save-every", "5"]  # fmt: skip
POISONED = """
import sys, dataclasses
from restr.data import batch
real = batch.SampleBatches.batch
def poisoned(self, step):
    made = real(self, step)
    if step in {steps}:
        made.image[0, 0, 5, 5] = float("nan")
    return made
batch.SampleBatches.batch = poisoned
from restr.cli.main import main
sys.exit(main())
"""


class Run:
    """A run of the command, its output and its end."""

    def __init__(self, folder: Path, *options: str, program: list[str] | None = None) -> None:
        self.folder, self.said = folder, folder.with_name(f"{folder.name}.said")
        command = [sys.executable, *(program or ["-m", "restr"]), "train", "--out", str(folder), *options]
        with open(self.said, "ab") as said:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)

    def until_step(self, step: int) -> None:
        """Wait for a line of its log."""
        end = time.monotonic() + 300
        while not any(line["step"] >= step for line in read(self.folder / "log.jsonl")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the run did not get to step {step}:\n{self.text()[-2000:]}")
            time.sleep(0.02)

    def ended(self) -> int:
        return self.process.wait(timeout=600)

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8", errors="replace")

    def steps(self) -> list[int]:
        return [line["step"] for line in read(self.folder / "log.jsonl") if "loss" in line]

    def whole(self, steps: int) -> bool:
        """Whether it has a finished model, and all its checkpoints can be read."""
        paths = checkpoint.list_checkpoints(self.folder)
        return all(checkpoint.load(path) for path in paths) and paths[-1].name == f"step-{steps:08d}.pt"


def same_model(run: Run, other: Run) -> bool:
    """Whether two runs ended with equal bits."""
    one, two = ((each.folder / "model/model.safetensors").read_bytes() for each in (run, other))
    return one == two


def truncated(root: Path) -> tuple[bool, str]:
    run = Run(root / "run", *SCENES, "--steps", "20")
    run.ended()
    last = checkpoint.list_checkpoints(run.folder)[-1]
    os.truncate(last, last.stat().st_size // 2)
    again = Run(root / "run", *SCENES, "--steps", "25", "--resume")
    status = again.ended()
    good = status == 0 and "cannot be read" in again.text() and again.whole(25) and again.steps() == list(range(1, 26))
    return good, "named; resumed from step 15; finished; the damaged file renamed" if good else again.text()[-500:]


def full_disk(root: Path) -> tuple[bool, str]:
    folder = root / "small"
    folder.mkdir()
    with mounted(folder, "20m"):
        run = Run(folder / "run", *SCENES, "--steps", "40", "--keep", "1")
        run.until_step(12)
        filler = folder / "filler"
        with open(filler, "wb") as file:  # somebody else fills the disk
            try:
                while True:
                    file.write(b"0" * 65536)
                    file.flush()
            except OSError:
                pass
        run.until_step(22)
        filler.unlink()
        status = run.ended()
        warned = "No space left" in run.text() and "training continues" in run.text()
        good = status == 0 and warned and run.whole(40) and not list(run.folder.glob(".*"))
        return good, "warned; continued; later checkpoints written; nothing half-written" if good else run.text()[-500:]


def full_at_the_end(root: Path) -> tuple[bool, str]:
    folder = root / "small"
    folder.mkdir()
    with mounted(folder, "12m"):
        run = Run(folder / "run", *SCENES, "--steps", "12", "--keep", "3")
        status = run.ended()
        kept = checkpoint.list_checkpoints(run.folder)
        good = status == 1 and "cannot be written" in run.text() and len(kept) >= 1 and all(map(checkpoint.load, kept))
        said = next((line for line in run.text().splitlines() if "error" in line.lower()), "")
        return good, f"status {status}, {len(kept)} sound checkpoint(s) left" if good else f"{status} {kept} {said}"


def deleted_image(root: Path) -> tuple[bool, str]:
    data = drawn(root / "data")
    options = ["--data", f"jsonl:{data}", "--val", f"jsonl:{data}", "--validation-samples", "4", "--batch", "4",
               "--log-every", "1", "--threads", "1", "--evaluate-every", "99"]  # fmt: skip
    run = Run(root / "run", *options, "--steps", "40")
    run.until_step(5)
    image = sorted((data.parent / "images").iterdir())[-1]
    hidden = image.rename(root / image.name)
    run.until_step(35)
    hidden.rename(image)  # the last evaluation reads everything
    status = run.ended()
    good = status == 0 and "a sample is replaced by another" in run.text() and image.name in run.text()
    return good, "named each time; replaced by a neighbour; finished" if good else run.text()[-500:]


def poisoned(root: Path) -> tuple[bool, str]:
    run = Run(root / "run", *SCENES, "--steps", "20", program=["-c", POISONED.replace("{steps}", "{7, 11}")])
    status = run.ended()
    left = sorted(set(range(1, 21)) - set(run.steps()))
    sound = all(
        torch.isfinite(value).all()
        for value in checkpoint.load(checkpoint.list_checkpoints(run.folder)[-1])["model"].values()
    )
    good = status == 0 and left == [8, 12] and sound
    return good, "both steps left out and named; finished; every weight finite" if good else run.text()[-500:]


def always_poisoned(root: Path) -> tuple[bool, str]:
    run = Run(root / "run", *SCENES, "--steps", "40", program=["-c", POISONED.replace("{steps}", "range(12, 99)")])
    status = run.ended()
    back = "back to step 10 with 0.5 of the learning rate" in run.text()
    good = status == 1 and back and "Lower lr" in run.text() and run.whole(10)
    return good, "three left out; back to step 10 at half the rate; then stopped" if good else run.text()[-500:]


def dead_worker(root: Path) -> tuple[bool, str]:
    straight = Run(root / "straight", *SCENES, "--steps", "40")
    run = Run(root / "run", *SCENES, "--steps", "40", "--workers", "1")
    run.until_step(10)
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    status = run.ended() or straight.ended()
    good = status == 0 and "has died and is started again" in run.text() and same_model(run, straight)
    return good, "named; started again; the model bit-equal to an undisturbed run's" if good else run.text()[-500:]


def terminated(root: Path) -> tuple[bool, str]:
    straight = Run(root / "straight", *SCENES, "--steps", "30")
    run = Run(root / "run", *SCENES, "--steps", "30")
    run.until_step(8)
    run.process.send_signal(signal.SIGTERM)
    status = run.ended()
    stopped = checkpoint.list_checkpoints(run.folder)[-1].stem
    again = Run(root / "run", *SCENES, "--steps", "30", "--resume")
    finished = again.ended() or straight.ended()
    good = status == 128 + signal.SIGTERM and finished == 0 and same_model(run, straight)
    return good, f"status {status}, {stopped} saved; resumed bit-equal" if good else run.text()[-500:]


FAULTS: dict[str, tuple[Callable[[Path], tuple[bool, str]], str]] = {
    "truncated checkpoint": (truncated, "skipped for the one before; the run resumes from there"),
    "full disk for a while": (
        full_disk,
        "a warning; training continues; the next checkpoint is written when it can be",
    ),
    "full disk at the end": (full_at_the_end, "stops with an error; the checkpoints before are sound"),
    "image deleted while training": (deleted_image, "its samples are replaced, each is named; the run continues"),
    "poisoned sample (NaN)": (poisoned, "its step is skipped; no weight is spoilt"),
    "every sample poisoned": (always_poisoned, "back to the last checkpoint at half the rate, then stops"),
    "dead data worker": (dead_worker, "started again; nothing else changes"),
    "SIGTERM": (terminated, "the step is finished and saved; status 143; resumes to the same bits"),
}


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A disk of that size at a folder (Linux, root)."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "restr-faults", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def drawn(folder: Path) -> Path:
    """Drawn scenes as a dataset of files."""
    from PIL import Image

    from restr.masks import rle_encode

    (folder / "images").mkdir(parents=True)
    scenes, lines = GeneratedScenes(12, 5, size=64, per_scene=2), []
    for number in range(len(scenes)):
        sample, name = scenes[number], f"images/{number // 2}.png"
        Image.fromarray(sample.image).save(folder / name)
        lines.append(json.dumps({"image": name, "text": sample.text, "mask": rle_encode(sample.mask)}))
    path = folder / "mine.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def in_a_folder(make: Callable[[Path], tuple[bool, str]]) -> Fault:
    """A fault in a temporary folder of its own."""

    def made() -> tuple[bool, str]:
        with tempfile.TemporaryDirectory(prefix="restr-faults-") as root:
            return make(Path(root))

    return made


if __name__ == "__main__":
    sys.exit(table({name: (in_a_folder(make), expected) for name, (make, expected) in FAULTS.items()}, __doc__))
