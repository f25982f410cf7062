"""The speed of reading and preparing samples, and the cost of an index over many expressions.

    python benchmarks/data.py                       # two processes, 150,000 expressions
    python benchmarks/data.py --json data.json

A dataset in the REFER layout is made in a temporary folder: photographs of 640 x 480 cut from examples/, regions as polygons of
about 40 corners, three sentences a region. Reading means opening the picture, filling the polygons, resizing and padding both to
480 x 480, normalising and tokenising, in batches of 32 as training gets them. "one a picture" opens a picture for every sample;
"all of a picture" has its seven sentences follow each other, as in RefCOCO. The index is built once, then opened in new processes.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from restr.data.batch import Batch, collate
from restr.data.dataset import IndexedSamples
from restr.data.fitted import FittedSamples
from restr.files import write_atomically
from restr.formats.catalog import open_dataset
from restr.model.device import keep_freed_memory
from restr.presets import restr_base
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[1]
SIZE = (480, 640)  # H W
REGIONS, SENTENCES = 3, 3  # a picture's regions, a region's sentences
WORDS = "the a man woman dog cup in on left right red blue behind chair who is holding standing next to with white shirt".split()
BATCH = 32


def make_dataset(root: Path, expressions: int, pictures: int) -> None:
    """refcoco/ below ``root``; only the first ``pictures`` exist as files."""
    rng = np.random.default_rng(0)
    images, annotations, refs = [], [], []
    for number in range(-(-expressions // (REGIONS * SENTENCES))):
        name = f"COCO_train2014_{number:012d}.jpg"
        images.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
        for region in range(REGIONS):
            identity = number * REGIONS + region
            annotations.append(
                {"id": identity, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 1, 1],
                 "segmentation": [blob(rng)]}
            )  # fmt: skip
            sentences = [
                {"sent_id": identity * SENTENCES + i, "sent": " ".join(rng.choice(WORDS, rng.integers(2, 8)))}
                for i in range(SENTENCES)
            ]
            refs.append(
                {"ref_id": identity, "ann_id": identity, "image_id": number, "category_id": 1, "file_name": name,
                 "split": "train", "sentences": sentences}
            )  # fmt: skip
    folder = root / "refcoco"
    folder.mkdir()
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "instances.json").write_text(json.dumps(content))
    picture_folder = root / "images" / "train2014"
    picture_folder.mkdir(parents=True)
    sources = [Image.open(path).convert("RGB") for path in sorted((ROOT / "examples").glob("*.jpg"))]
    for number in range(pictures):
        source = sources[number % len(sources)]
        side = rng.uniform(0.7, 1.0)
        width, height = source.width * side, source.height * side
        left, top = rng.uniform(0, source.width - width), rng.uniform(0, source.height - height)
        cut = source.resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC, (left, top, left + width, top + height))
        cut.save(picture_folder / images[number]["file_name"], quality=92)


def blob(rng: np.random.Generator) -> list[float]:
    """A polygon of 40 corners somewhere in the picture: [x0, y0, x1, y1, ...]."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = rng.uniform(40, 110) * (1 + 0.25 * np.sin(3 * angles + rng.uniform(0, 6)))
    x, y = rng.uniform(140, SIZE[1] - 140), rng.uniform(120, SIZE[0] - 120)
    points = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], 1)
    return [round(float(value), 2) for value in np.clip(points, 0, [SIZE[1], SIZE[0]]).reshape(-1)]


class Batched:
    """Batches by the numbers of their samples; picklable, for the loader's processes."""

    def __init__(self, samples: IndexedSamples) -> None:
        self.config = restr_base(vocab=len(WORDS) + 2)
        self.samples = FittedSamples(samples, self.config.framing)
        self.tokenizer = Tokenizer.of(Vocabulary(tuple(sorted(set(WORDS)))), self.config)

    def __call__(self, numbers: list[int]) -> Batch:
        return collate([self.samples[number] for number in numbers], self.tokenizer, self.config)


