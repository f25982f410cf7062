"""Presets: functions that return a config. A preset's docstring is its lab notebook."""

from __future__ import annotations

from collections.abc import Callable

from restr.config import (
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

    P = 4: shapes of 14 to 28 pixels need borders finer than the bilinear decoder draws from 8 (over-fitting stops
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

    The recipe trains all of it but the word table. See ``recipes/restr_small/`` for the commands, the cost and the measured scores.
    """

    def fusion(depth: int) -> TransformerConfig:
        return TransformerConfig(width=384, depth=depth, heads=6, mlp=768)

    return ModelConfig(
        name="restr_small",
        vision=VisionConfig(
            patch=16,
            grid=30,
            frozen=True,  # for whoever fine-tunes it; the recipe trains it too
            taps=(4,),  # colour: a linear probe finds it here, not after the last block (recipes/restr_small/probe.py)
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
        decoder=DecoderConfig(beside="fused"),  # the decoder then need not find in z_masked alone what is meant
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


PRESETS: dict[str, Callable[..., ModelConfig]] = {f.__name__: f for f in (restr_tiny, restr_small, restr_base)}


def preset(name: str, **settings: int) -> ModelConfig:
    """The named preset. Raises ``ConfigError`` with the known names."""
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name](**settings)
