"""The speed of samples that stream from shards behind an address, compared with plain files on a disk.

    python benchmarks/streaming.py                       # a server on this machine that answers immediately
    python benchmarks/streaming.py --latency 0.03        # and one that takes 30 ms, as object storage does

600 photographs of 640 x 480 (see data.py), a sentence each, are written as plain files, as tar and as parquet shards of 50, and read in
batches of 32 at 480 x 480 as training gets them. The server is another process on this machine; each process that reads keeps 16 MiB,
a third of the data. "any order" is uniformly at random, "block order" what ``IndexedSamples.order`` gives. "brought" is what the server
sent in one epoch, as a share of the pictures' own bytes; several processes bring a block each for itself, where its samples fall to
several batches.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from data import REGIONS, SENTENCES, make_dataset, samples_per_second

from restr.data.dataset import IndexedSamples
from restr.data.order import Uniform
from restr.files import write_atomically
from restr.formats import writers
from restr.formats.catalog import open_dataset
from restr.formats.shards.samples import open_shards

PER_SHARD, CACHE_MIB = 50, 16


class OneEach:
    """A dataset's first sentence of each picture, to be written."""

    def __init__(self, samples: IndexedSamples, pictures: int) -> None:
        self.samples, self.files = samples, samples.files
        self.numbers = [group[0] for group in samples.image_groups()[:pictures]]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, number: int, /) -> Any:
        return self.samples[self.numbers[number]]

    def entry(self, number: int, /) -> Any:
        return self.samples.entry(self.numbers[number])


def serve(folder: Path, latency: float) -> None:
    """Serve files with Range requests until the process is ended; prints the port, and /sent tells the bytes since it was asked."""
    sent = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            self.answer(200, (folder / self.path[1:]).stat().st_size, b"")

        def do_GET(self) -> None:
            nonlocal sent
            if self.path == "/sent":
                told, sent = str(sent).encode(), 0
                return self.answer(200, len(told), told)
            time.sleep(latency)
            first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
            with open(folder / self.path[1:], "rb") as file:
                file.seek(first)
                content = file.read(last + 1 - first)
            sent += len(content)
            self.answer(206, len(content), content)

        def answer(self, status: int, length: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("ETag", "the same")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def measure(root: Path, address: str, pictures: int, processes: int, rounds: int) -> dict[str, Any]:
    """Samples per second and bytes sent for each way; the ways take turns."""
    count = pictures // PER_SHARD
    plain = open_dataset("jsonl:plain/samples.jsonl", root)
    tar = f"train-{{000000..{count - 1:06d}}}.tar"
    remote = open_shards(f"{address}/tar/{tar}", root, cache_mib=CACHE_MIB)
    rows = open_shards(f"{address}/parquet/train-{{00000..{count - 1:05d}}}.parquet", root, cache_mib=CACHE_MIB)
    here = open_shards(f"tar/{tar}", root, cache_mib=CACHE_MIB)
    anyhow = Uniform(pictures, 0)
    ways = {
        "plain files, any order": (plain, anyhow),
        "tar here, block order": (here, here.order(0)),
        "tar over HTTP, block order": (remote, remote.order(0)),
        "parquet over HTTP, block order": (rows, rows.order(0)),
        "tar over HTTP, any order": (remote, anyhow),
    }
    own = sum(path.stat().st_size for path in (root / "plain" / "images").iterdir())
    found: dict[str, Any] = {name: {} for name in ways}
    for workers in dict.fromkeys((0, processes)):
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        brought: dict[str, float] = {}
        for _ in range(rounds):
            for name, (samples, order) in ways.items():
                sent(address)
                if hasattr(samples.files, "kept"):
                    samples.files.kept.clear()  # type: ignore[attr-defined]
                speeds[name].append(samples_per_second(samples, order.permutation(0).tolist(), workers))
                brought[name] = sent(address) / own
        base = speeds["plain files, any order"]
        for name, values in speeds.items():
            ratio = statistics.median(value / other for value, other in zip(values, base, strict=True))
            found[name][str(workers)] = {
                "samples_per_second": statistics.median(values), "ratio": ratio, "brought": brought[name],
            }  # fmt: skip
    return found


def sent(address: str) -> int:
    with urllib.request.urlopen(f"{address}/sent") as answer:
        return int(answer.read())


def markdown(found: dict[str, Any]) -> str:
    """The report as a table."""
    workers = list(next(iter(found.values())))
    heads = [f"{'this process' if count == '0' else f'{count} processes'} | ratio | brought" for count in workers]
    lines = [f"| samples a second | {' | '.join(heads)} |", f"|---{'|---:' * 3 * len(workers)}|"]
    for name, each in found.items():
        cells = [f"{v['samples_per_second']:.0f} | {v['ratio']:.2f} | {v['brought']:.2f}" for v in each.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before the server answers")
    parser.add_argument("--json", type=Path, default=None, help="also write the report there")
    parser.add_argument("--serve", type=Path, default=None, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return serve(chosen.serve, chosen.latency)
    if chosen.pictures < PER_SHARD or chosen.pictures % PER_SHARD or min(chosen.processes, chosen.rounds) < 1:
        parser.error(f"pictures must be a multiple of {PER_SHARD}; processes and rounds at least 1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict("os.environ", XDG_CACHE_HOME=folder):
        root = Path(folder)
        make_dataset(root, chosen.pictures * REGIONS * SENTENCES, chosen.pictures)
        source = OneEach(open_dataset("refcoco:unc:train", root), chosen.pictures)
        with mock.patch.object(writers, "PER_SHARD", PER_SHARD):
            for form, name in (("jsonl", "plain"), ("webdataset", "tar"), ("parquet", "parquet")):
                writers.convert(source, form, root / name)
        command = [sys.executable, __file__, "--serve", folder, "--latency", str(chosen.latency)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = f"http://127.0.0.1:{int(server.stdout.readline())}"
                found = measure(root, address, chosen.pictures, chosen.processes, chosen.rounds)
            finally:
                server.terminate()
    print(markdown(found))
    if chosen.json:
        write_atomically(chosen.json, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
