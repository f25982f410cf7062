"""A demo with Gradio, here (pip install 'restr[demo]'; python deploy/space/app.py) and as a Hugging Face Space.

RESTR_MODEL names another model than the bundled one: a folder, an export, or hf:user/model.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from restr import RestrError, Result, Segmenter

MOST = 8  # expressions at once
LONGEST = 2000  # pixels per side; larger photographs are scaled down, as a Space is for everybody
SAMPLES = Path(str(files("restr.server"))) / "page" / "samples"
MORE = {"camera.jpg": "the grass", "rocket.jpg": "the sky"}  # beside the sentence that a sample comes with
COLUMNS = ["expression", "", "presence", "score", "of the image"]
OPAQUE = 0.55  # of a mask, so that the photograph shows through

segmenter = Segmenter.from_pretrained(os.environ.get("RESTR_MODEL"))

Layers = tuple[np.ndarray, list[tuple[np.ndarray, str]]]


def find(image: np.ndarray | None, texts: str) -> list[Result]:
    """What each line names. The segmenter caches features, so an image is encoded once."""
    lines = list(dict.fromkeys(line.strip() for line in (texts or "").splitlines() if line.strip()))
    if image is None:
        raise gr.Error(
            "There is no photograph yet; drop one on the left, or choose an example below.", print_exception=False
        )
    if not 1 <= len(lines) <= MOST:
        raise gr.Error(f"{len(lines)} expressions; write 1 to {MOST}, one a line.", print_exception=False)
    picture = Image.fromarray(image)
    picture.thumbnail((LONGEST, LONGEST))
    try:
        return segmenter(picture, lines)
    except RestrError as error:
        raise gr.Error(str(error), print_exception=False) from error


def draw(
    results: list[Result] | None, threshold: float, guess: bool = False
) -> tuple[Layers | None, list[list[object]]]:
    """Masks as coloured layers, and a table; probabilities stay, so another threshold costs nothing.

    guess: also draw what is probably not in the photograph.
    """
    if not results:
        return None, []
    least = {"least_presence": 0.0} if guess else {}
    found = [replace(each, threshold=threshold, **least) for each in results]
    layers = [(each.mask * np.float32(OPAQUE), each.text) for each in found if each.found]
    return (found[0].image, layers), [row(each) for each in found]


def row(result: Result) -> list[object]:
    """An expression's row of the table."""
    presence = "" if result.presence is None else f"{result.presence:.0%}"
    if not result.found:
        return [result.text, "not found", presence, None, ""]
    return [result.text, "found", presence, round(result.score, 3), f"{result.area / result.mask.size:.1%}"]


def examples() -> list[list[str]]:
    """(photograph, expressions) of the samples that ship with restr."""
    listed = json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))
    return [
        [str(SAMPLES / each["file"]), "\n".join(filter(None, (each["sentence"], MORE.get(each["file"]))))]
        for each in listed
    ]


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="restr", analytics_enabled=False) as page:
        gr.Markdown("# restr\nName something in a photograph, get its pixels: one expression a line.")
        results = gr.State()
        with gr.Row():
            with gr.Column():
                image = gr.Image(
                    type="numpy", image_mode="RGB", label="Photograph", sources=["upload", "clipboard", "webcam"]
                )
                texts = gr.Textbox(lines=2, max_lines=MOST, label="Expressions", placeholder="the dog on the left")
                threshold = gr.Slider(0.05, 0.95, 0.5, step=0.05, label="Least probability inside a mask")
                guess = gr.Checkbox(label="Also draw the best guess of what is not found")
                ask = gr.Button("Find", variant="primary")
            with gr.Column():
                layers = gr.AnnotatedImage(label="Found", height=420)
                table = gr.Dataframe(headers=COLUMNS, label="Scores", interactive=False)
        shown = {
            "fn": draw,
            "inputs": [results, threshold, guess],
            "outputs": [layers, table],
            "show_progress": "hidden",
        }
        gr.on([ask.click, texts.submit], find, [image, texts], results, api_name="find").success(
            **shown, api_name="draw"
        )
        threshold.release(**shown, api_visibility="private")
        guess.change(**shown, api_visibility="private")
        gr.Examples(examples(), [image, texts], cache_examples=False)
    # One request at a time, as the model computes one at a time; the others see their place in the queue.
    return page.queue(max_size=32, default_concurrency_limit=1)


if __name__ == "__main__":
    build().launch(max_file_size="10mb", allowed_paths=[str(SAMPLES)])
