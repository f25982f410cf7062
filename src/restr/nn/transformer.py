"""The one Transformer that serves the vision, language, visual-linguistic and linguistic-seed encoders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from restr.config import TransformerConfig
from restr.nn.attention import Attention, Layout
from restr.nn.shapes import Bool, Float
from restr.nn.windowed import WindowedAttention


class MLP(nn.Module):
    """Two linear layers with a GELU between, applied to each token separately."""

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = dropout

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Each token separately."""
        return self.fc2(F.dropout(F.gelu(self.fc1(tokens)), self.dropout, self.training))


class LayerScale(nn.Module):
    """A learnt factor for each channel of a residual branch (CaiT, Touvron et al. 2021; also in DINOv2)."""

    def __init__(self, width: int, initial: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), initial))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """The branch, scaled."""
        return tokens * self.gamma


class DropPath(nn.Module):
    """Stochastic depth: training drops a residual branch for a random share of the batch's rows (Huang et al. 2016)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """The branch, scaled so that its mean stays the same."""
        if not self.training or self.rate == 0.0:
            return branch
        kept = branch.new_empty((branch.shape[0], 1, 1)).bernoulli_(1.0 - self.rate)
        return branch * kept / (1.0 - self.rate)


class Block(nn.Module):
    """A Transformer block: z' = MSA(LN(z)) + z; z_next = MLP(LN(z')) + z' (paper, section 3.1).

    Post-norm (Vaswani et al. 2017): z' = LN(MSA(z) + z); z_next = LN(MLP(z') + z').
    """

    def __init__(self, config: TransformerConfig, drop_path: float) -> None:
        super().__init__()
        width = config.width
        self.norm1 = nn.LayerNorm(width, eps=config.norm_eps)
        self.attn = build_attention(config)
        self.ls1 = LayerScale(width) if config.layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=config.norm_eps)
        self.mlp = MLP(width, config.mlp, dropout=config.dropout)
        self.ls2 = LayerScale(width) if config.layer_scale else nn.Identity()
        self.drop_path = DropPath(drop_path)
        self.post_norm = config.norm == "post"

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        key_mask: Bool[Tensor, "#b 1 1 n"] | None = None,
        layout: Layout | None = None,
    ) -> Float[Tensor, "b n d"]:
        """key_mask: True where a token may be attended to. layout: where the patches stand, if any are among the tokens."""
        if self.post_norm:
            tokens = self.norm1(tokens + self.drop_path(self.ls1(self.attn(tokens, key_mask, layout))))
            return self.norm2(tokens + self.drop_path(self.ls2(self.mlp(tokens))))
        tokens = tokens + self.drop_path(self.ls1(self.attn(self.norm1(tokens), key_mask, layout)))
        return tokens + self.drop_path(self.ls2(self.mlp(self.norm2(tokens))))


class Transformer(nn.Module):
    """A stack of blocks and, if the config says so, a last LayerNorm.

    Padding is masked in attention, so it can never change a result. ``recompute``: training keeps only the input of each
    block and computes the rest again for the gradient.
    """

    recompute = False

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        deepest = max(config.depth - 1, 1)
        different = min(config.depth, 1) if config.shared else config.depth
        self.depth = config.depth
        self.blocks = nn.ModuleList(Block(config, config.drop_path * i / deepest) for i in range(different))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps) if config.final_norm else nn.Identity()

    def in_order(self) -> list[nn.Module]:
        """The block of each depth; with shared weights the same one every time."""
        return [self.blocks[depth % len(self.blocks)] for depth in range(self.depth)]

    def forward(
        self,
        tokens: Float[Tensor, "b n d"],
        padding: Bool[Tensor, "b n"] | None = None,
        layout: Layout | None = None,
    ) -> Float[Tensor, "b n d"]:
        """padding: True = padding. layout: where the patches stand, if any are among the tokens."""
        key_mask = None if padding is None else ~padding[:, None, None, :]
        for block in self.in_order():
            tokens = self.run_block(block, tokens, key_mask, layout)
        return self.norm(tokens)

    def run_block(
        self, block: nn.Module, tokens: Tensor, key_mask: Tensor | None = None, layout: Layout | None = None
    ) -> Tensor:
        """tokens (b n d) through one block."""
        if self.recompute and self.training:
            return checkpoint(block, tokens, key_mask, layout, use_reentrant=False)
        return block(tokens, key_mask, layout)


def build_attention(config: TransformerConfig) -> Attention:
    """The kind of attention that the config names."""
    if config.attention == "windowed":
        return WindowedAttention(
            config.width, config.heads, window=config.window, cells=config.cells, dropout=config.dropout
        )
    return Attention(config.width, config.heads, dropout=config.dropout)


def initialise(module: nn.Module) -> None:
    """Linear weights of half the variance-keeping scale, 0.5 / sqrt(fan-in); biases 0. Use with ``Module.apply``.

    At ViT's width of 768 that is ViT's 0.02. At 256 or 64, a plain 0.02 leaves attention nearly uniform: the few words
    among hundreds of patches then have no effect for thousands of steps (measured in ``recipes/restr_small``).
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.5 * module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
