"""The language encoder: word vectors and positions through Transformer blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restr.config import LanguageConfig
from restr.nn.positions import sinusoidal_positions
from restr.nn.shapes import Bool, Float, Int
from restr.nn.transformer import Transformer
from restr.text.vocabulary import PADDING


class LanguageEncoder(nn.Module):
    """Word vectors plus positions, ``depth`` blocks, then a linear map to the common width D and LN.

    The unknown word has a vector of its own, which is trained even if the table is frozen.
    """

    def __init__(self, config: LanguageConfig, width: int) -> None:
        super().__init__()
        self.config = config
        inner = config.blocks.width
        self.vectors = nn.Embedding(config.vocab, config.vectors, padding_idx=PADDING)
        self.vectors.weight.requires_grad_(config.train_vectors)
        self.unknown = nn.Parameter(torch.randn(config.vectors) * 0.02)
        self.proj_in = nn.Identity() if inner == config.vectors else nn.Linear(config.vectors, inner)
        self.cls_token = nn.Parameter(torch.randn(1, 1, inner) * 0.02) if config.class_token else None
        self.norm_in = nn.LayerNorm(inner, eps=config.blocks.norm_eps) if config.input_norm else nn.Identity()
        self.encoder = Transformer(config.blocks)
        self.proj_out = nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width)
        if config.positions == "learnt":
            self.positions = nn.Parameter(torch.randn(config.max_words, inner) * 0.02)
        else:
            self.register_buffer("positions", torch.empty(config.max_words, inner), persistent=False)
        self.reset_positions()

    def reset_positions(self) -> None:
        """Fill in fixed positions. They are not saved, so a model that was built unfilled needs this after loading."""
        if self.config.positions == "sinusoidal":
            self.positions = sinusoidal_positions(*self.positions.shape)  # type: ignore[misc]

    def forward(self, ids: Int[Tensor, "b l"], padding: Bool[Tensor, "b l"]) -> Float[Tensor, "b l D"]:
        """ids: rows of the word table. padding: True = padding."""
        unknown = (ids == self.config.unknown_row)[..., None]
        vectors = torch.where(unknown, self.unknown.to(self.vectors.weight.dtype), self.vectors(ids))
        tokens = self.proj_in(vectors) + self.positions[: ids.shape[1]]  # type: ignore[index]
        first = 0
        if self.cls_token is not None:
            first = 1
            tokens = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1).to(tokens.dtype), tokens], dim=1)
            padding = torch.cat([torch.zeros_like(padding[:, :1]), padding], dim=1)
        tokens = self.encoder(self.norm_in(tokens), None if self.config.attend_padding else padding)
        return self.norm(self.proj_out(tokens[:, first:]))
