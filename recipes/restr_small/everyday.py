"""Measures a model on sentences as people type them: everyday_val.jsonl, beside this file.

    python recipes/restr_small/everyday.py --photos PHOTOS
    python recipes/restr_small/everyday.py --photos PHOTOS --model runs/small/model --sheet everyday.png

PHOTOS is a folder with images/ and instances.json. The sentences were written by a language model that looked at
the photographs (split val) with their numbered masks, in the manner of RefCOCO's players; not by people, and nobody
else has checked that each singles out its region. The writer had not read the grammar that training's sentences
come from. They are no part of training and choose no hyperparameter: they only watch how far generated sentences
carry over to others. So few have wide intervals, printed with the scores; report them as "photos val, everyday
sentences written by a language model", never as RefCOCO.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from restr import Segmenter
from restr.data.photos import PhotoSet, load_photos
from restr.data.sample import Sample
from restr.errors import DataError
from restr.evaluation.evaluate import EvaluationResult, evaluate
from restr.evaluation.reports.cases import draw_cases

SENTENCES = Path(__file__).with_name("everyday_val.jsonl")
WEARER = "person"  # as an instance: who wears a street photograph's garments, the first instance of its scene
CASES_A_PAGE = 24


@dataclass(frozen=True, kw_only=True)
class Everyday:
    """Measure a model on the everyday sentences."""

    photos: Path
    """Folder with images/ and instances.json."""

    model: Path | None = None
    """A model folder (default: the bundled model)."""

    sheet: Path | None = None
    """A picture of all cases, the worst first; further pages get -2, -3, ... after the name."""

    sentences: Path = SENTENCES
    """JSON lines: {"image": file name, "instance": annotation id or "person", "text": ...}."""

    images: int = 0
    """Only this many photographs, the first ones; 0 for all."""

    seed: int = 0
    """Draws the control's sentences."""

    threads: int = 0
    """For torch; 0 leaves the choice to it."""


def read_samples(sentences: Path, photos: PhotoSet, images: int = 0) -> list[Sample]:
    """The sentences with their photographs and masks, image by image. Raises ``DataError`` for one without a mask."""
    by_image: dict[str, list[dict[str, Any]]] = {}
    for line in sentences.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        by_image.setdefault(entry["image"], []).append(entry)
    index = {name: number for number, name in enumerate(photos.ids)}
    samples = []
    for name in list(by_image)[: images or None]:
        if name not in index:
            raise DataError(f"{sentences} speaks of {name}, but {photos.root} has no such photograph in this split")
        scene = photos[index[name]]
        ids = [annotation["id"] for annotation in photos.annotations[photos.images[index[name]]["id"]]]
        if scene.source == "ccp":
            ids.insert(0, WEARER)
        for number, entry in enumerate(by_image[name]):
            if entry["instance"] not in ids:
                raise DataError(f"{sentences}: {name} has no instance {entry['instance']!r} for {entry['text']!r}")
            samples.append(
                Sample(
                    id=f"{name}:{number}",
                    image=scene.image,
                    text=entry["text"],
                    mask=scene.instances[ids.index(entry["instance"])].mask,
                    kind=scene.source,
                    image_id=name,
                )
            )
    return samples


def lines(result: EvaluationResult) -> list[str]:
    """The scores in percent, one line each: all, by source of the photograph, and the control."""
    rows: dict[str, Mapping[str, float] | None] = {"all": result.overall, **result.by_kind}
    rows |= {"with another target of the image": result.control_paired, "  control: its sentence": result.control}
    shown = [
        f"{name:34} n {row['n']:4d}  oIoU {100 * row['oiou']:5.1f}  mIoU {100 * row['miou']:5.1f}  "
        f"Pr@0.5 {100 * row['pr@0.5']:5.1f}"
        for name, row in rows.items()
        if row
    ]
    between = (f"{name} {100 * low:.1f} to {100 * high:.1f}" for name, (low, high) in result.intervals.items())
    return [*shown, f"{result.images} photographs; 95% of bootstraps: {', '.join(between)}", result.protocol]


def draw_pages(result: EvaluationResult, samples: Sequence[Sample], path: Path) -> list[Path]:
    """All cases by growing IoU, ``CASES_A_PAGE`` a page: truth outlined, prediction tinted, sentence below."""
    records = sorted(result.records, key=lambda record: record.iou)
    paths = []
    path.parent.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(records), CASES_A_PAGE):
        some = records[start : start + CASES_A_PAGE]
        number = start // CASES_A_PAGE + 1
        page = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        title = f"{start + 1} to {start + len(some)} of {len(records)}, by growing IoU"
        draw_cases({title: some}, samples).save(page)
        paths.append(page)
    return paths


def main(settings: Everyday) -> None:
    """Print the scores and draw the sheet."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    samples = read_samples(settings.sentences, load_photos(settings.photos, split="val"), settings.images)
    segmenter = Segmenter.from_pretrained(settings.model, backend="own")
    result = evaluate(segmenter, samples, seed=settings.seed)
    print(*lines(result), sep="\n")
    if settings.sheet:
        print(*draw_pages(result, samples, settings.sheet), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Everyday, description=__doc__))
