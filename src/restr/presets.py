"""Presets: functions that return a config. A preset's docstring says how it was chosen, and where it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
from restr.config.settings import with_settings
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
    """The paper's model: ViT-B/16 at 480 x 480, GloVe 300-d, 6 language blocks, CME 2 + 2, D = 768.

    Parameters: 133.2 million, 9 of them the table of 30,002 words. Cost: 112.9 GMAC, for one picture and one sentence of 20
    words. Nobody here has trained it or its variants to the end.

    restr train --config recipes/refcoco/config.toml --root DATA --vision VIT --vectors GLOVE --out runs/refcoco
    """
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


def restr_base_dagger(*, vocab: int = 30_002) -> ModelConfig:
    """The paper's CME-dagger: ``restr_base`` with one block's weights at both depths of each fusion encoder.

    Parameters: 119.0 million. Cost: 112.9 GMAC. Sharing saves weights, not work; the published 114.8 million are with 12,112
    words and the released classifier (``restr_released`` with ``fusion.sharing=depth``). The text's other reading, one
    encoder in both roles, is ``fusion.sharing=encoders``.

    restr train --config recipes/refcoco/config.toml --preset restr_base_dagger --root DATA --vision VIT --vectors GLOVE
    --out runs/dagger
    """
    return _restr_base_with("restr_base_dagger", vocab, {"fusion.sharing": "depth"})


def restr_base_ime(*, vocab: int = 30_002) -> ModelConfig:
    """The paper's IME, for comparison: ``restr_base`` whose seed reads the words as they were before they met the image.

    Parameters: 133.2 million. Cost: 112.9 GMAC. The same weights and work as CME: only what the linguistic-seed encoder reads
    differs.

    restr train --config recipes/refcoco/config.toml --preset restr_base_ime --root DATA --vision VIT --vectors GLOVE
    --out runs/ime
    """
    return _restr_base_with("restr_base_ime", vocab, {"fusion.variant": "ime"})


def restr_base_vme(*, vocab: int = 30_002) -> ModelConfig:
    """The paper's VME, for comparison: ``restr_base`` with one encoder of 4 blocks over patches, words and seed.

    Parameters: 133.2 million. Cost: 128.3 GMAC. All 4 blocks see the patches; in CME only 2 do. The paper's reason for CME is
    the seed's attention here: it drifts to the patches, which are many.

    restr train --config recipes/refcoco/config.toml --preset restr_base_vme --root DATA --vision VIT --vectors GLOVE
    --out runs/vme
    """
    return _restr_base_with("restr_base_vme", vocab, {"fusion.variant": "vme"})


def restr_base_p8_windowed(*, vocab: int = 30_002) -> ModelConfig:
    """The paper's future work: ``restr_base`` with P = 8 at 480, and attention whose cost is linear in the patches.

    Parameters: 134.8 million. Cost: 386.3 GMAC, against 652.2 with full attention. Four times the patches of ``restr_base``:
    windows of 10 x 10 and 8 x 8 cells in the vision and the visual-linguistic encoder (``docs/variants.md``). A ViT with P =
    16 fits: its patch embedding and positions are resampled.

    restr train --config recipes/refcoco/config.toml --preset restr_base_p8_windowed --root DATA --vision VIT --vectors GLOVE
    --recompute --out runs/p8
    """
    settings = {
        "vision.patch": 8,
        "vision.grid": 60,
        "vision.blocks.attention": "windowed",
        "fusion.visual_linguistic.attention": "windowed",
    }
    return _restr_base_with("restr_base_p8_windowed", vocab, settings)


def _restr_base_with(name: str, vocab: int, settings: Mapping[str, bool | float | str]) -> ModelConfig:
    return with_settings(restr_base(vocab=vocab), {"name": name, **settings})


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
    settings = {
        "vision.blocks.norm_eps": RELEASED_NORM_EPS,
        "language.unknown_row": 3,
        "language.reading": "literal",
        "language.padding": "left",
        "language.attend_padding": True,
        "language.blocks.norm": "post",
        "language.blocks.final_norm": False,
        "language.blocks.norm_eps": RELEASED_NORM_EPS,
        "fusion.normalise": True,
        "fusion.attend_padding": True,
        "fusion.visual_linguistic.final_norm": False,
        "fusion.visual_linguistic.norm_eps": RELEASED_NORM_EPS,
        "fusion.linguistic_seed.norm_eps": RELEASED_NORM_EPS,
        "classifier.kind": "maps",
        "decoder.mask_by": "logit",
        "decoder.order": "enlarge_first",
        "decoder.align_corners": True,
        "decoder.bias": False,
        "decoder.head_bias": False,
        "preprocess.place": "centre",
    }
    return _restr_base_with("restr_released", vocab, settings)


PRESETS: dict[str, Callable[..., ModelConfig]] = {
    f.__name__: f
    for f in (
        restr_tiny,
        restr_small,
        restr_base,
        restr_base_dagger,
        restr_base_ime,
        restr_base_vme,
        restr_base_p8_windowed,
        restr_released,
    )
}


def preset(name: str, **settings: int) -> ModelConfig:
    """The named preset. Raises ``ConfigError`` with the known names."""
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name](**settings)
