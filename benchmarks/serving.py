"""A server under load: the number of answers, their times, and whether each belongs to its question.

    python benchmarks/serving.py                       # 16 clients, 60 seconds per way, on this machine
    python benchmarks/serving.py --clients 4 --seconds 15

`restr serve` runs in a process of its own. The clients are threads of this one; each asks again as soon as it has its
answer. Ways: ``whole`` (every request brings a photograph, new each time by one pixel) and ``kept`` (four photographs are kept
by the server), each with expressions on the same photograph merged and not merged. Every mask is compared with that of
``Segmenter`` for the photograph. A mask that differs (IoU below 0.98) is checked again after the load, against that of the very
image that was sent, as one pixel can change a small mask. If it differs from that too, it counts as mixed up.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from timing import Times

from restr import Segmenter
from restr.client import Client
from restr.files import write_atomically
from restr.inference.sources import read_image
from restr.metrics import intersection_and_union

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from server_process import ServerProcess  # noqa: E402  (the tests' own)

PHOTOGRAPHS = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "grace_hopper.jpg")
TEXTS = ("the person", "the thing on the left", "the thing on the right", "the background", "the face", "something red")
SAME = 0.98  # IoU; in other batches, masks differ by rounding
WAYS = {
    "whole, not merged": ("whole", ("--batch-texts", "1", "--max-wait-ms", "0")),
    "whole": ("whole", ()),
    "kept, not merged": ("kept", ("--batch-texts", "1", "--max-wait-ms", "0")),
    "kept": ("kept", ()),
}


def variant(pixels: np.ndarray, number: int) -> bytes:
    """The photograph with one pixel changed, so that it has not been encoded before."""
    other = pixels.copy()
    other[0, number // 256 % other.shape[1]] = number % 256
    file = io.BytesIO()
    Image.fromarray(other).save(file, "BMP")  # the fastest to write and to read
    return file.getvalue()


def load(
    way: str,
    address: str,
    clients: int,
    seconds: float,
    pictures: list[np.ndarray],
    expected: dict[tuple[int, str], np.ndarray],
    segmenter: Segmenter,
) -> dict[str, float]:
    """All clients together: answers per second, latencies in ms, and counts of failures."""
    counter, lock = itertools.count(), threading.Lock()
    taken: list[float] = []
    doubtful: list[tuple[bytes, str, np.ndarray]] = []
    failed: list[Exception] = []
    with Client(address, timeout=60) as first:
        ids = [first.keep(variant(pixels, 0)) for pixels in pictures]
    stop = time.perf_counter() + seconds

    def run(_: int) -> None:
        with Client(address, timeout=60) as client:
            while time.perf_counter() < stop:
                number = next(counter)
                which, text = number % len(pictures), TEXTS[number // len(pictures) % len(TEXTS)]
                sent = variant(pictures[which], 0 if way == "kept" else number + 1)
                begun = time.perf_counter()
                try:
                    found = client.ask(ids[which], text) if way == "kept" else client.segment(sent, text)
                except Exception as error:  # any error counts as lost
                    failed.append(error)
                    continue
                late, mask = time.perf_counter() - begun, found[0].mask
                with lock:
                    taken.append(late)
                    if not same(mask, expected[which, text]):
                        doubtful.append((sent, text, mask))

    begun = time.perf_counter()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, times = time.perf_counter() - begun, Times({way: taken})
    return {
        "answers": len(taken),
        "per_second": len(taken) / seconds,
        "p50_ms": 1000 * times.median(way),
        "p95_ms": 1000 * times.p95(way),
        "looked at again": len(doubtful),
        "mixed": sum(not same(mask, segmenter(sent, text).mask) for sent, text, mask in doubtful),
        "failed": len(failed),
    }


def same(mask: np.ndarray, other: np.ndarray) -> bool:
    """Whether two masks are the same except for rounding."""
    shared, union = intersection_and_union(mask, other)
    return shared >= SAME * union


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", type=Path, default=None, help="also write the report there")
    chosen = parser.parse_args()
    pictures = [read_image(ROOT / "examples" / name) for name in PHOTOGRAPHS]
    segmenter = Segmenter.from_pretrained(device="cpu", backend="own")
    expected = {
        (number, text): segmenter(variant(pixels, 0), text).mask
        for number, pixels in enumerate(pictures)
        for text in TEXTS
    }
    report: dict[str, dict[str, float]] = {}
    for name, (way, options) in WAYS.items():
        with ServerProcess("--log", "off", *options) as server:
            report[name] = load(way, server.address, chosen.clients, chosen.seconds, pictures, expected, segmenter)
        print(f"{name}: {json.dumps({key: round(value, 1) for key, value in report[name].items()})}", flush=True)
    print(f"kept over whole: {report['kept']['per_second'] / report['whole']['per_second']:.1f} times the answers")
    print(
        f"merged over not merged: {report['kept']['per_second'] / report['kept, not merged']['per_second']:.2f} times"
    )
    if chosen.json:
        write_atomically(chosen.json, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
