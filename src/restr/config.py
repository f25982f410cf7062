"""Configurations: frozen dataclasses that mirror the modules, saved as JSON beside the weights.

The tree is the model's: ``ModelConfig`` holds one config for each box of the paper's figure, and
``PreprocessConfig`` holds the facts that turn a photograph into the model's input. Training, evaluation,
prediction and export all read the same object.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from restr.errors import ConfigError
from restr.fields import at_least, from_dict, one_of

if TYPE_CHECKING:
    from restr.preprocess import Framing

_FORMAT = 2  # of the JSON file; 1 was version 0.1.0

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """One stack of Transformer blocks; all four encoders of ReSTR are one of these.

    ``width`` is the token width, ``mlp`` the hidden width of the MLP. ``layer_scale`` multiplies each residual
    branch by a learnt vector (DINOv2). ``drop_path`` is the stochastic-depth rate of the deepest block.
    ``norm``: LayerNorm before each branch (``"pre"``, the paper and ViT; trains without care) or after each sum
    (``"post"``, the language encoder of the released code). ``final_norm``: a last LayerNorm, which pre-norm blocks need.
    ``shared``: one block's weights at every depth (CME-dagger). ``attention``: ``"windowed"`` costs linearly as much as
    there are patches; they see ``window`` x ``window`` neighbours and the image in ``cells`` x ``cells`` means.
    """

    width: int
    depth: int
    heads: int
    mlp: int
    layer_scale: bool = False
    drop_path: float = 0.0
    dropout: float = 0.0
    norm_eps: float = 1e-6
    norm: Literal["pre", "post"] = "pre"
    final_norm: bool = True
    shared: bool = False
    attention: Literal["full", "windowed"] = "full"
    window: int = 10
    cells: int = 8

    def __post_init__(self) -> None:
        at_least(self, "width", 1)
        at_least(self, "depth", 0)
        at_least(self, "heads", 1)
        if self.width % self.heads:
            raise ConfigError(
                f"width {self.width} is not divisible by heads {self.heads}; choose heads that divide the width"
            )
        for name in ("drop_path", "dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1)")
        one_of(self, "norm", "attention")
        at_least(self, "window", 1)
        at_least(self, "cells", 1)
        if self.shared and self.drop_path:
            raise ConfigError(f"drop_path is {self.drop_path}, but one shared block serves all depths; set it to 0")


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """The vision encoder: a ViT over P x P patches, its class token dropped before fusion.

    ``taps``: depths (1 is the first block) whose output goes to the fusion beside the last one's. The paper has none
    and fine-tunes the encoder; a frozen one has forgotten at its end what a sentence may ask for, colour above all.
    """

    patch: int
    blocks: TransformerConfig
    grid: int = 30  # side of the stored position embedding, in patches
    frozen: bool = False  # True: its weights are never trained and it always runs in eval mode
    taps: tuple[int, ...] = ()
    registers: int = 0  # learnt tokens without a place (Darcet et al. 2024)

    def __post_init__(self) -> None:
        if self.patch < 2 or self.patch & (self.patch - 1):
            raise ConfigError(
                f"patch is {self.patch}; the decoder doubles the resolution log2(patch) times, so it must be a power of 2"
            )
        at_least(self, "grid", 1)
        at_least(self, "registers", 0)
        if sorted(set(self.taps)) != list(self.taps) or any(not 1 <= tap < self.blocks.depth for tap in self.taps):
            raise ConfigError(
                f"taps is {self.taps}; name depths between 1 and {self.blocks.depth - 1}, the shallowest first, none twice"
            )

    @property
    def width_out(self) -> int:
        """The width D_v of a patch as the fusion sees it: the last block's output and one more for each tap."""
        return self.blocks.width * (1 + len(self.taps))


