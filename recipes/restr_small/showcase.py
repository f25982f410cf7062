"""Draw the README's picture, and the model card's picture of failures, with the bundled model.

    python recipes/restr_small/showcase.py --out docs/images

A row shows one photograph and the masks of two sentences. Nothing is retouched. The README's rows show hits, a miss ("flag on
the left" is there) and an object that is not there; the model card's were chosen because the model fails on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image, ImageDraw, ImageFont

from restr import Result, Segmenter
from restr.files import atomic_path
from restr.report.text import INK, PAPER, QUIET

# (photograph, its sentences); each row has as many sentences
Rows = tuple[tuple[str, tuple[str, ...]], ...]
RESULTS: Rows = (
    ("camera.jpg", ("guy taking photos", "tall building on the right")),
    ("astronaut.jpg", ("orange suit", "flag on the left")),
    ("coffee.jpg", ("the cup", "a bicycle")),
)
FAILURES: Rows = (
    ("chelsea.jpg", ("the dog", "cat's ear on the left")),
    ("rocket.jpg", ("the rocket", "the sky")),
    ("grace_hopper.jpg", ("her hat", "glasses")),
)
WIDTH, GAP, STRIP = 1200, 10, 40  # pixels: the picture, between cells, below a cell


@dataclass(frozen=True)
class Showcase:
    out: Path = Path("docs/images")
    photos: Path = Path("examples")
    model: Path | None = None  # the bundled one if not given


def main(settings: Showcase) -> None:
    segmenter = Segmenter.from_pretrained(settings.model, backend="own")
    settings.out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("results.jpg", RESULTS), ("failures.jpg", FAILURES)):
        path = settings.out / name
        picture = draw_rows([draw_row(segmenter(settings.photos / photo, list(texts))) for photo, texts in rows])
        with atomic_path(path) as partial:
            picture.save(partial, "JPEG", quality=88, optimize=True)
        print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1024:.0f} KB")


def draw_rows(rows: list[Image.Image]) -> Image.Image:
    """The rows, one below the other."""
    picture = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), PAPER)
    top = 0
    for row in rows:
        picture.paste(row, (0, top))
        top += row.height
    return picture


def draw_row(results: list[Result]) -> Image.Image:
    """The photograph and each result's overlay, all of one size, with the sentences below."""
    cells = [Image.fromarray(results[0].image), *(result.overlay(caption=False) for result in results)]
    captions = [
        ("photograph", ""),
        *((f"\u201c{result.text}\u201d", f"{result.score:.0%}" if result.found else "not found") for result in results),
    ]
    width = (WIDTH - GAP * (len(cells) - 1)) // len(cells)
    height = round(width * cells[0].height / cells[0].width)
    row = Image.new("RGB", (WIDTH, height + STRIP), PAPER)
    draw = ImageDraw.Draw(row)
    for i, (cell, (text, score)) in enumerate(zip(cells, captions, strict=True)):
        left = i * (width + GAP)
        row.paste(cell.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), (left, 0))
        baseline = height + STRIP // 2 - 3
        draw.text((left + 2, baseline), text, QUIET if i == 0 else INK, fitting(text, width - 90), anchor="lm")
        draw.text((left + width - 2, baseline), score, QUIET, ImageFont.load_default(15), anchor="rm")
    return row


def fitting(text: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest font, 11 to 20 pixels, in which ``text`` fits into ``width`` pixels; the smallest if none does."""
    for size in range(20, 11, -1):
        font = ImageFont.load_default(size)
        if font.getlength(text) <= width:
            return font
    return ImageFont.load_default(11)


if __name__ == "__main__":
    main(tyro.cli(Showcase))
