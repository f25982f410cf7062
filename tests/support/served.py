"""A server around a small model, for tests; all tests can use its fixtures."""

from __future__ import annotations

import base64
import io
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from restr.config import ModelConfig
from restr.model.weights import save_pretrained
from restr.server.app import create_app
from restr.server.processes.one import uvicorn_config
from restr.server.settings import ServerSettings
from server_process import ServerProcess
from small_exports import WORDS, shallow_model

PREFIX = "urn:restr:problem:"


def model_in(folder: Path, config: ModelConfig | None = None) -> Path:
    """A small model's folder."""
    save_pretrained(shallow_model(config), WORDS, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's folder, one per test module."""
    return model_in(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """A client of an application with the small model and default settings."""
    with serving(folder) as found:
        yield found


def photograph(seed: int = 0, kind: str = "PNG", size: tuple[int, int] = (110, 70)) -> bytes:
    """An image's file; each seed gives another image."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def base64_of(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(data).decode()


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[TestClient]:
    """A client of an application that is ready."""
    app = create_app(ServerSettings(**{"models": (f"tiny={folder}",), "device": "cpu", "log": "off"} | settings))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        yield client


@contextmanager
def listening(folder: Path, **settings: Any) -> Iterator[tuple[uvicorn.Server, str]]:
    """A server on a free port of this machine, in a thread: itself and its address."""
    chosen = ServerSettings(**{"models": (f"tiny={folder}",), "device": "cpu", "log": "off", "port": 0} | settings)
    config = uvicorn_config(create_app(chosen), chosen)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started and config.app.state.service.loaded)  # type: ignore[union-attr]
        port = server.servers[0].sockets[0].getsockname()[1]
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def process(folder: Path | None, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """`restr serve` as a process of its own, ready: the process, its address, and the lines that it says. Without a folder
    it serves the bundled model."""
    model = () if folder is None else ("--model", f"tiny={folder}")
    with ServerProcess("--device", "cpu", *model, *options, threads=1) as server:
        yield server.process, server.address, server.said


def wait_until(holds: Any, seconds: float = 30.0) -> None:
    """Wait until ``holds()`` is true."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def assert_problem(response: Any, name: str, status: int) -> dict[str, Any]:
    """Assert that an answer is this problem; its document."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert (document["type"], response.status_code) == (PREFIX + name, status), document
    assert document["status"] == status and document["title"] and document["detail"]
    assert "Traceback" not in response.text and 'File "' not in response.text
    return document
