"""Configurations of the encoders: the Transformer, and the vision, language and fusion encoders that consist of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from restr.errors import ConfigError
from restr.fields import at_least, one_of


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """One stack of Transformer blocks. All four encoders of ReSTR are one of these."""

    width: int
    """Width of a token."""
    depth: int
    """Number of blocks."""
    heads: int
    """Attention heads; they divide the width."""
    mlp: int
    """Hidden width of the MLP."""
    layer_scale: bool = False
    """Multiply each residual branch by a learnt vector (DINOv2)."""
    drop_path: float = 0.0
    """Stochastic-depth rate of the deepest block."""
    dropout: float = 0.0
    """Dropout rate in attention and MLP."""
    norm_eps: float = 1e-6
    """Epsilon of the LayerNorms."""
    norm: Literal["pre", "post"] = "pre"
    """LayerNorm before each branch ("pre": the paper, ViT) or after each sum ("post": the released language encoder)."""
    final_norm: bool = True
    """A last LayerNorm, which pre-norm blocks need."""
    shared: bool = False
    """Use one block's weights at every depth (CME-dagger)."""
    attention: Literal["full", "windowed"] = "full"
    """Full, or windowed with a cost linear in the number of patches, see ``restr.nn.windowed``."""
    window: int = 10
    """Side of a window, in patches, of windowed attention."""
    cells: int = 8
    """The rest of the image is seen in cells x cells means, by windowed attention."""

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
    """The vision encoder: a ViT over P x P patches, its class token dropped before fusion."""

    patch: int
    """P, a power of 2."""
    blocks: TransformerConfig
    """Its Transformer."""
    grid: int = 30
    """Side of the stored position embedding, in patches."""
    frozen: bool = False
    """Never train its weights, and always run it in eval mode."""
    taps: tuple[int, ...] = ()
    """Depths (1 is the first block) whose output goes to the fusion beside the last one's.

    The paper has none and fine-tunes the encoder. At its end, a frozen encoder has lost what a sentence may ask for, such
    as colour.
    """
    registers: int = 0
    """Learnt tokens without a place in the image (Darcet et al. 2024)."""

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
    """The language encoder: word vectors, positions, Transformer blocks, then a map to the fusion's width."""

    vocab: int
    """Rows of the word table, including padding (0) and the unknown word (``unknown_row``)."""
    vectors: int
    """Width of a word vector (GloVe: 50, 100 or 300)."""
    blocks: TransformerConfig
    """Its Transformer."""
    max_words: int = 20
    """Words of a sentence that are read."""
    unknown_row: int = 1
    """Row of the unknown word; the words follow it (released code: 3, after its two marks "go" and "eos")."""
    reading: Literal["forgiving", "literal"] = "forgiving"
    """How a sentence becomes words.

    forgiving: without punctuation; shorthand, other forms and misspelt words lead to known words. literal: cut wherever
    letters and digits end, punctuation kept, a final "." dropped; what is not in the vocabulary is unknown (released code).
    """
    train_vectors: bool = False
    """Train the word table; frozen, words without training examples stay near similar words."""
    positions: Literal["sinusoidal", "learnt"] = "sinusoidal"
    """Fixed sinusoids (the paper) or a learnt table."""
    padding: Literal["right", "left"] = "right"
    """The side on which short sentences are padded (released code: left)."""
    attend_padding: bool = False
    """Pad to ``max_words`` and attend to the padding (released code). By default padding is masked and changes no result."""
    class_token: bool = False
    """A learnt token before the words, dropped at the end (BERT)."""
    input_norm: bool = False
    """A LayerNorm on the input of the blocks (BERT)."""

    def __post_init__(self) -> None:
        at_least(self, "unknown_row", 1)
        at_least(self, "vocab", self.unknown_row + 2)
        at_least(self, "vectors", 1)
        at_least(self, "max_words", 1)
        one_of(self, "positions", "padding", "reading")


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """The multimodal fusion encoder (figure 3): visual-linguistic blocks and linguistic-seed blocks."""

    visual_linguistic: TransformerConfig
    """The encoder of patches and words."""
    linguistic_seed: TransformerConfig
    """The encoder of words and class seed."""
    variant: Literal["cme", "ime", "vme"] = "cme"
    """How both are coupled.

    cme: the seed reads words that have seen the image (the paper's model). ime: the seed reads the words as they were.
    vme: one encoder over patches, words and seed, as deep as both together.
    """
    sharing: Literal["none", "depth", "encoders"] = "none"
    """Whether weights are shared.

    depth: one block at every depth of an encoder (CME-dagger as released). encoders: one encoder in both roles (the other
    reading of the paper's text).
    """
    normalise: bool = False
    """Scale patches and words to unit length before they are mapped to D (released code)."""
    attend_padding: bool = False
    """Set padded words to zero and attend to them (released code), instead of masking them."""
    patch_positions: bool = False
    """Add fixed 2-D sinusoids to the patches.

    A frozen vision encoder cannot learn to pass on the place of a patch, which "the left one" needs. The paper fine-tunes
    the encoder instead.
    """

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
