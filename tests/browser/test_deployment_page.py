"""The page of recipes/deployment: the bundled model, exported, in the browser itself."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hands import COFFEE

from restr import Segmenter
from restr.export.run import Plan, export

pytestmark = pytest.mark.slow
RECIPE = Path(__file__).parents[2] / "recipes" / "deployment"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the recipe is served, put together as its README says."""
    dist = os.environ.get("RESTR_ORT")
    if not dist:
        pytest.skip("RESTR_ORT names no dist folder of onnxruntime-web; npm pack onnxruntime-web has one")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copytree(RECIPE, folder, dirs_exist_ok=True)
    (folder / "ort").symlink_to(dist)
    segmenter = Segmenter.from_pretrained(device="cpu")
    export(segmenter.model, segmenter.tokenizer.vocabulary, folder / "exported", Plan(target="onnx"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_browser_finds_what_python_finds(chromium, recipe: str) -> None:
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda sent: sent.url.startswith((recipe, "blob:", "data:")) or wrong.append(sent.url))
    page.goto(recipe)
    page.locator("#state", has_text="choose a photograph").wait_for(timeout=120_000)
    page.set_input_files("#file", COFFEE)
    page.locator("#state", has_text="say what to segment").wait_for(timeout=120_000)
    page.fill("#text", "the cup")
    page.click("#go")
    told = page.locator("#state", has_text="pixels")
    told.wait_for(timeout=120_000)
    size = page.evaluate("[canvas.width, canvas.height]")
    share = int(re.findall(r"\d+", told.inner_text())[0]) / (size[0] * size[1])
    result = Segmenter.from_pretrained(device="cpu")(COFFEE, "the cup")
    page.close()
    assert wrong == []
    assert share == pytest.approx(result.mask.mean(), rel=0.03)  # it resizes with other filters
