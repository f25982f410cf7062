"""ReSTR: the paper's figure as a forward pass, one line a box."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from restr.config import ModelConfig
from restr.model.decoder import DECODERS, AdaptiveClassifier
from restr.model.fusion import FUSIONS, Fused
from restr.model.language import LanguageEncoder
from restr.model.presence import Presence
from restr.model.vision import PatchFeatures, VisionEncoder
from restr.nn.transformer import initialise


class ReSTROutput(NamedTuple):
    """logits (b 1 H W): the mask before the sigmoid; patch_logits (b n): the classifier's, on ``grid`` = (h, w);
    presence (b): whether anything is meant, before the sigmoid, or None for a model that does not say."""

    logits: Tensor
    patch_logits: Tensor
    grid: tuple[int, int]
    presence: Tensor | None = None


class ReSTR(nn.Module):
    """Convolution-free referring image segmentation (Kim et al., CVPR 2022)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.fusion.width
        self.vision = VisionEncoder(config.vision)
        self.language = LanguageEncoder(config.language, width)
        self.fusion = FUSIONS[config.fusion.variant](config.fusion, config.vision.width_out)
        self.classifier = AdaptiveClassifier(config.classifier, width)
        self.decoder = DECODERS[config.decoder.kind](config.decoder, width, config.decoder_blocks)
        self.presence = Presence(width) if config.presence.kind == "region" else None
        self.apply(initialise)

    def forward(self, image: Tensor, ids: Tensor, word_pad: Tensor) -> ReSTROutput:
        """image (b 3 H W) normalised, ids (b l), word_pad bool (b l) True = padding."""
        return self.segment(self.encode_image(image), self.encode_words(ids, word_pad), word_pad)

    def encode_image(self, image: Tensor) -> PatchFeatures:
        """image (b 3 H W) -> patches (b n d_v); done once for all expressions of an image."""
        return self.vision(image)

    def encode_words(self, ids: Tensor, word_pad: Tensor) -> Tensor:
        """ids (b l) -> words (b l D)."""
        return self.language(ids, word_pad)

    def segment(self, image: PatchFeatures, words: Tensor, word_pad: Tensor) -> ReSTROutput:
        """Everything after the encoders. One image may meet several expressions."""
        patches, grid = image
        return self.decode(self.fusion(patches, words, word_pad, grid), grid)

    def decode(self, fused: Fused, grid: tuple[int, int]) -> ReSTROutput:
        """From what the fusion encoder gives to the pixels."""
        judged = self.classifier(fused.patches, fused.classifier)
        beside = fused.inputs if self.config.decoder.beside == "input" else fused.patches
        logits = self.decoder(beside, judged, grid)
        presence = None if self.presence is None else self.presence(judged, fused.classifier)
        return ReSTROutput(logits, judged.logits, grid, presence)
