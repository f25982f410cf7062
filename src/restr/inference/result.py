"""``Result``: the mask of what a sentence names in an image, with score, box, pictures and files."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from restr.inference.forms import check_file_forms, file_content, instance_contents, png_bytes
from restr.inference.instances import LEAST_REGION, MaskInstance, MaskInstances, find_instances
from restr.inference.naming import file_stem, write_new


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The model's answer to one sentence about one image."""

    image: np.ndarray
    """uint8 (H W 3), upright, as the model's input was made from it."""

    text: str
    """The sentence."""

    prob: np.ndarray
    """float32 (H W), the probability that a pixel belongs to what ``text`` names."""

    threshold: float = 0.5
    """The least probability inside the mask."""

    name: str = "image"
    """The image file's stem, for file names."""

    attention: WordAttention | None = None
    """Which words made the mask and where they looked, if it was asked for."""

    presence: float | None = None
    """The probability that the image shows what ``text`` names; None from a model without a presence head."""

    least_presence: float = 0.0
    """Below this presence the mask is empty."""

    scoring: ScoreConfig = ScoreConfig()
    """How the score is computed."""

    known_score: float | None = None
    """The score, where it is not computed from ``prob``: of a mask that was made of several frames of a video."""

    @property
    def present(self) -> bool:
        """Whether the image shows what ``text`` names: False if the presence is below its threshold."""
        return self.presence is None or self.presence >= self.least_presence

    @property
    def found(self) -> bool:
        """Whether the mask has any pixel."""
        return self.area > 0

    @cached_property
    def mask(self) -> np.ndarray:
        """bool (H W) at the image's own size: prob >= threshold, or all False if not ``present``."""
        return self.prob >= self.threshold if self.present else np.zeros(self.prob.shape, bool)

    @cached_property
    def score(self) -> float:
        """The probability that the mask is right (``ScoreConfig``), in [0, 1]; 0 for an empty mask.

        Without a calibration of the model it is the mean probability inside the mask.
        """
        if not self.area:
            return 0.0
        return self._score(self.prob[self.mask]) if self.known_score is None else self.known_score

    def _score(self, inside: np.ndarray) -> float:
        """The score of a mask, or of a part of it, from the probabilities of its pixels, (n)."""
        certainty = float(inside.mean(dtype=np.float64))
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

    def instances(self, *, least_share: float = LEAST_REGION) -> MaskInstances:
        """The separate regions of the mask, the largest first: a list, for "the people", "all the dogs".

        Pixels belong together across edges, not corners. Things that touch in the mask are one instance, and a thing that
        something in front cuts in two is two. A region of less than ``least_share`` of the mask's pixels is a speck, not an
        instance: it stays in ``mask``, and the list's ``specks`` counts it. An instance's score is made like ``score``, of
        the probabilities inside it; the calibration was fitted to whole masks. Raises ``ConfigError`` for a share outside
        [0, 1].
        """
        if not 0 <= least_share <= 1:
            raise ConfigError(f"least_share is {least_share!r}; it must be a share of the mask's pixels, from 0 to 1")
        if least_share == LEAST_REGION:
            return MaskInstances(self._instances, self._instances.specks)
        return self._find_instances(least_share)

    @cached_property
    def _instances(self) -> MaskInstances:
        """As ``instances`` finds them by default: printed, and drawn in each form."""
        return self._find_instances(LEAST_REGION)

    def _find_instances(self, least_share: float) -> MaskInstances:
        return find_instances(
            self.mask, least_share, lambda box, part: self._score(self.prob[box[1] : box[3], box[0] : box[2]][part])
        )

    def only(self, instance: MaskInstance) -> Result:
        """The same result with nothing but one of its ``instances``: the probability is 0 outside it."""
        return replace(self, prob=np.where(instance.mask, self.prob, np.float32(0)), known_score=None)

    def overlay(self, *, caption: bool = True) -> Image.Image:
        """The found thing in colour with a contour, the rest dimmed, the text underneath."""
        return render.overlay(self.image, self.mask, self.text if caption else None, self.score)

    def heatmap(self, *, caption: bool = True) -> Image.Image:
        """The probability of every pixel, from dark (0) to light (1), over the greyed image."""
        return render.heatmap(self.image, self.prob, self.text if caption else None)

    def attention_strip(self) -> Image.Image:
        """One picture per word: where it looked, and its weight. Raises ``ConfigError`` without attention."""
        if self.attention is None:
            raise ConfigError("this result has no attention; ask for it: segmenter(image, text, attention=True)")
        found = self.attention
        return render.attention_strip(self.image, found.words, found.seed, found.patches)

    def cutout(self) -> Image.Image:
        """The found thing alone: RGBA, cropped to ``box``, transparent around; one clear pixel if the mask is empty."""
        return render.cutout(self.image, self.mask, self.box)

    def mask_image(self) -> Image.Image:
        """The mask as a picture of mode "L": 255 inside, 0 outside."""
        return Image.fromarray(self.mask.astype(np.uint8) * 255)

    def prob_image(self) -> Image.Image:
        """The probabilities as a picture of mode "L": 255 where the model is certain."""
        return Image.fromarray(np.rint(self.prob * 255).astype(np.uint8))

    def summary(self) -> dict[str, Any]:
        """The result without its mask, in JSON's types: text, found, presence, score, box, area."""
        return {
            "text": self.text,
            "found": self.found,
            "presence": None if self.presence is None else round(self.presence, 4),
            "score": round(self.score, 4),
            "box": list(self.box) if self.box else None,
            "area": self.area,
        }

    def to_dict(self) -> dict[str, Any]:
        """``summary`` with size [H, W], threshold and run lengths, and the attention if it was recorded."""
        return {
            **self.summary(),
            "size": [int(side) for side in self.mask.shape],
            "threshold": self.threshold,
            "rle": self.rle,
        } | ({"attention": self.attention.to_dict()} if self.attention else {})

    def save(
        self,
        folder: str | os.PathLike[str],
        kinds: Sequence[str] = ("overlay", "mask"),
        *,
        name: str | None = None,
        each: bool = False,
    ) -> dict[str, Path]:
        """Write the result in the forms ``kinds`` (see ``restr.inference.forms``) and return the path of each.

        Files are called ``<name>-<words of the text>.<kind>.png`` (or ``.json``). A file of another result is never
        overwritten: the name gets a number instead. Saving the same result again gives the same files. each: also a
        file for each of its ``instances``, ``<name>-<words of the text>.<number>.<kind>.png``.
        """
        return write_new(
            Path(folder), file_stem(str(name or self.name), self.text), self.file_contents(kinds, each=each)
        )

    def file_contents(self, kinds: Sequence[str] = ("overlay", "mask"), *, each: bool = False) -> dict[str, bytes]:
        """The content of each file that ``save`` writes, by kind; of an instance by number and kind, as "1.mask"."""
        check_file_forms(kinds)
        whole = {kind: file_content(self, kind) for kind in kinds}
        return whole | (instance_contents(self, kinds) if each else {})

    def _repr_png_(self) -> bytes:
        return png_bytes(self.overlay())

    def __repr__(self) -> str:
        height, width = self.mask.shape
        presence = "" if self.presence is None else f" presence={self.presence:.2f},"
        area = f"{self.area} of {width} x {height}"
        return f"Result({self.text!r},{presence} score={self.score:.2f}, box={self.box}, area={area})"


def thresholds(config: ModelConfig, threshold: float | None, presence: float | None) -> tuple[float, float]:
    """The thresholds of pixels and of presence: those given, or the model's own. Raises ``ConfigError``."""
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