@dataclass(frozen=True, kw_only=True)
class LanguageConfig:
    """The language encoder: word vectors, positions, Transformer blocks, then a map to ``width``.

    ``positions``: fixed sinusoids (the paper) or a learnt table. ``padding``: which side short sentences are filled
    up on; ``attend_padding``: fill up to ``max_words`` and let words attend to the filling like to words (the
    released code, on the left). By default padding is masked, so that it can never change a result.
    ``class_token``: a learnt token before the words, dropped at the end; ``input_norm``: a LayerNorm on what goes into the
    blocks. BERT has both, so that its blocks can be loaded.
    """

    vocab: int  # rows of the word table, padding (0) and unknown (1) included
    vectors: int  # width of a word vector (GloVe: 50, 100, 300)
    blocks: TransformerConfig
    max_words: int = 20
    train_vectors: bool = False  # False keeps unseen words near their seen neighbours
    positions: Literal["sinusoidal", "learnt"] = "sinusoidal"
    padding: Literal["right", "left"] = "right"
    attend_padding: bool = False
    class_token: bool = False
    input_norm: bool = False

    def __post_init__(self) -> None:
        at_least(self, "vocab", 3)
        at_least(self, "vectors", 1)
        at_least(self, "max_words", 1)
        one_of(self, "positions", "padding")


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """The multimodal fusion encoder (figure 3): visual-linguistic blocks and linguistic-seed blocks.

    ``variant`` names the way they are coupled: ``cme`` (the paper's model: the seed reads words that have seen the
    image), ``ime`` (the seed reads the words as they were) or ``vme`` (one encoder over patches, words and seed, as
    deep as both together). ``sharing``: ``"depth"`` applies one block at every depth of an encoder (CME-dagger as
    released), ``"encoders"`` uses one encoder in both roles (the text's other reading).
    ``normalise``: patches and words to unit length before they are mapped to D (released code).
    ``attend_padding``: padded words become zeros and are attended to like words (released code), not masked.
    ``patch_positions`` adds fixed 2-D sinusoids to the patches: a frozen vision encoder cannot learn to pass
    on where a patch is, and "the left one" needs it (the paper fine-tunes the encoder instead).
    """

    visual_linguistic: TransformerConfig
    linguistic_seed: TransformerConfig
    variant: Literal["cme", "ime", "vme"] = "cme"
    sharing: Literal["none", "depth", "encoders"] = "none"
    normalise: bool = False
    attend_padding: bool = False
    patch_positions: bool = False

    def __post_init__(self) -> None:
        one_of(self, "variant", "sharing")
        if self.visual_linguistic.width != self.linguistic_seed.width:
            raise ConfigError(
                f"visual_linguistic.width {self.visual_linguistic.width} and linguistic_seed.width "
                f"{self.linguistic_seed.width} differ; both encoders work at the common width D"
            )
        if self.sharing == "encoders" and self.variant == "vme":
            raise ConfigError("sharing is 'encoders', but vme has one encoder only; use 'none' or 'depth'")
        if self.sharing == "encoders" or self.variant == "vme":
            free = ("depth", "final_norm") if self.variant == "vme" else ()
            own = {name: getattr(self.linguistic_seed, name) for name in free}
            if dataclasses.replace(self.visual_linguistic, **own) != self.linguistic_seed:
                one = "vme has one encoder" if free else "sharing is 'encoders'"
                raise ConfigError(f"{one}, but visual_linguistic and linguistic_seed differ; make them equal")

    @property
    def width(self) -> int:
        """The common width D of patches, words and class seed."""
        return self.visual_linguistic.width


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """The adaptive classifier: ``"dot"``, z_v' e_s'^T / sqrt(D) (the paper), or ``"maps"``, where both sides first
    pass a bias-free D x D map and nothing is divided (the released code)."""

    kind: Literal["dot", "maps"] = "dot"

    def __post_init__(self) -> None:
        one_of(self, "kind")


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """The coarse-to-fine decoder: K = log2 P blocks, each halves the channels and doubles the resolution.

    ``beside``: what stands beside the masked patches, the patches before fusion (``"input"``: [z_v, z_masked], the
    paper) or after it (``"fused"``). ``mask_by``: z_masked is z_v' times the probability (the paper) or the logit
    (the released code). ``kind`` ``"none"`` leaves the decoder out: the patch logits, enlarged.
    ``order``: project, then enlarge (a quarter of the multiplications), or the other way round; same result.
    """

    kind: Literal["coarse_to_fine", "none"] = "coarse_to_fine"
    beside: Literal["input", "fused"] = "input"
    mask_by: Literal["probability", "logit"] = "probability"
    order: Literal["project_first", "enlarge_first"] = "project_first"
    min_channels: int = 8
    negative_slope: float = 0.01  # LeakyReLU
    align_corners: bool = False
    head_bias: bool = True

    def __post_init__(self) -> None:
        one_of(self, "kind", "beside", "mask_by", "order")


@dataclass(frozen=True, kw_only=True)
class PresenceConfig:
    """The presence head: whether the image shows anything that the sentence means. The paper has none (``"none"``);
    ``"region"`` compares the adapted seed with what its classifier found. Below ``threshold`` the mask is empty.
    """

    kind: Literal["none", "region"] = "none"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        one_of(self, "kind")
        if not 0.0 <= self.threshold < 1.0:
            raise ConfigError(f"presence.threshold is {self.threshold}; it must be at least 0 and below 1")


@dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """The score, the probability that a mask is right (IoU >= 0.5): sigmoid(``bias`` + ``certainty`` * logit of the mean
    probability in the mask + ``presence`` * presence logit), fitted on validation sentences; unfitted, that mean itself."""

    bias: float = 0.0
    certainty: float = 1.0
    presence: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How a photograph becomes the model's input and a probability becomes a mask.

    ``fit``: ``"longest"`` scales the longest side to ``size`` and rounds the other to a multiple of the patch
    (no padding, at most half a patch of stretch); ``"letterbox"`` pads to a ``size`` x ``size`` square with the
    mean colour on the right and at the bottom; ``"square"`` stretches both sides to ``size`` (LAVT).
    """

    size: int = 480
    fit: Literal["longest", "letterbox", "square"] = "longest"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    threshold: float = 0.5

    def __post_init__(self) -> None:
        at_least(self, "size", 1)
        one_of(self, "fit")
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"threshold is {self.threshold}; it must be between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that rebuilds a ReSTR model: ``restr.model.build.build_model(config)``."""

    name: str
    vision: VisionConfig
    language: LanguageConfig
    fusion: FusionConfig
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)

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
                f"the config's format is {written_by}, restr reads up to {_FORMAT}; install a newer restr"
            )
        if written_by == 1:  # version 0.1.0 knew one decoder, which is not today's default
            values.setdefault("decoder", {}).setdefault("beside", "fused")
        return from_dict(cls, values)
