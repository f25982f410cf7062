"""A real server and a real browser; without Playwright, Chromium or the server's libraries these tests are skipped."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hands import KEY

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
ROOT = Path(__file__).parents[2]


@contextmanager
def serving(log: Path, *options: str) -> Iterator[str]:
    """Where `restr serve` listens, with the bundled model ready."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "restr", "serve", "--port", str(port), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with log.open("w+") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{url}/health/ready", server, log)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server as it is by default."""
    with serving(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[str]:
    """A server that answers to ``KEY`` alone."""
    keys = tmp_path / "keys.txt"
    keys.write_text(hashlib.sha256(KEY.encode()).hexdigest() + "\n")
    with serving(tmp_path / "log.txt", "--api-keys", str(keys)) as url:
        yield url


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.25)
    pytest.fail(f"the server was not ready:\n{log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """The browser."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_CAMERA])
        yield browser
        browser.close()


@pytest.fixture
def visit(address: str, chromium) -> Iterator[Callable]:
    """A function that opens the page; options are a browser context's.

    At the end of the test no page may have logged an error, thrown one, or asked another host for anything. What a
    test expects to be logged, it adds to ``page.expected``.
    """
    contexts, wrong, expected = [], [], []

    def open_page(where: str = address, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 820}} | options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.expected = expected
        page.on("console", lambda line: line.type in ("error", "warning") and wrong.append(f"{line.type}: {line.text}"))
        page.on("pageerror", lambda error: wrong.append(f"thrown: {error}"))
        page.on("request", lambda sent: _own(sent.url, where) or wrong.append(f"left the host: {sent.url}"))
        page.goto(where)
        page.locator(".sample img").last.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in wrong if not any(part in line for part in expected)] == []


def _own(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", "blob:", "data:"))
