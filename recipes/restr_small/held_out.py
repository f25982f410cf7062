"""A sheet of 48 random everyday sentences about held-out photographs, with the masks that the model predicts; nothing is selected.

python recipes/restr_small/held_out.py --data DATA --out runs/held_out.jpg
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

from restr import Segmenter
from restr.data.sample import SampleList
from restr.evaluation.evaluate import evaluate
from restr.evaluation.reports.cases import draw_cases
from restr.files import atomic_path
from restr.formats.catalog import open_dataset

GREY = 226


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Draw the sheet."""

    data: Path
    """Folder with photos, photos_more, photos_boxes and expressions."""

    out: Path = Path("runs/held_out.jpg")

    model: Path | None = None
    """A model folder (default: the bundled model)."""

    masks_only: bool = False
    """Draw grey instead of the photographs, which may not be published."""

    n: int = 48
    seed: int = 0


def main(settings: HeldOut) -> None:
    """Draw the sheet and print its scores."""
    everyday = open_dataset(f"everyday:{settings.data}:val")
    numbers = np.random.default_rng(settings.seed).choice(len(everyday), settings.n, replace=False)
    samples = SampleList([everyday[int(number)] for number in sorted(numbers)])
    segmenter = Segmenter.from_pretrained(settings.model, backend="own")
    result = evaluate(segmenter, samples, seed=settings.seed)
    if settings.masks_only:
        samples = SampleList([replace(sample, image=np.full_like(sample.image, GREY)) for sample in samples])
    title = f"{settings.n} random held-out sentences, by IoU"
    sheet = draw_cases({title: sorted(result.records, key=lambda record: -record.iou)}, samples)
    sheet.thumbnail((1600, 8000))
    with atomic_path(settings.out) as partial:
        sheet.convert("RGB").save(partial, "JPEG", quality=78, optimize=True)
    print(f"{settings.out}: {sheet.width} x {sheet.height}; oIoU {100 * result.overall['oiou']:.1f}")


if __name__ == "__main__":
    main(tyro.cli(HeldOut, description=__doc__))
