"""Pictures a second of a folder: the plain loop against ``Segmenter.predict_many``, in PyTorch and by default, in one run.

    python benchmarks/folder.py                                     # 200 photographs of 640 x 480, the bundled model
    python benchmarks/folder.py --size 4000x3000 --count 40         # as a camera makes them
    python benchmarks/folder.py --model EXPORT --count 20 --rounds 3

The default is what ``restr doctor --prepare`` has chosen for the bundled model; where that is PyTorch, and for an export, there
is one runtime. The photographs are made from those of examples/, moved and with noise, so that each is new. Every side does what ``restr
predict FOLDER`` does: read, segment, draw, write. "loop" computes one picture after the other with all threads, as
restr did before; "loop, PNG 6" is the same with the PNG compression of that time, and "many" what restr does now. Sides take turns,
part by part of the folder, and the ratio is the median of each turn's own. ``--stages`` prints the processor time of each stage of
one picture instead.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from timing import PAUSE

from restr import Segmenter
from restr.inference import forms
from restr.inference.backends.fast_backend import FastBackend
from restr.inference.naming import file_stem, write_new
from restr.inference.render import overlay
from restr.inference.sources import read_image
from restr.preprocess import sigmoid
from restr.report.tables import markdown_table

ROOT = Path(__file__).resolve().parents[1]
TEXT = "the person on the left"
KINDS = ("overlay", "mask")
TORCH, LOOP, OLD_LOOP = "torch fp32", "loop", "loop, PNG 6"
Side = Callable[[Sequence[Path], Path], None]


def make_photographs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEG files of ``size`` (width, height), each with other pixels."""
    rng = np.random.default_rng(0)
    originals = [Image.open(path).convert("RGB").resize(size) for path in sorted((ROOT / "examples").glob("*.jpg"))]
    paths = []
    for number in range(count):
        pixels = np.asarray(originals[number % len(originals)], np.int16)
        pixels = np.roll(pixels, rng.integers(0, size[0]), axis=1) + rng.normal(0, 6, pixels.shape).astype(np.int16)
        paths.append(folder / f"p{number:04}.jpg")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=92)
    return paths


def run_many(segmenter: Segmenter, paths: Sequence[Path], out: Path, **split: Any) -> None:
    """As ``restr predict`` does it."""
    found = segmenter.predict_many(
        ((path, TEXT) for path in paths), then=lambda results: results[0].file_contents(KINDS), **split
    )
    with closing(found):
        for path, each in zip(paths, found, strict=True):
            if each.error is not None:
                raise each.error
            write_new(out, file_stem(path.stem, TEXT), each.made)


def run_loop(segmenter: Segmenter, paths: Sequence[Path], out: Path) -> None:
    """One picture after the other."""
    for path in paths:
        segmenter(path, TEXT).save(out, KINDS)


def run_old_loop(segmenter: Segmenter, paths: Sequence[Path], out: Path) -> None:
    """The loop with the PNG compression that restr had before."""
    levels = dict(forms.PNG_LEVELS)
    forms.PNG_LEVELS.clear()  # every mode at zlib's own level
    try:
        run_loop(segmenter, paths, out)
    finally:
        forms.PNG_LEVELS.update(levels)


