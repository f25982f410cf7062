"""Pictures a second of a folder: the plain loop against ``Segmenter.predict_many``, in one run.

    python benchmarks/folder.py                                     # 200 photographs of 640 x 480, the bundled model
    python benchmarks/folder.py --size 4000x3000 --count 40         # as a camera makes them
    python benchmarks/folder.py --model EXPORT --count 20 --rounds 3

The photographs are made from those of examples/, moved and with noise, so that each is new. Every side does what ``restr
predict FOLDER`` does: read, segment, draw, write. "loop" computes one picture after the other with all threads, as
restr did before; "loop, PNG 6" is the same with the PNG compression of that time. Sides take turns, part by part of the folder,
and the ratio is the median of each turn's own. ``--stages`` prints the processor time of each stage of one picture instead.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from restr import Segmenter
from restr.inference import forms
from restr.inference.naming import file_stem, write_new
from restr.inference.render import overlay
from restr.inference.sources import read_image
from restr.preprocess import sigmoid

ROOT = Path(__file__).resolve().parents[1]
TEXT = "the person on the left"
KINDS = ("overlay", "mask")


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
    """Milliseconds of processor time of each stage, one thread: the least of ``rounds``."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
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
    torch.set_num_threads(threads)
    return {name: min(values) for name, values in spent.items()}


def compare(segmenter: Segmenter, paths: Sequence[Path], rounds: int) -> dict[str, list[float]]:
    """Seconds a picture of each side, by turn."""
    cores = segmenter.backend.thread_count()
    sides: dict[str, Callable[[Sequence[Path], Path], None]] = {
        "loop, PNG 6": lambda part, out: run_old_loop(segmenter, part, out),
        "loop": lambda part, out: run_loop(segmenter, part, out),
        "default": lambda part, out: run_many(segmenter, part, out),
        f"1 x {cores}, 1 helper": lambda part, out: run_many(segmenter, part, out, workers=1, helpers=1),
        f"1 x {cores}, 2 helpers": lambda part, out: run_many(segmenter, part, out, workers=1, helpers=2),
        f"{cores} x 1, 1 helper": lambda part, out: run_many(segmenter, part, out, workers=cores, helpers=1),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    parts = [paths[turn::rounds] for turn in range(rounds)]
    with tempfile.TemporaryDirectory() as folder:
        for side, call in sides.items():  # to warm up: an export opens its graphs
            call(paths[:3], Path(folder) / side)
        for turn, part in enumerate(parts):
            for side, call in sides.items():
                start = time.perf_counter()
                call(part, Path(folder) / f"{turn} {side}")
                seconds[side].append((time.perf_counter() - start) / len(part))
        _same_files(Path(folder), len(parts), list(sides))
    return seconds


def _same_files(folder: Path, turns: int, sides: Sequence[str]) -> None:
    """Say how many files of each side differ from the loop's: threads may change the last bits."""
    for side in sides[2:]:
        files = [path for turn in range(turns) for path in (folder / f"{turn} loop").iterdir()]
        other = sum(
            path.read_bytes() != (folder / path.parent.name.replace("loop", side) / path.name).read_bytes()
            for path in files
        )
        print(f"{side}: {other} of {len(files)} files differ from the loop's")


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
    segmenter = Segmenter.from_pretrained(chosen.model, device="cpu", cache_bytes=0)  # every picture is encoded
    with tempfile.TemporaryDirectory() as folder:
        paths = make_photographs(Path(folder), 1 if chosen.stages else chosen.count, (int(width), int(height)))
        if chosen.stages:
            print(
                "\n".join(f"| {name} | {ms:.1f} |" for name, ms in stages(segmenter, paths[0], chosen.rounds).items())
            )
            return
        seconds = compare(segmenter, paths, min(chosen.rounds, chosen.count))
    print(
        f"{segmenter.config.name}, {segmenter.backend.name}, {chosen.count} of {chosen.size}, {os.cpu_count()} cores\n"
    )
    print("| | pictures a second | over the loop | over the loop with PNG 6 |\n|---|---:|---:|---:|")
    for side, taken in seconds.items():
        ratios = [
            statistics.median(base / own for base, own in zip(seconds[name], taken, strict=True))
            for name in ("loop", "loop, PNG 6")
        ]
        print(f"| {side} | {1 / statistics.median(taken):.2f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


if __name__ == "__main__":
    main()
