"""Evaluation protocols: the choices without which no two numbers of this field can be compared.

Evaluations of the same model differ by points because of the input's shape, the size at which masks are compared, the
threshold, or the IoU of two empty masks. An ``EvalProtocol`` holds these choices; its name and its sentence go
with every number. The presets do as the named projects do (according to the papers' sections on evaluation, and the
published programs).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from restr.config import PresenceConfig
from restr.errors import ConfigError
from restr.fields import at_least, one_of
from restr.preprocess import Fit, Framing


@dataclass(frozen=True, kw_only=True)
class EvalProtocol:
    """How masks are made and compared."""

    name: str
    """Its name in reports."""
    size: int | None = None
    """The longest side of the model's input; None keeps the model's own."""
    fit: Fit | None = None
    """How a photograph fits the input; None keeps the model's own."""
    measured_at: Literal["original", "model"] = "original"
    """Compare masks at the photograph's size, or at the model's input size, with the true mask resized."""
    threshold: float | None = 0.5
    """The least probability of a mask's pixel; None keeps the model's own."""
    mask_rule: Literal[">=", ">"] = ">="
    """How probabilities are compared with the threshold."""
    presence: float | None = None
    """Masks are empty if the presence is less; None keeps the model's own."""
    precision_rule: Literal[">=", ">"] = ">="
    """How Pr@X compares an IoU with X."""
    empty_iou: float = 1.0
    """The IoU of two empty masks."""
    joined: bool = False
    """Join the sentences of a region to one text and one sample, instead of a sample each."""

    def __post_init__(self) -> None:
        if self.size is not None:
            at_least(self, "size", 1)
        if self.fit not in (None, "longest", "letterbox", "square"):
            raise ConfigError(f"fit is {self.fit!r}; choose longest, letterbox, square, or None for the model's own")
        one_of(self, "measured_at", "mask_rule", "precision_rule")
        if self.threshold is not None and not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"threshold is {self.threshold}; it must be between 0 and 1")
        if self.presence is not None and not 0.0 <= self.presence <= 1.0:
            raise ConfigError(f"presence is {self.presence}; it must be from 0, which always leaves a mask, to 1")
        if self.empty_iou not in (0.0, 1.0):
            raise ConfigError(f"empty_iou is {self.empty_iou}; two empty masks agree wholly (1) or not at all (0)")

    def framing(self, own: Framing) -> Framing:
        """The model's own framing, changed as the protocol demands."""
        return replace(
            own,
            size=self.size or own.size,
            fit=self.fit or own.fit,
            threshold=own.threshold if self.threshold is None else self.threshold,
        )

    def frame(
        self, image: np.ndarray, masks: list[np.ndarray], framing: Framing
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The image and the true masks at the size at which masks are compared.

        At the model's size, masks are resized by nearest neighbour, as LAVT and ReLA do. framing: from ``framing``.
        """
        if self.measured_at == "original":
            return image, masks
        size = (image.shape[0], image.shape[1])
        height, width = framing.content_size(size)
        framed = []
        for mask in masks:
            picture = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
            whole = np.zeros(framing.input_size(size), bool)
            whole[framing.content(size)] = np.asarray(picture)
            framed.append(whole)
        return framing.fit_image(image), framed

    def mask(self, prob: np.ndarray, threshold: float) -> np.ndarray:
        """The mask, bool, of probabilities."""
        return prob >= threshold if self.mask_rule == ">=" else prob > threshold

    def least_presence(self, own: PresenceConfig | None) -> float | None:
        """The presence below which a mask is empty; None for a model without presence."""
        if own is None or own.kind == "none":
            return None
        return own.threshold if self.presence is None else self.presence

    def describe(self, own: Framing, presence: PresenceConfig | None = None) -> str:
        """The conditions of a number, in one sentence that begins with the name."""
        framing = self.framing(own)
        fit = {"longest": "longest side", "letterbox": "letterbox", "square": "stretched to a square"}[framing.fit]
        if framing.fit == "letterbox" and framing.place == "centre":
            fit = "letterbox, centred"
        where = "the original size" if self.measured_at == "original" else "the model's size"
        least = self.least_presence(presence)
        empty = "" if least is None else f", empty where presence < {least:g}"
        sample = "region, its sentences joined" if self.joined else "(region, sentence) pair"
        return (
            f"{self.name}: input {framing.size} ({fit}), IoU at {where}, mask = probability {self.mask_rule} "
            f"{framing.threshold:g}{empty}, Pr@X counts IoU {self.precision_rule} X, one sample = one {sample}, "
            f"both masks empty: IoU {self.empty_iou:g}"
        )


PROTOCOLS: dict[str, EvalProtocol] = {
    protocol.name: protocol
    for protocol in (
        EvalProtocol(name="own", threshold=None),
        EvalProtocol(name="restr", size=480, fit="letterbox"),
        EvalProtocol(name="lavt", size=480, fit="square", measured_at="model", mask_rule=">", empty_iou=0.0),
        EvalProtocol(
            name="cris", size=416, fit="letterbox", threshold=0.35, mask_rule=">", precision_rule=">", empty_iou=0.0
        ),
        EvalProtocol(name="rela", size=480, fit="square", measured_at="model", mask_rule=">"),
        EvalProtocol(name="lisa", mask_rule=">"),
    )
}


def protocol(name: str) -> EvalProtocol:
    """The named protocol. Raises ``ConfigError`` with the known names."""
    if name not in PROTOCOLS:
        raise ConfigError(f"there is no protocol {name!r}; choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
