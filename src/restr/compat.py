"""The choices of the authors' released program, where they differ from the paper's text.

The program has no licence; this states facts about its behaviour and holds none of its code.
"""

from __future__ import annotations

import dataclasses

from restr.config import ClassifierConfig, DecoderConfig, ModelConfig
from restr.presets import restr_base

RELEASED_WORDS = 12_112  # rows of its GloVe table, padding and unknown word included

NORM_EPS = (
    1e-5  # of its LayerNorms outside the ViT: PyTorch's default. After unit length tokens are small, so it matters
)


def released_code(*, vocab: int = RELEASED_WORDS) -> ModelConfig:
    """The config of the released program: ViT-B/16 at 480 x 480 with every choice that departs from the paper.

    | choice | paper (``restr_base``) | released |
    |---|---|---|
    | language blocks | pre-norm | post-norm |
    | short sentences | padding masked | filled up to 20 on the left, attended to; zeros in the fusion |
    | before fusion | patches and words as they are | each at unit length |
    | LayerNorms outside the ViT | eps 1e-6 | 1e-5 |
    | visual-linguistic encoder | last LayerNorm | none; the linguistic-seed encoder has one |
    | classifier | z_v' e_s'^T / sqrt(D) | bias-free maps on both sides, not divided |
    | masked patches | by the probability | by the logit, after the classifier's map |
    | decoder | align_corners free | align_corners=True; last layer without a bias |

    CME-dagger: ``dataclasses.replace(config.fusion, sharing="depth")``.
    """
    config = restr_base(vocab=vocab)
    language = dataclasses.replace(
        config.language,
        padding="left",
        attend_padding=True,
        blocks=dataclasses.replace(config.language.blocks, norm="post", final_norm=False, norm_eps=NORM_EPS),
    )
    fusion = dataclasses.replace(
        config.fusion,
        normalise=True,
        attend_padding=True,
        visual_linguistic=dataclasses.replace(config.fusion.visual_linguistic, final_norm=False, norm_eps=NORM_EPS),
        linguistic_seed=dataclasses.replace(config.fusion.linguistic_seed, norm_eps=NORM_EPS),
    )
    return dataclasses.replace(
        config,
        name="restr_released",
        language=language,
        fusion=fusion,
        classifier=ClassifierConfig(kind="maps"),
        decoder=DecoderConfig(mask_by="logit", order="enlarge_first", align_corners=True, head_bias=False),
    )
