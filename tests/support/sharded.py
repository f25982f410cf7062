"""Shards for tests, and a server of them: HTTP with Range requests, and with the faults that networks and servers have."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restr.formats.catalog import open_dataset
from restr.formats.shards.samples import ShardSamples
from restr.masks import rle_encode

SIDE = 32  # of every picture, in pixels
Members = list[tuple[str, bytes]]


@dataclass
class ShardServer:
    """files: what is served, by path. failing: how many of the next GETs fail; status: how. requests: the ranges asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    failing: int = 0
    status: int = 503
    ranges: bool = True
    short: bool = False
    requests: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Bytes that were asked for."""
        return sum(stop - start for _, start, stop in self.requests)


@contextmanager
def serving() -> Iterator[ShardServer]:
    """A server on this machine, gone when the block ends."""
    state = ShardServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            content = state.files.get(self.path.partition("?")[0])
            status, extra = 200, {"ETag": f'"{hash(content)}"', "Accept-Ranges": "bytes"}
            if content is None:
                status, content = 404, b""
            elif body and state.failing:
                state.failing -= 1
                status, content = state.status, b""
                state.requests.append((self.path, 0, 0))
            elif body:
                start, stop = 0, len(content)
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if asked and state.ranges:
                    start, stop = int(asked[1]), min(int(asked[2] or stop) + 1, stop)
                    status, extra["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{len(content)}"
                state.requests.append((self.path, start, stop))
                content = content[start:stop]
            self.send_response(status)
            for name, value in (extra | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content[:-1] if state.short else content)
                self.close_connection = self.close_connection or state.short

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def facts(number: int, **more: Any) -> bytes:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[number % SIDE, :10] = True
    return json.dumps({"id": str(number), "text": f"the thing {number}", "mask": rle_encode(mask), **more}).encode()


def members(numbers: range) -> Members:
    return [m for i in numbers for m in ((f"{i:06d}.png", picture(i)), (f"{i:06d}.json", facts(i)))]


def tar(content: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in content:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def shards(count: int = 4, each: int = 30) -> dict[str, bytes]:
    return {f"/train-{i:03d}.tar": tar(members(range(i * each, (i + 1) * each))) for i in range(count)}


def served(server: ShardServer, count: int = 4) -> ShardSamples:
    server.files = shards(count)
    samples = open_dataset(f"shards:{server.address}/train-{{000..{count - 1:03d}}}.tar:train")
    server.requests.clear()
    assert isinstance(samples, ShardSamples)
    return samples


def written(folder: Path, content: bytes, name: str = "train-000.tar") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return f"shards:{folder / name}"


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Indices of remote shards go to the test's own cache, there is no pause between tries, and blocks are small."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("restr.formats.shards.storage.PAUSE", 0.0)
    monkeypatch.setattr("restr.formats.shards.tar.BLOCK", 20_000)


@pytest.fixture
def server() -> Iterator[ShardServer]:
    with serving() as found:
        yield found
