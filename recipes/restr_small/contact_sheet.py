"""A sheet of random photographs, each with a generated sentence and its mask, to find bad sentences by eye.

python recipes/restr_small/contact_sheet.py PHOTOS --seed 0 --out contact.png
python recipes/restr_small/contact_sheet.py PHOTOS --kind relation      # only sentences of one kind
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from restr.evaluation.datasets import Scenes
from restr.files import atomic_path
from restr.grammar.generate import KIND_WEIGHTS, references
from restr.grammar.meaning.description import Reference
from restr.grammar.scene import Scene
from restr.report.overlay import fit_side, highlight_mask
from restr.report.text import PAPER, QUIET, draw_wrapped

COLUMNS = 8
CELL, CAPTION = 250, 52  # pixels: the picture, the text below it


def pick(
    photos: Scenes, rng: np.random.Generator, cells: int, kind: str | None = None
) -> Iterator[tuple[Scene, Reference]]:
    """One reference from each of ``cells`` random photographs; up to four passes if the kind is rare."""
    weights = KIND_WEIGHTS if kind is None else {kind: 1.0}
    found = 0
    for number in np.tile(rng.permutation(len(photos)), 4):
        if found == cells:
            return
        scene = photos[int(number)]
        said = references(scene, rng, 6, weights)
        if said:
            found += 1
            yield scene, said[rng.integers(len(said))]


def draw_cell(scene: Scene, reference: Reference) -> Image.Image:
    """The photograph with its target highlighted, and the sentence below."""
    mask = np.zeros(scene.image.shape[:2], bool)
    for target in reference.targets:
        mask |= scene.instances[target].mask
    small = fit_side(scene.image, CELL)
    cell = Image.new("RGB", (CELL, CELL + CAPTION), PAPER)
    cell.paste(highlight_mask(small, mask), ((CELL - small.width) // 2, (CELL - small.height) // 2))
    pen = ImageDraw.Draw(cell)
    draw_wrapped(pen, (4, CELL + 1), reference.text, size=13, room=CELL - 8)
    pen.text((4, CELL + 35), f"{reference.kind} - {scene.id}", QUIET, ImageFont.load_default(11))
    return cell


def draw_sheet(cells: Sequence[Image.Image]) -> Image.Image:
    """The cells in rows of ``COLUMNS``."""
    rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (CELL + 6), rows * (CELL + CAPTION + 6)), PAPER)
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % COLUMNS * (CELL + 6), number // COLUMNS * (CELL + CAPTION + 6)))
    return sheet


def main() -> None:
    from restr.data.photos import load_photos

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder with images/ and instances.json")
    parser.add_argument("--split", choices=("train", "val"), default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--kind", choices=sorted(KIND_WEIGHTS), default=None)
    parser.add_argument("--out", type=Path, default=Path("contact.png"))
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    photos = load_photos(chosen.photos, chosen.split)
    sheet = draw_sheet([draw_cell(*drawn) for drawn in pick(photos, rng, chosen.cells, chosen.kind)])
    with atomic_path(chosen.out) as partial:
        sheet.save(partial, "PNG")
    print(f"{chosen.out}: {sheet.width} x {sheet.height}")


if __name__ == "__main__":
    main()