def stages(segmenter: Segmenter, path: Path, rounds: int) -> dict[str, float]:
    """Milliseconds of processor time of each stage: the least of ``rounds``."""
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(name: str, call: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = call()
        spent[name].append(1000 * (time.process_time() - start))
        return made

    framing, backend = segmenter.framing, segmenter.backend
    ids = segmenter.tokenizer([TEXT])
    for _ in range(rounds):
        pixels = timed("read", lambda: read_image(path))
        fitted = timed("fit to the input", lambda p=pixels: framing.prepare(p))
        features = timed("encode", lambda f=fitted: backend.encode_images(f[None]))[0]
        output = timed("segment", lambda f=features: backend.segment(f, ids))
        prob = timed("restore", lambda p=pixels, o=output: framing.restore(sigmoid(o.logits)[0, 0], p.shape[:2]))
        result = replace(segmenter(path, TEXT), prob=prob)
        timed("mask, box, score", lambda r=result: (r.box, r.score))
        drawn = timed("draw the overlay", lambda r=result: overlay(r.image, r.mask, TEXT, r.score))
        timed("overlay's PNG", lambda d=drawn: forms.png_bytes(d))
        timed("mask's PNG", lambda r=result: forms.png_bytes(r.mask_image()))
    return {name: min(values) for name, values in spent.items()}


def open_runtimes(model: Path | None, threads: int) -> dict[str, Segmenter]:
    """PyTorch and the default, by name; one of them if they are the same, or for an export. Each picture is encoded."""
    options: dict[str, Any] = {"device": "cpu", "threads": threads, "cache_bytes": 0}
    default = Segmenter.from_pretrained(model, **options)
    found = {}
    if isinstance(default.backend, FastBackend):
        found[TORCH] = Segmenter.from_pretrained(model, backend="torch", **options)
    return found | {f"{default.backend.name} {default.backend.precision}": default}


def sides_of(segmenter: Segmenter) -> dict[str, Side]:
    """The ways to work on a folder; the loop is first."""
    cores = segmenter.backend.thread_count()
    splits = {
        "many": {},
        f"many, 1 x {cores}, 1 helper": {"workers": 1, "helpers": 1},
        f"many, 1 x {cores}, 2 helpers": {"workers": 1, "helpers": 2},
        f"many, {cores} x 1, 1 helper": {"workers": cores, "helpers": 1},
    }
    sides: dict[str, Side] = {LOOP: lambda paths, out: run_loop(segmenter, paths, out)}
    for name, split in splits.items():
        sides[name] = lambda paths, out, split=split: run_many(segmenter, paths, out, **split)
    return sides


def compare(segmenters: dict[str, Segmenter], paths: Sequence[Path], rounds: int) -> dict[str, list[float]]:
    """Seconds a picture of each side, by turn; a side is "runtime: way"."""
    first = next(iter(segmenters))
    sides: dict[str, Side] = {f"{first}: {OLD_LOOP}": lambda part, out: run_old_loop(segmenters[first], part, out)}
    for runtime, segmenter in segmenters.items():
        sides |= {f"{runtime}: {way}": side for way, side in sides_of(segmenter).items()}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    parts = [paths[turn::rounds] for turn in range(rounds)]
    with tempfile.TemporaryDirectory() as folder:
        for side, call in sides.items():  # to warm up: an export opens its graphs
            call(paths[:3], Path(folder) / side)
        for turn, part in enumerate(parts):
            for side, call in sides.items():
                time.sleep(PAUSE)
                start = time.perf_counter()
                call(part, Path(folder) / f"{turn} {side}")
                seconds[side].append((time.perf_counter() - start) / len(part))
        for runtime in segmenters:
            ways = [side.removeprefix(f"{runtime}: ") for side in sides if side.startswith(f"{runtime}: many")]
            _same_files(Path(folder), len(parts), runtime, ways)
    return seconds


def _same_files(folder: Path, turns: int, runtime: str, ways: Sequence[str]) -> None:
    """Say how many files of each way differ from the loop's: threads may change the last bits."""
    for way in ways:
        pairs = [
            (path, folder / f"{turn} {runtime}: {way}" / path.name)
            for turn in range(turns)
            for path in (folder / f"{turn} {runtime}: {LOOP}").iterdir()
        ]
        other = sum(ours.read_bytes() != theirs.read_bytes() for ours, theirs in pairs)
        print(f"{runtime}: {way}: {other} of {len(pairs)} files differ from the loop's")


def table(seconds: dict[str, list[float]]) -> list[str]:
    """Pictures a second, and how many times as many as the loop of the same runtime, and as the first runtime's loops."""
    first = next(iter(seconds)).partition(":")[0]

    def row(side: str) -> list[str]:
        runtime = side.partition(":")[0]
        loops = (f"{runtime}: {LOOP}", f"{first}: {LOOP}", f"{first}: {OLD_LOOP}")
        ratios = (statistics.median(a / b for a, b in zip(seconds[loop], seconds[side], strict=True)) for loop in loops)
        return [side, f"{1 / statistics.median(seconds[side]):.2f}", *(f"{ratio:.2f}" for ratio in ratios)]

    header = ["", "pictures a second", "over its loop", f"over {first}'s loop", "with PNG 6"]
    return markdown_table(header, map(row, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, default=None, help="a model folder or an export (default: the bundled model)"
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT of the photographs")
    parser.add_argument("--rounds", type=int, default=9, help="turns; each takes its own part of the folder")
    parser.add_argument("--stages", action="store_true", help="the processor time of each stage instead")
    chosen = parser.parse_args()
    width, _, height = chosen.size.partition("x")
    segmenters = open_runtimes(chosen.model, threads=1 if chosen.stages else 0)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_photographs(Path(folder), 1 if chosen.stages else chosen.count, (int(width), int(height)))
        if chosen.stages:
            spent = {runtime: stages(segmenter, paths[0], chosen.rounds) for runtime, segmenter in segmenters.items()}
            names = next(iter(spent.values()))
            rows = ([name, *(f"{each[name]:.1f}" for each in spent.values())] for name in names)
            print("\n".join(markdown_table(["", *spent], rows)))
            return
        seconds = compare(segmenters, paths, min(chosen.rounds, chosen.count))
    name = next(iter(segmenters.values())).config.name
    print(f"{name}, {chosen.count} of {chosen.size}, {os.cpu_count()} cores\n")
    print("\n".join(table(seconds)))


if __name__ == "__main__":
    main()
