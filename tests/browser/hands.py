"""The actions of a person on the page, and the visible results."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = "a key for the test"
COFFEE = EXAMPLES / "coffee.jpg"  # 600 x 400; the cup is at about (260, 160)


def upload(page, path: Path = COFFEE) -> None:
    page.set_input_files("#file", path)
    page.locator("#work").wait_for()
    page.locator("#veil").wait_for(state="hidden")


def facts(page, text: str) -> str:
    """The score and share of the layer of this name, or that it is not found, once it has an answer."""
    row = page.locator(".layer", has=page.locator(".layer-name", has_text=re.compile(f"^{re.escape(text)}$")))
    row.locator(".layer-facts", has_text=re.compile("picture|threshold|not found")).wait_for()
    return row.locator(".layer-facts").inner_text()


def name(page, text: str) -> str:
    page.locator("#text").press_sequentially(text, delay=20)
    return facts(page, text)


def keep(page, text: str) -> str:
    found = name(page, text)
    page.press("#text", "Enter")
    return found


def settled(page) -> None:
    """Wait until a mask has faded in."""
    page.wait_for_timeout(400)


def shown(page) -> np.ndarray:
    """The canvas: (H W 3), at the size it has on the screen."""
    settled(page)
    picture = Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB")
    return np.asarray(picture, np.float32)


def at(pixels: np.ndarray, x: float, y: float) -> np.ndarray:
    """The colour at a place given in shares of width and height."""
    height, width = pixels.shape[:2]
    row, column = round(y * height), round(x * width)
    return pixels[row - 3 : row + 4, column - 3 : column + 4].mean(axis=(0, 1))


def saved(page, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.click(f'[data-save="{kind}"]')
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()
