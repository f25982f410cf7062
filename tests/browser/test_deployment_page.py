"""The page of recipes/deployment: the bundled model, exported, in the browser itself."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hands import COFFEE

from restr import Segmenter
from restr.export.run import Plan, export
from served import model_in
from small_exports import with_presence

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[2] / "recipes" / "deployment"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def recipe(folder: Path, model: Path | None) -> Iterator[str]:
    """Where the recipe is served, put together as its README says. model: a folder, None the bundled one."""
    dist = os.environ.get("RESTR_ORT")
    if not dist:
        pytest.skip("RESTR_ORT names no dist folder of onnxruntime-web; npm pack onnxruntime-web has one")
    pytest.importorskip("onnxscript")
    shutil.copytree(RECIPE, folder, dirs_exist_ok=True)
    (folder / "ort").symlink_to(dist)
    segmenter = Segmenter.from_pretrained(model, device="cpu")
    export(segmenter.model, segmenter.tokenizer.vocabulary, folder / "exported", Plan(target="onnx"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def told(chromium, address: str, text: str) -> tuple[str, int]:
    """What the page says of a sentence on the coffee, and the pixels of its picture."""
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: sent.url.startswith((address, "blob:", "data:")) or wrong.append(sent.url))
    page.goto(address)
    page.locator("#state", has_text="choose a photograph").wait_for(timeout=120_000)
    page.set_input_files("#file", COFFEE)
    page.locator("#state", has_text="say what to segment").wait_for(timeout=120_000)
    page.fill("#text", text)
    page.click("#go")
    said = page.locator("#state", has_text=re.compile(r"\d+ ms"))
    said.wait_for(timeout=120_000)
    found = said.inner_text(), page.evaluate("canvas.width * canvas.height")
    page.close()
    assert wrong == []
    return found


def test_the_browser_finds_what_python_finds(chromium, tmp_path: Path) -> None:
    with recipe(tmp_path, None) as address:
        said, pixels = told(chromium, address, "the cup")
    result = Segmenter.from_pretrained(device="cpu")(COFFEE, "the cup")
    share = int(re.findall(r"\d+", said)[0]) / pixels
    assert share == pytest.approx(result.mask.mean(), rel=0.03)  # it resizes with other filters


@pytest.mark.parametrize(("least", "says"), [(0.999, "not found: probably not in the picture"), (0.0, "pixels")])
def test_the_browser_says_what_is_not_there(chromium, tmp_path: Path, least: float, says: str) -> None:
    model = model_in(tmp_path / "model", with_presence(least))
    with recipe(tmp_path / "page", model) as address:
        said, _ = told(chromium, address, "the left circle")
    assert says in said
    if least:
        presence = Segmenter.from_pretrained(model, device="cpu")(COFFEE, "the left circle").presence
        assert presence is not None
        # as above: an untrained model reacts to small differences of pixels
        assert int(re.findall(r"presence (\d+)%", said)[0]) == pytest.approx(100 * presence, abs=5)
