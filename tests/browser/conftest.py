"""A real server and a real browser; without Playwright or Chromium these tests are skipped."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hands import KEY

from served import process

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where `restr serve` listens as it is by default, with the bundled model ready."""
    with process(None) as (_, url, _):
        yield url


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[str]:
    """A server that answers to ``KEY`` alone."""
    keys = tmp_path / "keys.txt"
    keys.write_text(hashlib.sha256(KEY.encode()).hexdigest() + "\n")
    with process(None, "--api-keys", str(keys)) as (_, url, _):
        yield url


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable]:
    """A function that starts the browser with further arguments."""
    api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; apt-get install chromium")
    with api.sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *FAKE_CAMERA, *arguments]
        )


@pytest.fixture(scope="session")
def chromium(launch: Callable) -> Iterator:
    """The browser."""
    browser = launch()
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
