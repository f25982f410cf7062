"""The time of one sentence about one photograph, part by part, and of a second sentence.

    python benchmarks/latency.py                                # bundled model, a photograph of examples/, two threads
    python benchmarks/latency.py photo.jpg --model DIR --json latency.json

Batch 1. Every round does what a user does: read and encode the photograph, segment the first sentence, then a second
one on the same photograph. Times are medians over the rounds after a warm-up, shares are medians of each round's own
share, so that a busy machine disturbs them less. Memory is the process' resident set: before the call (with the model
loaded), its high-water mark during it, and the difference.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restr.files import write_atomically
from restr.inference import encoded
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.segmenter import Segmenter
from restr.preprocess import Framing

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("preprocessing", "image encoding", "words", "fusion", "decoder", "restore")
MODEL_PARTS = ("image encoding", "words", "fusion", "decoder")
MEBIBYTE = 2**20


class Stopwatch:
    """Adds up the seconds of the parts of a call, by hooks on the model's modules and around two functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._started: dict[str, float] = {}

    def take(self) -> dict[str, float]:
        """The seconds since the last ``take``, by part."""
        taken = {part: self.seconds[part] for part in PARTS}
        self.seconds.clear()
        return taken

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start

    def watch_module(self, module: nn.Module, part: str) -> None:
        """Count the module's forward as ``part``."""
        label = f"{part} {id(module)}"

        def before(*_: Any) -> None:
            self._started[label] = time.perf_counter()

        def after(*_: Any) -> None:
            self.seconds[part] += time.perf_counter() - self._started[label]

        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)

    def watch_function(self, owner: Any, name: str, part: str) -> None:
        """Count every call of ``owner.name`` as ``part``."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(part):
                return function(*arguments, **options)

        setattr(owner, name, timed)


def watch(segmenter: Segmenter) -> Stopwatch:
    """A stopwatch on everything that a segmenter does."""
    stopwatch = Stopwatch()
    model, backend = segmenter.model, segmenter.backend
    assert isinstance(backend, TorchBackend)
    stopwatch.watch_module(model.vision, "image encoding")
    stopwatch.watch_module(model.language, "words")
    stopwatch.watch_function(model, "project", "image encoding")
    stopwatch.watch_function(backend.served, "precompute", "image encoding")
    stopwatch.watch_module(backend.served.copy.fusion, "fusion")
    stopwatch.watch_module(model.classifier, "decoder")
    stopwatch.watch_module(model.decoder, "decoder")
    stopwatch.watch_function(encoded, "read_image", "preprocessing")
    stopwatch.watch_function(Framing, "prepare", "preprocessing")
    stopwatch.watch_function(Framing, "restore", "restore")
    return stopwatch


def one_round(segmenter: Segmenter, stopwatch: Stopwatch, image: Path, texts: tuple[str, str]) -> dict[str, Any]:
    """Seconds of the first and the second sentence on a photograph: in all and by part."""
    stopwatch.take()
    start = time.perf_counter()
    segmenter.set_image(image)
    first_mask = segmenter.predict(texts[0]).mask
    first = time.perf_counter() - start
    first_parts = stopwatch.take()
    start = time.perf_counter()
    second_mask = segmenter.predict(texts[1]).mask
    second = time.perf_counter() - start
    second_parts = stopwatch.take()
    return {
        "size": list(first_mask.shape),
        "found": [int(first_mask.sum()), int(second_mask.sum())],
        "first": first,
        "second": second,
        "first_parts": first_parts,
        "second_parts": second_parts,
        "first_model": sum(first_parts[part] for part in MODEL_PARTS),
        "second_model": sum(second_parts[part] for part in MODEL_PARTS),
    }


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over rounds, in milliseconds, and the second sentence's share of the first in percent."""

    def milliseconds(values: list[float]) -> float:
        return round(1000 * statistics.median(values), 2)

    def share(top: str, bottom: str) -> float:
        return round(100 * statistics.median(each[top] / each[bottom] for each in rounds), 1)

    return {
        "rounds": len(rounds),
        "image": rounds[0]["size"],
        "first_ms": {part: milliseconds([each["first_parts"][part] for each in rounds]) for part in PARTS}
        | {"model": milliseconds([each["first_model"] for each in rounds])}
        | {"all": milliseconds([each["first"] for each in rounds])},
        "second_ms": {part: milliseconds([each["second_parts"][part] for each in rounds]) for part in PARTS}
        | {"model": milliseconds([each["second_model"] for each in rounds])}
        | {"all": milliseconds([each["second"] for each in rounds])},
        "second_share_percent": {"all": share("second", "first"), "model": share("second_model", "first_model")},
    }


