"""Result: the mask that a sentence names in an image, in whatever form it is wanted."""

from __future__ import annotations

import io
import json
import math
import numbers
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restr import masks
from restr.config import ModelConfig, ScoreConfig
from restr.errors import ConfigError
from restr.fields import share
from restr.inference import render
from restr.inference.explanation import WordAttention
from restr.inference.naming import slug, write_new

KINDS = ("overlay", "mask", "cutout", "heatmap", "attention", "rle", "polygon", "coco")


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What the model found for one sentence in one image.

    image: uint8 (H W 3), upright, as the model's input was made from it. prob: float32 (H W), the probability that
    a pixel belongs to what ``text`` names. threshold: the least probability inside the mask. name: the image
    file's stem, for file names. attention: which words made the mask and where they looked, if it was asked for.
    presence: the probability that the image shows what ``text`` names at all, None from a model that does not say; below
    ``least_presence`` nothing is meant and the mask is empty. scoring: how the model's score is made.
    """

    image: np.ndarray
    text: str
    prob: np.ndarray
    threshold: float = 0.5
    name: str = "image"
    attention: WordAttention | None = None
    presence: float | None = None
    least_presence: float = 0.0
    scoring: ScoreConfig = ScoreConfig()

    @property
    def present(self) -> bool:
        """Whether anything is meant: False where the presence is below its threshold."""
        return self.presence is None or self.presence >= self.least_presence

    @property
    def found(self) -> bool:
        """Whether there is a mask: something is meant, and some pixels are likely enough to belong to it."""
        return self.area > 0

    @cached_property
    def mask(self) -> np.ndarray:
        """bool (H W) at the image's own size: prob >= threshold, or all False where nothing is meant."""
        return self.prob >= self.threshold if self.present else np.zeros(self.prob.shape, bool)

    @cached_property
    def score(self) -> float:
        """The probability that the mask is right (``ScoreConfig``), in [0, 1]; 0 if it is empty.

        Of a model that no calibration was fitted for, the mean probability inside the mask.
        """
        if not self.area:
            return 0.0
        certainty = float(self.prob[self.mask].mean(dtype=np.float64))
        if self.scoring == ScoreConfig():
            return certainty
        logit = self.scoring.bias + self.scoring.certainty * _logit(certainty)
        if self.presence is not None:
            logit += self.scoring.presence * _logit(self.presence)
        return 1 / (1 + math.exp(-logit))

    @cached_property
    def area(self) -> int:
        """Pixels in the mask."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def box(self) -> tuple[int, int, int, int] | None:
        """The tightest box (x0, y0, x1, y1) around the mask, x1 and y1 exclusive; None if the mask is empty."""
        return masks.box_of(self.mask)

    @cached_property
    def rle(self) -> dict[str, Any]:
        """The mask as COCO's compressed run lengths: {"size": [H, W], "counts": str}."""
        return masks.rle_encode(self.mask)

    @cached_property
    def polygons(self) -> list[list[float]]:
        """The mask's outer outlines as COCO polygons [x0, y0, x1, y1, ...], the largest first; holes are filled."""
        return masks.polygons_of(self.mask)

    def overlay(self, *, caption: bool = True) -> Image.Image:
        """The picture to show: the found thing in colour with a contour, the rest dimmed, the text underneath."""
        return render.overlay(self.image, self.mask, self.text if caption else None, self.score)

    def heatmap(self, *, caption: bool = True) -> Image.Image:
        """The probability of every pixel, from dark (0) to light (1), over the greyed image."""
        return render.heatmap(self.image, self.prob, self.text if caption else None)

    def attention_strip(self) -> Image.Image:
        """A picture a word: where it looked, and how much the class seed listened to it. Raises ``ConfigError``."""
        if self.attention is None:
            raise ConfigError("this result has no attention; ask for it: segmenter(image, text, attention=True)")
        found = self.attention
        return render.attention_strip(self.image, found.words, found.seed, found.patches)

    def cutout(self) -> Image.Image:
        """The found thing alone: RGBA, cropped to ``box``, transparent around; one clear pixel if nothing is found."""
        return render.cutout(self.image, self.mask, self.box)

    def mask_image(self) -> Image.Image:
        """The mask as a picture of mode "L": 255 inside, 0 outside."""
        return Image.fromarray(self.mask.astype(np.uint8) * 255)

    def to_dict(self) -> dict[str, Any]:
        """The result in JSON's types: text, found, presence, score, box, area, size [H, W], threshold and run lengths."""
        return {
            "text": self.text,
            "found": self.found,
            "presence": None if self.presence is None else round(self.presence, 4),
            "score": round(self.score, 4),
            "box": list(self.box) if self.box else None,
            "area": self.area,
            "size": [int(side) for side in self.mask.shape],
            "threshold": self.threshold,
            "rle": self.rle,
        } | ({"attention": self.attention.to_dict()} if self.attention else {})

    def save(
        self, folder: str | os.PathLike[str], kinds: Sequence[str] = ("overlay", "mask"), *, name: str | None = None
    ) -> dict[str, Path]:
        """Write the result in the given ``kinds`` (see ``KINDS``) and return the path of each.

        Files are called ``<name>-<words of the text>.<kind>.png`` (or ``.json``). A file of another result is never
        overwritten: the name gets a number instead. The same result again gives the same files.
        """
        check_kinds(kinds)
        contents = {kind: self._content(kind) for kind in kinds}
        stem = f"{slug(str(name or self.name))}-{slug(self.text)}"
        return write_new(Path(folder), stem, contents)

    def _content(self, kind: str) -> bytes:
        pictures: dict[str, Callable[[], Image.Image]] = {
            "overlay": self.overlay,
            "mask": self.mask_image,
            "cutout": self.cutout,
            "heatmap": self.heatmap,
            "attention": self.attention_strip,
        }
        if kind in pictures:
            return _png(pictures[kind]())
        documents: dict[str, Callable[[], Any]] = {
            "rle": lambda: self.rle,
            "polygon": lambda: {"size": list(self.mask.shape), "polygons": self.polygons},
            "coco": lambda: coco_document([(self.name, self)]),
        }
        return json.dumps(documents[kind]()).encode() + b"\n"

    def _repr_png_(self) -> bytes:
        return _png(self.overlay())

    def __repr__(self) -> str:
        height, width = self.mask.shape
        presence = "" if self.presence is None else f" presence={self.presence:.2f},"
        return f"Result({self.text!r},{presence} score={self.score:.2f}, box={self.box}, area={self.area} of {width} x {height})"


