"""Datasets drawn at random whose pictures are easily mixed up: names that clash, odd characters, every form of file."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.formats.catalog import open_dataset
from restr.masks import rle_encode

RED, GREEN, BLUE = (220, 0, 0), (0, 160, 0), (0, 0, 220)
BOX = [10, 8, 40, 24]

SIZE = (18, 25)  # height, width
FOLDERS = ("", "a/", "b/", "A/", "a/b/", "a b/", "%61/")
NAMES = (
    "f.png", "F.PNG", "F.png", "2-f.png", "f.jpg", "f", ".f.png", "f.png.", "f .png", "f%20.png", "f?.png", "a\\f.png", "con.png",
    "caf\u00e9.png", "cafe\u0301.png", "\u65e5\u672c.png", "stra\u00dfe.png", "strasse.png", "#f.tif",
    "n" * 240 + ".png", "n" * 240 + "m.png",
    "\u65e5" * 80 + ".png", "\u65e5" * 80 + "x.png", "f.tar.gz", "COCO_train2014_000000000009.jpg", "-f.png", "f:1.png", "f~1.png", "f.gif",
)  # fmt: skip
TEXTS = (
    "the left dog", "a\u2028b", "a\u0085b", "a\nb", "  the dog ", '"quoted", \\u0041', "\u00e9", "e\u0301", "none", "\u65e5\u672c",
    "a\x1cb", "{}",
)  # fmt: skip
SPLITS = ("train", "val", "val-2", "a/b", "c/b", "v1.0", "Train", "all")
FORMS: dict[str, tuple[str, ...]] = {  # Pillow's formats that lose nothing, and the modes that each can hold
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr"),
    "GIF": ("L", "P"),
    "PPM": ("1", "L", "RGB"),
    "TGA": ("L", "RGB", "RGBA"),
    "PCX": ("1", "L", "P", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB"),
    "SGI": ("L", "RGB"),
}
OPENED = {
    "jsonl": ("jsonl:samples.jsonl",),
    "csv": ("csv:samples.csv",),
    "coco": ("coco:instances.json",),
    "refer": ("refer:own/refs(own).p",),
    "webdataset": ("shards:.",),
    "parquet": ("parquet:.", "shards:."),
}


def picture_bytes(draw: random.Random) -> bytes:
    """A picture file of any form: noise of its own, or one of few colours, so that files of one length are common."""
    rng = np.random.default_rng(draw.randrange(1 << 30))
    colours = rng.integers(0, 256, (draw.choice((1, 1, 50)), 3), dtype=np.uint8)
    pixels = colours[rng.integers(0, len(colours), SIZE)]
    form = draw.choice(sorted(FORMS))
    mode = draw.choice(FORMS[form])
    picture = (
        Image.fromarray(pixels).convert("L").convert("I;16")
        if mode == "I;16"
        else Image.fromarray(pixels).convert(mode)
    )
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}.get(form, {})
    if form in ("PNG", "WEBP", "TIFF") and mode != "I;16" and draw.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = draw.choice((3, 6, 8))
        options = options | {"exif": exif}
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def region(draw: random.Random) -> dict[str, object]:
    """The fields of a JSONL line that say what is meant: a box, several pieces, nothing, or a region without pixels."""
    if draw.random() < 0.2:
        return {"mask": "none"}
    x, y = draw.randrange(8), draw.randrange(8)
    return {"bbox": [x, y, draw.randrange(9), draw.randrange(9)]}


def make(root: Path, seed: int, count: int = 14) -> str:
    """Write a dataset of this many pictures as JSONL; returns the spec that opens it."""
    draw = random.Random(seed)
    paths = draw.sample([folder + name for folder in FOLDERS for name in NAMES], count)
    rows = []
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(picture_bytes(draw))
        for _ in range(draw.randint(1, 3)):
            rows.append({"image": path, "text": draw.choice(TEXTS), "split": draw.choice(SPLITS)} | region(draw))
    draw.shuffle(rows)
    lines = (json.dumps({"id": str(number), **row}) for number, row in enumerate(rows))
    (root / "d.jsonl").write_text("\n".join(lines))
    return "jsonl:d.jsonl"


def contents(samples: IndexedSamples) -> Counter[tuple[str, str, str, str]]:
    """How often each sample is there: split, sentence, mask and picture, all of each."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for number in range(len(samples)):
        sample, split = samples[number], samples.entry(number).split
        found[
            split, sample.text, rle_encode(sample.mask)["counts"], f"{sample.image.shape}{sample.image.tobytes().hex()}"
        ] += 1
    return found


def flat(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 60)) -> bytes:
    """Write a picture of one colour; returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(path)
    return path.read_bytes()


def dataset(root: Path, pictures: dict[str, tuple[int, int, int]]) -> IndexedSamples:
    """Pictures of one colour each, and a sentence for each that names the colour."""
    for path, colour in pictures.items():
        flat(root / path, colour)
    rows = [{"image": path, "text": str(colour), "bbox": BOX} for path, colour in pictures.items()]
    (root / "d.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return open_dataset("jsonl:d.jsonl", root)


def colours_fit(samples: IndexedSamples) -> int:
    """How many samples there are; each has to show the colour that it names."""
    for sample in samples:
        assert sample.text == str(tuple(sample.image[20, 30].tolist())) and sample.mask.sum() == 960
    return len(samples)
