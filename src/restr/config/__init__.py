"""Configurations: frozen dataclasses that mirror the modules, saved as JSON beside the weights."""

from restr.config.encoders import FusionConfig, LanguageConfig, TransformerConfig, VisionConfig
from restr.config.model import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ClassifierConfig,
    DecoderConfig,
    ModelConfig,
    PreprocessConfig,
    PresenceConfig,
    ScoreConfig,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "ClassifierConfig",
    "DecoderConfig",
    "FusionConfig",
    "LanguageConfig",
    "ModelConfig",
    "PreprocessConfig",
    "PresenceConfig",
    "ScoreConfig",
    "TransformerConfig",
    "VisionConfig",
]
