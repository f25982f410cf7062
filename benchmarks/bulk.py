"""``restr bulk`` on drawn pictures: alone, on a Ray cluster of two nodes, with a node killed, and with the driver killed.

    python benchmarks/bulk.py                     # 2,000 pictures x 3 expressions, the bundled model: about an hour on two cores
    python benchmarks/bulk.py --model tiny        # a model of random weights: minutes, for all but the speed
    python benchmarks/bulk.py --count 60 --rows-per-part 30 --runs "1 process;2 processes"

Every run has the same input and writes a folder of its own. The table says how many rows came out, how fast, whether the parts are
those of the first run bit by bit, and whether the memory of the workers is flat: the most that one held in its second half,
as a share of the most in its first half. The two nodes of the cluster are on this machine, with one core each. The exit code is 1
if a row is missing, a bit differs, or memory grows by more than 5%.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from worker_memory import Memory, watched

from restr.data.generated import GeneratedScenes
from restr.report.tables import markdown_table

ROOT = Path(__file__).resolve().parents[1]
RUNS = (
    "1 process",
    "2 processes",
    "Ray, 1 worker",
    "Ray, 2 workers on 2 nodes",
    "Ray, a node killed",
    "Ray, driver killed",
)
EXPRESSIONS = 3
MOST_GROWTH = 1.05
LONGEST = 4 * 3600  # seconds for one run of the verb


@dataclass
class Run:
    """What came of one way to run the verb."""

    name: str
    rows: int
    distinct: int
    seconds: float
    digest: str
    memory: Memory


def draw_input(folder: Path, count: int, size: int) -> Path:
    """A table of ``count`` drawn scenes with their expressions."""
    (folder / "images").mkdir(parents=True)
    scenes = GeneratedScenes(count, 0, size=size, per_scene=EXPRESSIONS)
    lines = []
    for number in range(count):
        samples = [scenes[EXPRESSIONS * number + each] for each in range(EXPRESSIONS)]
        name = f"images/{number:05}.png"
        Image.fromarray(samples[0].image).save(folder / name)
        lines.append(json.dumps({"image": name, "text": [sample.text for sample in samples]}))
    table = folder / "rows.jsonl"
    table.write_text("\n".join(lines) + "\n")
    return table


def tiny_model(folder: Path) -> Path:
    """A model of random weights that needs milliseconds."""
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.presets import restr_tiny
    from restr.text.vocabulary import Vocabulary

    scenes = GeneratedScenes(64, 0, size=64, per_scene=EXPRESSIONS)
    words = sorted({word for number in range(len(scenes)) for word in scenes[number].text.split()})
    vocabulary = Vocabulary(words)
    save_pretrained(build_model(restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, folder)
    return folder


def parts_of(out: Path) -> list[Path]:
    return sorted(out.glob("part-*.parquet"))


def digest_of(out: Path) -> str:
    """A hash of the names and the bytes of all parts."""
    found = hashlib.sha256()
    for path in parts_of(out):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()


def more_parts_than_now(out: Path) -> Callable[[], bool]:
    before = len(parts_of(out))
    return lambda: len(parts_of(out)) > before


def count_rows(out: Path) -> tuple[int, int]:
    """(rows, distinct numbers of rows) of all parts."""
    import pyarrow.parquet as parquet

    numbers = [
        number for path in parts_of(out) for number in parquet.read_table(path, columns=["row"])["row"].to_pylist()
    ]
    return len(numbers), len(set(numbers))


class Bench:
    """The input, and the verb run on it in several ways."""

    def __init__(self, work: Path, options: argparse.Namespace) -> None:
        self.work, self.log = work, work / "log.txt"
        self.table = draw_input(work / "input", options.count, options.size)
        self.common = ["--rows-per-part", str(options.rows_per_part), "--device", "cpu", "--backend", options.backend]
        model = str(tiny_model(work / "tiny")) if options.model == "tiny" else options.model
        self.common += ["--model", model] if model else []
        self.third = options.count * EXPRESSIONS // options.rows_per_part // 3

    def measure(
        self, name: str, pool: Sequence[str], accident: Callable[[subprocess.Popen], bool] | None = None
    ) -> Run:
        """One run. accident: happens when a third of the parts is written; says whether the driver must be started again.
        Raises ``SystemExit`` if the verb fails."""
        out, memory = self.work / name.replace(" ", "-").replace(",", ""), Memory()
        command = [sys.executable, "-m", "restr", "bulk", str(self.table), "--out", str(out), *self.common, *pool]
        started = time.monotonic()
        driver = self.start(command)
        with watched(driver.pid, memory, more_parts_than_now(out)):
            if accident is not None:
                wait_for(lambda: len(parts_of(out)) >= self.third, driver)
            again = accident is not None and accident(driver)
            status = driver.wait(LONGEST)
        if again:
            driver = self.start(command)
            with watched(driver.pid, memory, more_parts_than_now(out)):
                status = driver.wait(LONGEST)
        if status:
            raise SystemExit(f"{name}: restr bulk ended with {status}\n{self.log.read_text()[-3000:]}")
        return Run(name, *count_rows(out), time.monotonic() - started, digest_of(out), memory)

    def start(self, command: Sequence[str]) -> subprocess.Popen:
        with open(self.log, "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment())


def environment() -> dict[str, str]:
    """One thread a worker, whatever pool starts it: then all compute the same bits."""
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def wait_for(holds: Callable[[], bool], driver: subprocess.Popen) -> None:
    while not holds():
        if driver.poll() is not None:
            raise SystemExit("restr bulk ended before the accident: more pictures, or smaller parts, leave time for it")
        time.sleep(0.05)


def kill_driver(driver: subprocess.Popen) -> bool:
    driver.send_signal(signal.SIGKILL)
    return True


def measure_all(bench: Bench, names: Sequence[str]) -> Iterator[Run]:
    """The named runs, in the order of ``RUNS``."""
    cluster: Any = None
    second: Any = None

    def kill_node(driver: subprocess.Popen) -> bool:
        nonlocal second
        cluster.remove_node(second, allow_graceful=False)
        second = None
        return False

    accidents = {"Ray, a node killed": kill_node, "Ray, driver killed": kill_driver}
    try:
        for name in (name for name in RUNS if name in names):
            if not name.startswith("Ray"):
                yield bench.measure(name, ["--processes", name.split()[0], "--threads", "1"])
                continue
            from ray_nodes import start_node, start_two_nodes

            if cluster is None:
                cluster, second = start_two_nodes()
            second = second or start_node(cluster)
            pool = ["--ray", cluster.address, "--workers", "1" if "1 worker" in name else "2"]
            yield bench.measure(name, pool, accidents.get(name))
    finally:
        if cluster is not None:
            cluster.shutdown()


def table_of(runs: Sequence[Run], planned: int, shortest: float) -> tuple[list[str], bool]:
    """(lines of a Markdown table, whether all is as promised)"""
    rows, good = [], True
    for run in runs:
        growth = run.memory.growth(shortest)
        same = run.digest == runs[0].digest
        good &= same and run.rows == run.distinct == planned and (growth is None or growth <= MOST_GROWTH)
        rows.append(
            [
                run.name,
                f"{run.rows:,} of {planned:,}" + ("" if run.rows == run.distinct else f", {run.distinct:,} distinct"),
                f"{run.seconds:.0f}",
                f"{run.rows / run.seconds:.1f}",
                "yes" if same else "NO",
                f"{run.memory.most / 2**20:.0f}",
                "-" if growth is None else f"{growth:.3f}",
            ]
        )
    head = ["Run", "Rows", "Seconds", "Rows a second", "Same bits", "MiB a worker", "Second half / first"]
    return markdown_table(head, rows), good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="pictures")
    parser.add_argument("--size", type=int, default=160, help="pixels of a picture's side")
    parser.add_argument("--rows-per-part", type=int, default=120)
    parser.add_argument("--model", default="", help="a model folder, or tiny; if not given the bundled model")
    parser.add_argument("--backend", default="torch", help="the same in all runs, as their bits are compared")
    parser.add_argument("--runs", default=";".join(RUNS), help="those to measure, separated by semicolons")
    parser.add_argument(
        "--shortest", type=float, default=20.0, help="seconds below which a worker's memory says nothing"
    )
    options = parser.parse_args()
    names = [name.strip() for name in options.runs.split(";")]
    if unknown := set(names) - set(RUNS):
        parser.error(f"unknown runs {', '.join(sorted(unknown))}; choose from {'; '.join(RUNS)}")
    with tempfile.TemporaryDirectory(prefix="restr-bulk-") as work:
        bench = Bench(Path(work), options)
        runs = []
        for run in measure_all(bench, names):
            print(f"{run.name}: {run.rows:,} rows in {run.seconds:.0f} s", file=sys.stderr, flush=True)
            runs.append(run)
    lines, good = table_of(runs, options.count * EXPRESSIONS, options.shortest)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
