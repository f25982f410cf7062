"""A model small enough to be exported in seconds, and its exports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from restr.config import ModelConfig, PresenceConfig, ScoreConfig, TransformerConfig
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary

WORDS = Vocabulary(["the", "left", "right", "red", "blue", "circle", "square", "on"])


def shallow_config(**fusion: Any) -> ModelConfig:
    """``restr_tiny`` with one block per encoder: an exporter's time grows with the depth, its faults do not."""

    def one(blocks: TransformerConfig) -> TransformerConfig:
        return replace(blocks, depth=1)

    config = restr_tiny(vocab=len(WORDS))
    return replace(
        config,
        vision=replace(config.vision, blocks=replace(config.vision.blocks, depth=2), taps=(1,)),
        fusion=replace(
            config.fusion,
            visual_linguistic=one(config.fusion.visual_linguistic),
            linguistic_seed=one(config.fusion.linguistic_seed),
            **fusion,
        ),
    )


def with_presence(least: float = 0.5) -> ModelConfig:
    """``shallow_config`` with a presence head, of this threshold, and a calibrated score."""
    return replace(
        shallow_config(),
        presence=PresenceConfig(kind="region", threshold=least),
        score=ScoreConfig(bias=-0.5, certainty=0.8, presence=0.6),
    )


def shallow_model(config: ModelConfig | None = None) -> ReSTR:
    """Untrained, but with masks that are neither empty nor full: the last layer's logits are spread around 0."""
    model = build_model(config or shallow_config(), seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
        head = getattr(model.decoder, "head", None)
        if head is not None:
            torch.manual_seed(0)
            ids = torch.randint(2, len(WORDS), (2, 4))
            logits = model(torch.randn(2, 3, 64, 64), ids).logits
            head.weight.div_(logits.std())
            if head.bias is not None:
                head.bias.copy_((head.bias - logits.mean()) / logits.std())
    return model
