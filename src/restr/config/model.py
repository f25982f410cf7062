"""The model's configuration: a tree of frozen dataclasses, saved as JSON beside the weights.

The tree is the model's: ``ModelConfig`` has one config for each box of the paper's figure, and
``PreprocessConfig`` for the way from a photograph to the model's input. Training, evaluation, prediction and export
all read the same object.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from restr.config.encoders import FusionConfig, LanguageConfig, VisionConfig
from restr.errors import ConfigError
from restr.fields import at_least, from_dict, one_of

if TYPE_CHECKING:
    from restr.preprocess import Framing

_FORMAT = 2  # of the JSON file, since version 0.2.0; 1 was version 0.1.0

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """The adaptive classifier."""

    kind: Literal["dot", "maps"] = "dot"
    """dot: z_v' e_s'^T / sqrt(D) (the paper). maps: each side first passes a bias-free D x D map, and nothing is divided (the
    released code)."""

    def __post_init__(self) -> None:
        one_of(self, "kind")


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """The coarse-to-fine decoder: K = log2 P blocks, each halves the channels and doubles the resolution."""

    kind: Literal["coarse_to_fine", "none"] = "coarse_to_fine"
    """With none, the result is the patch logits, enlarged."""
    beside: Literal["input", "fused"] = "input"
    """The patches beside the masked ones: before fusion ([z_v, z_masked], the paper) or after it."""
    mask_by: Literal["probability", "logit"] = "probability"
    """z_masked is z_v' times the probability (the paper) or the logit (the released code)."""
    order: Literal["project_first", "enlarge_first"] = "project_first"
    """Projecting first needs a quarter of the multiplications; the result is the same."""
    min_channels: int = 8
    """The least number of channels of a block."""
    negative_slope: float = 0.01
    """Slope of the LeakyReLU."""
    align_corners: bool = False
    """Whether the bilinear enlargement aligns the corners."""
    bias: bool = True
    """Give the blocks' projections a bias."""
    head_bias: bool = True
    """Give the last layer a bias."""

    def __post_init__(self) -> None:
        one_of(self, "kind", "beside", "mask_by", "order")


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """The presence head: whether the image shows what the sentence names. The paper has none."""

    kind: Literal["none", "region"] = "none"
    """region: compares the adapted seed with the patches that its classifier found."""
    threshold: float = 0.5
    """The mask is empty if the probability of presence is lower."""

    def __post_init__(self) -> None:
        one_of(self, "kind")
        if not 0.0 <= self.threshold < 1.0:
            raise ConfigError(f"presence.threshold is {self.threshold}; it must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """The score, the probability that a mask is right (IoU >= 0.5), fitted on validation sentences.

    sigmoid(bias + certainty * logit of the mean probability in the mask + presence * presence logit). The defaults give
    that mean itself.
    """

    bias: float = 0.0
    """The constant."""
    certainty: float = 1.0
    """Weight of the logit of the mean probability in the mask."""
    presence: float = 0.0
    """Weight of the presence logit."""


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How a photograph becomes the model's input, and a probability a mask."""

    size: int = 480
    """Longest side of the input, in pixels."""
    fit: Literal["longest", "letterbox", "square"] = "longest"
    """How a photograph is fitted to ``size``.

    longest: scale the longest side to it and round the other to a multiple of the patch (no padding, at most half a patch
    of stretch). letterbox: scale the longest side to it and pad to a square with the mean colour. square: stretch both
    sides (LAVT).
    """
    place: Literal["corner", "centre"] = "corner"
    """Where a letterboxed photograph lies: in the corner at the top left, or in the centre (released code)."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Mean for the normalisation of RGB in [0, 1]."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Standard deviation for the normalisation."""
    threshold: float = 0.5
    """Pixels from this probability on are in the mask."""

    def __post_init__(self) -> None:
        at_least(self, "size", 1)
        one_of(self, "fit", "place")
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"threshold is {self.threshold}; it must be between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that rebuilds a ReSTR model: ``restr.model.build.build_model(config)``."""

    name: str
    """The preset's name, or your own."""
    vision: VisionConfig
    """The vision encoder."""
    language: LanguageConfig
    """The language encoder."""
    fusion: FusionConfig
    """The multimodal fusion encoder."""
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    """The adaptive classifier."""
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    """The coarse-to-fine decoder."""
    presence: PresenceConfig = field(default_factory=PresenceConfig)
    """The presence head."""
    score: ScoreConfig = field(default_factory=ScoreConfig)
    """The fitted score of a mask."""
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    """From a photograph to the input, and back."""

    def __post_init__(self) -> None:
        if self.preprocess.size % self.vision.patch:
            raise ConfigError(
                f"preprocess.size {self.preprocess.size} is not a multiple of vision.patch {self.vision.patch}; "
                f"use {round(self.preprocess.size / self.vision.patch) * self.vision.patch}"
            )

    @property
    def framing(self) -> Framing:
        """How photographs become this model's input and masks return to their size."""
        from restr.preprocess import Framing  # numpy and PIL load here

        return Framing(**vars(self.preprocess), patch=self.vision.patch)

    @property
    def decoder_blocks(self) -> int:
        """K = log2 P."""
        return int(math.log2(self.vision.patch))

    def to_json(self) -> str:
        """This config as indented JSON; ``from_json`` reads it back."""
        return json.dumps({"format": _FORMAT} | dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """A config from ``to_json``'s text. Raises ``ConfigError`` on unknown or missing names."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"the config is not JSON ({error}); expected what ModelConfig.to_json writes") from error
        written_by = values.pop("format", 1)
        if written_by > _FORMAT:
            raise ConfigError(
                f"the config's format is {written_by}, restr reads up to {_FORMAT} (since 0.2.0); the model was saved by a "
                "newer version: pip install --upgrade restr"
            )
        if written_by == 1:  # version 0.1.0 had one decoder, which is not the default any more
            values.setdefault("decoder", {}).setdefault("beside", "fused")
        return from_dict(cls, values)