def samples_per_second(samples: IndexedSamples, numbers: list[int], processes: int) -> float:
    """One pass over the numbered samples; the start of the processes is not counted."""
    batches = [numbers[i : i + BATCH] for i in range(0, len(numbers), BATCH)]
    loader = DataLoader(
        batches,  # type: ignore[arg-type]  # the "dataset" is the batches' numbers
        batch_size=None,
        num_workers=processes,
        collate_fn=Batched(samples),
        worker_init_fn=one_thread,
    )
    stream = iter(loader)
    first = len(next(stream)) * max(1, processes)  # what the processes have prepared by now, about
    start, count = time.perf_counter(), 0
    for batch in stream:
        count += len(batch)
    return max(count - first, 1) / (time.perf_counter() - start)


def one_thread(_: int) -> None:
    """As the trainer's processes begin: each is one core's work."""
    torch.set_num_threads(1)
    keep_freed_memory()


def opened(root: Path) -> dict[str, float]:
    """In a process of its own: seconds until the first sample's entry, and the memory that the dataset takes."""
    code = (
        "import json, resource, sys, time\n"
        "from restr.formats.catalog import open_dataset\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "start = time.perf_counter()\n"
        "samples = open_dataset('refcoco:unc:train', sys.argv[1])\n"
        "entry = samples.entry(len(samples) - 1)\n"
        "seconds = time.perf_counter() - start\n"
        "for number in range(0, len(samples), 7): samples.entry(number)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps({'samples': len(samples), 'seconds': seconds, 'mib': (after - before) / 1024, 'process_mib': after / 1024}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(root: Path, expressions: int, pictures: int, processes: int, rounds: int) -> dict[str, Any]:
    """Everything, on a new dataset in ``root``."""
    make_dataset(root, expressions, pictures)
    start = time.perf_counter()
    samples = open_dataset("refcoco:unc:train", root)
    built = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (root / ".restr").glob("*.sqlite"))
    per_picture = REGIONS * SENTENCES
    groups = samples.image_groups()[:pictures]
    ways = {
        "one a picture": [group[i % per_picture] for i, group in enumerate(groups)],
        "all of a picture": [number for group in groups[: pictures // 3] for number in group[:7]],
    }
    speeds = {
        name: {
            f"{count}": [samples_per_second(samples, numbers, count) for _ in range(rounds)] for count in (0, processes)
        }
        for name, numbers in ways.items()
    }
    openings = [opened(root) for _ in range(rounds)]
    return {
        "expressions": len(samples),
        "index_build_seconds": built,
        "index_mib": size / 2**20,
        "build_process_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "open_seconds": statistics.median(each["seconds"] for each in openings),
        "open_mib": max(each["mib"] for each in openings),
        "processes": processes,
        "samples_per_second": {
            name: {count: statistics.median(values) for count, values in found.items()}
            for name, found in speeds.items()
        },
    }


def markdown(report: dict[str, Any]) -> str:
    """The report in words and one table."""
    lines = [
        f"Index over {report['expressions']:,} expressions: built in {report['index_build_seconds']:.1f} s, "
        f"{report['index_mib']:.0f} MiB on disk; opened in {1000 * report['open_seconds']:.0f} ms, "
        f"{report['open_mib']:.0f} MiB of memory after a walk through it.",
        "",
        f"| samples a second at 480 x 480 | this process | {report['processes']} processes |",
        "|---|---:|---:|",
    ]
    for name, found in report["samples_per_second"].items():
        lines.append(f"| {name} | {found['0']:.0f} | {found[str(report['processes'])]:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expressions", type=int, default=150_000)
    parser.add_argument("--pictures", type=int, default=1500, help="how many photographs exist as files")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=None, help="also write the report there")
    chosen = parser.parse_args()
    if min(chosen.expressions, chosen.pictures, chosen.processes, chosen.rounds) < 1:
        parser.error("expressions, pictures, processes and rounds must be at least 1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), chosen.expressions, chosen.pictures, chosen.processes, chosen.rounds)
    print(markdown(report))
    if chosen.json:
        write_atomically(chosen.json, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
