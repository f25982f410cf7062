"""ReSTR: the paper's figure as a forward pass, one line per box."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from restr.config import ModelConfig
from restr.model.decoder import DECODERS, AdaptiveClassifier
from restr.model.fusion import FUSIONS, ImageTokens
from restr.model.language import LanguageEncoder
from restr.model.presence import PresenceHead
from restr.model.vision import PatchFeatures, VisionEncoder
from restr.nn.shapes import Float, Int
from restr.nn.transformer import initialise
from restr.text.vocabulary import PADDING


class ReSTROutput(NamedTuple):
    """Masks before the sigmoid, one for each sentence."""

    logits: Float[Tensor, "b 1 H W"]
    """The mask's pixels."""
    patch_logits: Float[Tensor, "b n"]
    """The adaptive classifier's verdict on each patch."""
    grid: tuple[int, int]
    """(h, w), in patches; n = h * w."""
    presence: Float[Tensor, " b"] | None = None
    """Above 0 if the image shows what the sentence names; None without a presence head."""
    classifier: Float[Tensor, "b 1 D"] | None = None
    """e_s', the class seed adapted to this sentence; for further heads, such as the one for boxes in a recipe."""


class ReSTR(nn.Module):
    """Convolution-free referring image segmentation (Kim et al., CVPR 2022).

    ``forward`` is two halves: ``encode_image``, once per image, and ``segment``, once per sentence.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.fusion.width
        self.vision = VisionEncoder(config.vision)
        self.language = LanguageEncoder(config.language, width)
        self.fusion = FUSIONS[config.fusion.variant](config.fusion, config.vision.width_out)
        self.classifier = AdaptiveClassifier(config.classifier, width)
        self.decoder = DECODERS[config.decoder.kind](config.decoder, width, config.decoder_blocks)
        self.presence = PresenceHead(width) if config.presence.kind == "region" else None
        self.apply(initialise)

    def forward(self, image: Float[Tensor, "b 3 H W"], ids: Int[Tensor, "b l"]) -> ReSTROutput:
        """image: normalised. ids: rows of the word table, ``PADDING`` after (or before) the words."""
        return self.segment(self.encode_image(image), ids)

    def encode_image(self, image: Float[Tensor, "b 3 H W"]) -> ImageTokens:
        """The half that needs no sentence."""
        return self.project(self.vision(image))

    def project(self, features: PatchFeatures) -> ImageTokens:
        """The rest of ``encode_image``, for cached features of the vision encoder."""
        return self.fusion.project(features)

    def segment(self, image: ImageTokens, ids: Int[Tensor, "t l"]) -> ReSTROutput:
        """The half that runs for every sentence. One image per sentence, or one image for all sentences."""
        padding = ids == PADDING
        words = self.language(ids, padding)
        patches, classifier = self.fusion(image, words, padding)
        scores = self.classifier(patches, classifier)
        logits = self.decoder(image, patches, scores)
        presence = None if self.presence is None else self.presence(scores, classifier)
        return ReSTROutput(logits, scores.logits, image.grid, presence, classifier)
