"""Presets: functions that return a config. A preset's docstring says how it was chosen, and where it is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from restr.config import (
    ClassifierConfig,
    DecoderConfig,
    FusionConfig,
    LanguageConfig,
    ModelConfig,
    PreprocessConfig,
    PresenceConfig,
    TransformerConfig,
    VisionConfig,
)
from restr.errors import ConfigError


def restr_tiny(*, vocab: int = 512) -> ModelConfig:
    """A model for tests and the generated scenes: learns in seconds to minutes on a CPU.

    P = 4: shapes of 14 to 28 pixels need finer borders than the bilinear decoder draws with P = 8 (over-fitting stops
    at an IoU of 0.80 there). See ``recipes/restr_tiny/`` for commands, cost and measured scores.
    """

    def blocks(depth: int) -> TransformerConfig:
        return TransformerConfig(width=64, depth=depth, heads=2, mlp=128)

    return ModelConfig(
        name="restr_tiny",
        vision=VisionConfig(patch=4, grid=16, blocks=blocks(3)),
        language=LanguageConfig(
            vocab=vocab,
            vectors=32,
            max_words=16,
            train_vectors=True,
            blocks=TransformerConfig(width=32, depth=1, heads=4, mlp=96),
        ),
        fusion=FusionConfig(visual_linguistic=blocks(3), linguistic_seed=blocks(2), patch_positions=True),
        decoder=DecoderConfig(beside="fused"),
        preprocess=PreprocessConfig(size=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    )


def restr_small(*, vocab: int = 9_780) -> ModelConfig:
    """The bundled model: a ViT-S in DINOv2 layout, a small BERT's word table and first blocks, fusion width 384.

    The recipe trains everything except the word table. See ``recipes/restr_small/`` for commands, cost and measured scores.
    """

    def fusion(depth: int) -> TransformerConfig:
        return TransformerConfig(width=384, depth=depth, heads=6, mlp=768)

    return ModelConfig(
        name="restr_small",
        vision=VisionConfig(
            patch=16,
            grid=30,
            frozen=True,  # for fine-tuning; the recipe trains it
            taps=(4,),  # a linear probe finds colour here, not after the last block (recipes/restr_small/probe.py)
            blocks=TransformerConfig(width=384, depth=12, heads=6, mlp=1536, layer_scale=True, drop_path=0.1),
        ),
        language=LanguageConfig(
            vocab=vocab,
            vectors=384,
            max_words=30,
            positions="learnt",
            class_token=True,
            input_norm=True,
            blocks=TransformerConfig(
                width=384, depth=3, heads=12, mlp=1536, norm="post", final_norm=False, norm_eps=1e-12
            ),
        ),
        fusion=FusionConfig(visual_linguistic=fusion(5), linguistic_seed=fusion(1), patch_positions=True),
        decoder=DecoderConfig(beside="fused"),  # else the decoder sees the fused patches only through z_masked
        presence=PresenceConfig(kind="region"),
    )


def restr_base(*, vocab: int = 30_002) -> ModelConfig:
    """The paper's model: ViT-B/16 at 480 x 480, GloVe 300-d, 6 language blocks, CME 2 + 2, D = 768."""
    fusion = TransformerConfig(width=768, depth=2, heads=12, mlp=3072)
    return ModelConfig(
        name="restr_base",
        vision=VisionConfig(
            patch=16,
            grid=30,
            blocks=TransformerConfig(width=768, depth=12, heads=12, mlp=3072, drop_path=0.1),
        ),
        language=LanguageConfig(
            vocab=vocab,
            vectors=300,
            train_vectors=True,
            blocks=TransformerConfig(width=300, depth=6, heads=12, mlp=1200),
        ),
        fusion=FusionConfig(visual_linguistic=fusion, linguistic_seed=fusion),
        preprocess=PreprocessConfig(size=480, fit="letterbox", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    )


RELEASED_WORDS = 12_112  # rows of the released program's GloVe table: padding, "go", "eos", the unknown word, words
# Of all its LayerNorms, PyTorch's default. It matters: with timm's 1e-6 in the ViT alone, logits differ by 4% of their std.
RELEASED_NORM_EPS = 1e-5


def restr_released(*, vocab: int = RELEASED_WORDS) -> ModelConfig:
    """The authors' released program: ViT-B/16 at 480 x 480, with every choice that departs from the paper's text.

    | choice | paper (``restr_base``) | released |
    |---|---|---|
    | language blocks | pre-norm | post-norm |
    | short sentences | padding masked | padded to 20 on the left, attended to; zeros in the fusion |
    | before fusion | patches and words as they are | each at unit length |
    | words | spelling forgiven, row 1 unknown | cut at `(\\W+)`, looked up as they are, row 3 unknown |
    | letterbox | in the corner | in the centre |
    | LayerNorms | eps 1e-6 | 1e-5 |
    | visual-linguistic encoder | last LayerNorm | none; the linguistic-seed encoder has one |
    | classifier | z_v' e_s'^T / sqrt(D) | bias-free maps on both sides, not divided |
    | masked patches | by the probability | by the logit, after the classifier's map |
    | decoder | align_corners free | align_corners=True; no layer has a bias |

    CME-dagger: ``dataclasses.replace(config.fusion, sharing="depth")``. The program has no licence; this states facts about
    its behaviour and holds none of its code. ``restr convert-checkpoint`` reads its weights.
    """
    config = restr_base(vocab=vocab)
    vision = dataclasses.replace(
        config.vision, blocks=dataclasses.replace(config.vision.blocks, norm_eps=RELEASED_NORM_EPS)
    )
    language = dataclasses.replace(
        config.language,
        unknown_row=3,
        reading="literal",
        padding="left",
        attend_padding=True,
        blocks=dataclasses.replace(config.language.blocks, norm="post", final_norm=False, norm_eps=RELEASED_NORM_EPS),
    )
    fusion = dataclasses.replace(
        config.fusion,
        normalise=True,
        attend_padding=True,
        visual_linguistic=dataclasses.replace(
            config.fusion.visual_linguistic, final_norm=False, norm_eps=RELEASED_NORM_EPS
        ),
        linguistic_seed=dataclasses.replace(config.fusion.linguistic_seed, norm_eps=RELEASED_NORM_EPS),
    )
    return dataclasses.replace(
        config,
        name="restr_released",
        vision=vision,
        language=language,
        fusion=fusion,
        classifier=ClassifierConfig(kind="maps"),
        decoder=DecoderConfig(mask_by="logit", order="enlarge_first", align_corners=True, bias=False, head_bias=False),
        preprocess=dataclasses.replace(config.preprocess, place="centre"),
    )


PRESETS: dict[str, Callable[..., ModelConfig]] = {
    f.__name__: f for f in (restr_tiny, restr_small, restr_base, restr_released)
}


def preset(name: str, **settings: int) -> ModelConfig:
    """The named preset. Raises ``ConfigError`` with the known names."""
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name](**settings)
