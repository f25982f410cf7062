"""Small exports of annotation tools, built in code: a picture of 60 x 40 and whatever was drawn on it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.errors import RestrError
from restr.formats.catalog import open_dataset

HEIGHT, WIDTH = 40, 60


def area(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A mask that is a rectangle, bool (40 60)."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def picture(path: Path, seed: int = 0) -> None:
    """A picture that looks like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), np.uint8)
    Image.fromarray(cells).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)


def shape(tag: str, label: str = "thing", expression: str = "", **attributes: Any) -> str:
    """One of CVAT's shapes."""
    written = "".join(f" {name}={quoteattr(str(value))}" for name, value in {"label": label, **attributes}.items())
    inside = f'<attribute name="expression">{expression}</attribute>' if expression else ""
    return f"<{tag}{written}>{inside}</{tag}>"


BOX = shape("box", "upright", xtl=10, ytl=8, xbr=50, ybr=32)


def image(*shapes: str, **attributes: Any) -> str:
    """One of CVAT's images."""
    known = {"id": 0, "name": "a.png", "width": WIDTH, "height": HEIGHT, **attributes}
    written = "".join(f" {name}={quoteattr(str(value))}" for name, value in known.items())
    return f"<image{written}>{''.join(shapes)}</image>"


def cvat(root: Path, *images: str) -> Path:
    """An export of CVAT."""
    path = root / "annotations.xml"
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?><annotations>{"".join(images)}</annotations>', encoding="utf-8"
    )
    return path


def result(kind: str, identity: str = "r", **value: Any) -> dict[str, Any]:
    """One of Label Studio's results."""
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return {"id": identity, "type": kind, "value": value, **size}


RECTANGLE = result("rectanglelabels", "whole", x=25, y=25, width=50, height=50, rotation=0, rectanglelabels=["upright"])


def task(*results: dict[str, Any], address: str = "a.png", number: int = 7, **annotation: Any) -> dict[str, Any]:
    """One of Label Studio's tasks, with one annotation."""
    annotations = [{"id": 1, "was_cancelled": False, "result": list(results), **annotation}]
    return {"id": number, "data": {"image": address}, "annotations": annotations}


def label_studio(root: Path, *tasks: dict[str, Any]) -> Path:
    """An export of Label Studio."""
    path = root / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return path


def packed(
    values: Sequence[int], widths: tuple[int, int, int, int] = (3, 4, 8, 16), longest: int = 1 << 16
) -> list[int]:
    """Numbers of 8 bits as rle-pack writes them: runs of one number, and stretches of different ones."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in widths)
    at = 0
    while at < len(values):
        stop = at + 1
        while stop < len(values) and stop - at < longest and values[stop] == values[at]:
            stop += 1
        repeated = stop - at > 1
        if not repeated:
            while stop < len(values) and stop - at < 8 and values[stop] != values[stop - 1]:
                stop += 1
        choice = next(number for number, width in enumerate(widths) if stop - at <= 1 << width)
        bits += f"{repeated:b}{choice:02b}{stop - at - 1:0{widths[choice]}b}"
        bits += "".join(f"{value:08b}" for value in ([values[at]] if repeated else values[at:stop]))
        at = stop
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def brushed(mask: np.ndarray, colour: tuple[int, int, int] = (0, 0, 0), alpha: int = 255) -> list[int]:
    """A mask as the brush writes it: four numbers a pixel, row by row."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (*colour, alpha)
    return packed(pixels.reshape(-1).tolist())


def opened(spec: str, root: Path) -> tuple[dict[str, np.ndarray], IndexedSamples]:
    """The masks by text, and the samples."""
    samples = open_dataset(spec, root)
    found = {sample.text: sample.mask for sample in samples}
    assert len(found) == len(samples)
    return found, samples


def left(samples: IndexedSamples) -> dict[str, int]:
    """How many of each kind were left out."""
    found: dict[str, int] = {}
    for each in samples.left_out():
        found[each.what] = found.get(each.what, 0) + each.count
    return found


def accidents(path: Path, spec: str, rounds: int, seed: int) -> tuple[int, int]:
    """Open a file that an accident has changed, ``rounds`` times; how often it was refused, and how often some was left out.

    Anything but a typed error, or masks of their pictures' sizes, ends the test.
    """
    content, rng, refused, partly = path.read_bytes(), random.Random(seed), 0, 0
    for _ in range(rounds):
        path.write_bytes(after_an_accident(content, rng))
        try:
            samples = open_dataset(spec, path.parent)
            for number in range(len(samples)):
                try:
                    assert samples[number].mask.shape == samples[number].image.shape[:2]
                except RestrError as error:
                    assert str(error)
            partly += any(each.bad for each in samples.left_out())
        except RestrError as error:
            assert str(error)
            refused += 1
    path.write_bytes(content)
    return refused, partly


NUMBERS = [
    "-1",
    "0",
    "1e9",
    "1e400",
    "nan",
    "99999999999999999999",
    '"7"',
    "null",
    "[]",
    "{}",
    "true",
    '"\\ud800"',
    "0.5",
]


def after_an_accident(
    content: bytes, rng: random.Random, *, piece: int = 30, changes: int = 4, numbers: bool = True
) -> bytes:
    """A file cut off, with fewer than ``changes`` bytes changed, or with less than ``piece`` bytes gone or twice.

    numbers: also files, a third of all, with a number replaced by something else.
    """
    data = bytearray(content)
    at, length = rng.randrange(len(data)), rng.randrange(1, piece)
    match rng.randrange(6 if numbers else 4):
        case 0:
            del data[at:]
        case 1:
            for _ in range(rng.randrange(1, changes)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = data[at : at + length]
        case _:
            digits = [place for place in range(len(data)) if 48 <= data[place] <= 57]
            start = stop = rng.choice(digits)
            while stop < len(data) and (48 <= data[stop] <= 57 or data[stop] == 46):
                stop += 1
            data[start:stop] = rng.choice(NUMBERS).encode()
    return bytes(data)