# --- memory --------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def high_water() -> Iterator[dict[str, int]]:
    """Yields a dict that afterwards holds "before" and "peak", in bytes.

    The kernel's own high-water mark cannot be reset everywhere and remembers the loading of the model, so a thread
    looks every half millisecond instead.
    """
    seen = {"before": resident()}
    seen["peak"] = seen["before"]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.0005):
            seen["peak"] = max(seen["peak"], resident())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        seen["peak"] = max(seen["peak"], resident())
        done.set()
        thread.join()


# --- output --------------------------------------------------------------------------------------------------------


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown table."""
    times, memory, share = report["times"], report["memory_mib"], report["times"]["second_share_percent"]
    height, width = times["image"]
    lines = [
        f"{report['model']}, input {report['input']}, photograph {width} x {height}, batch 1, {report['threads']} threads, "
        f"torch {report['torch']}, {report['cpu']}; medians of {times['rounds']} rounds.",
        "",
        "| part | first sentence, ms | second sentence, ms |",
        "|---|---:|---:|",
    ]
    for part in (*PARTS, "model", "all"):
        name = {"model": "the four model parts", "all": "**whole call**"}.get(part, part)
        lines.append(f"| {name} | {times['first_ms'][part]:.1f} | {times['second_ms'][part]:.1f} |")
    lines += [
        "",
        f"The second sentence on the same photograph costs {share['all']:.1f}% of the first "
        f"({share['model']:.1f}% of the model's part).",
        "",
        f"Memory (resident set): {memory['before']} MiB before the call with the model loaded, "
        f"{memory['peak']} MiB at its peak, {memory['call']} MiB for the call.",
    ]
    return "\n".join(lines) + "\n"


def cpu_name() -> str:
    """The processor as Linux names it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def example_photograph() -> Path:
    """The first photograph of examples/."""
    found = sorted(p for p in (ROOT / "examples").glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        raise SystemExit("examples/ holds no photograph; name one: python benchmarks/latency.py photo.jpg")
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, nargs="?", help="a photograph (default: the first of examples/)")
    parser.add_argument("--text", nargs=2, default=("the person on the left", "the thing in the middle"))
    parser.add_argument("--model", type=Path, default=None, help="a model folder (default: the bundled model)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="also write the report there")
    chosen = parser.parse_args()
    if chosen.rounds < 1 or chosen.warm_up < 0 or chosen.threads < 1:
        parser.error("rounds and threads must be at least 1, warm-up at least 0")
    torch.set_num_threads(chosen.threads)
    image = chosen.image or example_photograph()
    texts = (chosen.text[0], chosen.text[1])

    segmenter = Segmenter.from_pretrained(
        chosen.model, device="cpu", backend="own", cache_bytes=0
    )  # every round encodes
    with high_water() as memory:  # the first call of all: later ones reuse what the allocator kept
        segmenter(image, texts[0])
    stopwatch = watch(segmenter)
    for _ in range(chosen.warm_up):
        one_round(segmenter, stopwatch, image, texts)
    rounds = [one_round(segmenter, stopwatch, image, texts) for _ in range(chosen.rounds)]
    report = {
        "model": segmenter.config.name,
        "input": segmenter.config.preprocess.size,
        "threads": chosen.threads,
        "torch": torch.__version__,
        "cpu": cpu_name(),
        "times": summarise(rounds),
        "memory_mib": {
            "before": round(memory["before"] / MEBIBYTE),
            "peak": round(memory["peak"] / MEBIBYTE),
            "call": round((memory["peak"] - memory["before"]) / MEBIBYTE),
        },
    }
    print(markdown(report))
    print(json.dumps(report))
    if chosen.json:
        write_atomically(chosen.json, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
