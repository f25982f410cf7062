"""The page of ``restr live``, with a clip that plays the camera."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hands import shown

from camera_clip import write_camera_clip
from server_process import ServerProcess

pytestmark = pytest.mark.slow
BLUE = (0x56, 0xB4, 0xE9)  # of the mask
COUNTS = ("camera", "sent", "computed", "shown", "dropped")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a camera that sways over the cup."""
    return write_camera_clip(tmp_path_factory.mktemp("camera") / "camera.mjpeg")


@pytest.fixture(scope="module")
def watching(launch: Callable, clip: Path) -> Iterator:
    """A browser whose camera is the clip."""
    browser = launch(f"--use-file-for-fake-video-capture={clip}")
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def live() -> Iterator[str]:
    """Where `restr live "the cup"` shows its page."""
    with ServerProcess("the cup", "--device", "cpu", "--streams", "1", verb="live") as server:
        yield server.address


@pytest.fixture
def look(watching) -> Iterator[Callable]:
    """A function that opens the page; at the end no page may have logged an error, or asked another host for anything."""
    contexts, wrong = [], []

    def open_page(address: str, **options):
        context = watching.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "permissions": ["camera"]} | options
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: line.type in ("error", "warning") and wrong.append(f"{line.type}: {line.text}"))
        page.on("pageerror", lambda error: wrong.append(f"thrown: {error}"))
        page.on("request", lambda sent: sent.url.startswith((address, "blob:")) or wrong.append(f"left: {sent.url}"))
        page.goto(f"{address}/live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def counts(page) -> dict[str, int]:
    """The page's counts, all of one moment: the camera does not wait."""
    read = "names => names.map((name) => Number(document.getElementById(`count-${name}`).textContent))"
    return dict(zip(COUNTS, page.evaluate(read, list(COUNTS)), strict=True))


def until(page, holds: str, seconds: float = 120.0) -> None:
    """Wait until an expression of the page is true. Playwright's own wait would need the page to allow ``eval``."""
    end = time.monotonic() + seconds
    while not page.evaluate(holds):
        assert time.monotonic() < end, f"waited in vain for {holds}"
        page.wait_for_timeout(50)


def computed(page, least: int) -> None:
    """Wait until so many pictures have been computed and shown."""
    until(page, f"Number(document.getElementById('count-shown').textContent) >= {least}")


def milliseconds(page, name: str) -> float:
    return float(re.findall(r"[\d.]+", page.inner_text(f"#{name}"))[0])


def test_the_browsers_camera_is_counted_from_the_lens_to_the_screen(look, live: str) -> None:
    page = look(live)
    assert page.input_value("#text") == "the cup"
    page.click("#begin-own")
    computed(page, 8)
    page.click("#pause")
    page.wait_for_timeout(1500)  # until the last answer is here
    found = counts(page)
    print({**found, **{name: page.inner_text(f"#{name}") for name in ("rate", "delay", "compute", "found", "score")}})
    assert found["shown"] == found["computed"] <= found["sent"] <= found["computed"] + 1
    assert found["dropped"] == found["camera"] - found["sent"] > found["computed"]
    assert float(page.inner_text("#rate")) > 0
    # Nothing has queued up: a picture is about as old as its own computation.
    assert milliseconds(page, "delay") < 1.5 * milliseconds(page, "compute") + 300
    assert "of the picture" in page.inner_text("#found") and page.inner_text("#said").startswith("the cup")
    folder = os.environ.get("RESTR_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / "live.png", full_page=True)
    page.focus("#opacity")
    page.keyboard.press("End")  # all colour inside, all shade outside
    pixels = shown(page)
    height, width = pixels.shape[:2]
    cup = pixels[round(0.3 * height) : round(0.45 * height), round(0.45 * width) : round(0.55 * width)]
    np.testing.assert_allclose(np.median(cup, axis=(0, 1)), BLUE, atol=12)
    assert np.median(pixels[round(0.8 * height) :]) < 60


def test_the_words_change_while_it_runs(look, live: str) -> None:
    page = look(live)
    page.click("#begin-own")
    computed(page, 1)
    page.fill("#text", "the spoon")
    page.locator("#said", has_text="the spoon").wait_for()
    page.locator("#live", has_text="the spoon").wait_for(state="attached")
    page.fill("#text", "?!")
    page.locator("#note.wrong", has_text="holds no word").wait_for()
    page.fill("#text", "the cup")
    page.locator("#said", has_text="the cup").wait_for()
    before = page.inner_text("#found")
    page.focus("#threshold")
    page.keyboard.press("End")
    until(page, f"document.getElementById('found').textContent !== {before!r}")


def test_one_page_too_many_says_so_and_waits_for_its_turn(look, live: str) -> None:
    first = look(live)
    first.locator("#begin-own").wait_for()
    second = look(live)
    second.locator("#alert", has_text="1 live streams are open").wait_for()
    first.close()
    second.locator("#begin-own").wait_for()
    assert second.locator("#alert").is_hidden()


def test_the_servers_camera_plays_by_itself_on_a_phone_in_the_dark(look, clip: Path) -> None:
    pytest.importorskip("av")
    with ServerProcess("the cup", "--device", "cpu", "--source", str(clip), "--loop", verb="live") as server:
        page = look(
            server.address, viewport={"width": 390, "height": 800}, is_mobile=True, has_touch=True, color_scheme="dark"
        )
        computed(page, 4)
        found = counts(page)
        print(found, page.inner_text("#delay"))
        assert found["dropped"] > 0 and "of the picture" in page.inner_text("#found")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.is_checked("[value=machine]")
        page.locator("[value=own]").check(force=True)
        until(page, "document.getElementById('count-sent').textContent === '0'")
        computed(page, 1)
        assert page.evaluate("document.getElementById('video').srcObject !== null")
        folder = os.environ.get("RESTR_SCREENSHOTS")
        if folder:
            page.screenshot(path=Path(folder) / "live-phone.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_live_page(look, live: str, scheme: str) -> None:
    script = os.environ.get("RESTR_AXE")
    if not script:
        pytest.skip("RESTR_AXE names no axe.min.js; npm pack axe-core has one")
    page = look(live, color_scheme=scheme)
    page.click("#begin-own")
    computed(page, 1)
    page.click("#pause")
    page.evaluate(Path(script).read_text())
    violations = page.evaluate("axe.run().then(found => found.violations)")
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    assert [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in serious] == []