def thresholds(config: ModelConfig, threshold: float | None, presence: float | None) -> tuple[float, float]:
    """The least probability of a pixel and the least presence: those asked for, or the model's own. Raises ``ConfigError``."""
    if threshold is None:
        threshold = config.preprocess.threshold
    if presence is None:
        presence = config.presence.threshold
    if not isinstance(presence, numbers.Real) or isinstance(presence, bool) or not 0.0 <= float(presence) <= 1.0:
        raise ConfigError(f"presence is {presence!r}; it must be from 0, which always draws a mask, to 1")
    return share("threshold", threshold), float(presence)


def _logit(probability: float) -> float:
    """The logarithm of the odds, kept finite."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(probability / (1 - probability))


def coco_document(results: Sequence[tuple[str, Result]]) -> dict[str, Any]:
    """(file name, result) pairs as one COCO document: an annotation a result, its sentence under "text"."""
    images: dict[str, dict[str, Any]] = {}
    annotations = []
    for file_name, result in results:
        height, width = (int(side) for side in result.mask.shape)
        image = images.setdefault(
            file_name, {"id": len(images) + 1, "file_name": file_name, "height": height, "width": width}
        )
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": 1,
                "segmentation": result.rle,
                "area": result.area,
                "bbox": masks.box_xywh(result.box) if result.box else [0, 0, 0, 0],
                "iscrowd": 0,
                "score": round(result.score, 4),
                "text": result.text,
            }
        )
    return {
        "images": list(images.values()),
        "annotations": annotations,
        "categories": [{"id": 1, "name": "referent"}],
    }


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises ``ConfigError`` for a kind of file that a result cannot be saved as."""
    if isinstance(kinds, str):
        raise ConfigError(f"kinds is the string {kinds!r}; expected a list such as ['overlay', 'mask']")
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"cannot save {kind!r}; choose from {', '.join(KINDS)}")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
