"""Checkpoints of the released program by its own names and shapes, and its forward pass in NumPy over these names.

The names and shapes are written down here, not taken from restr's state dict, so that the renaming is tested too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

import reference
from restr.config import ModelConfig, TransformerConfig
from restr.presets import restr_released

Shapes = dict[str, tuple[int, ...]]
EPS = 1e-5


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a checkpoint; the defaults are the program's."""

    width: int = 768
    mlp: int = 3072
    heads: int = 12
    patch: int = 16
    grid: int = 30
    depth: int = 12
    rows: int = 12_112
    vectors: int = 300
    word_mlp: int = 1200
    word_depth: int = 6
    word_heads: int = 12
    stored: tuple[int, int] = (2, 2)
    """Blocks of the two fusion encoders; (1, 1) where one serves both depths."""
    classes: int = 1000
    decoder: bool = True

    def shapes(self) -> Shapes:
        """Every tensor of ``model.state_dict()``."""
        d, p = self.width, self.patch
        found: Shapes = {
            "encoder_v.cls_token": (1, 1, d),
            "encoder_v.pos_embed": (1, 1 + self.grid**2, d),
            "encoder_v.patch_embed.proj.weight": (d, 3, p, p),
            "encoder_v.patch_embed.proj.bias": (d,),
            **dict(_blocks("encoder_v.blocks", self.depth, d, self.mlp)),
            **_norm("encoder_v.norm", d),
            "encoder_v.head.weight": (self.classes, d),
            "encoder_v.head.bias": (self.classes,),
            "encoder_l.embedding.weight": (self.rows, self.vectors),
            **dict(_blocks("encoder_l.blocks", self.word_depth, self.vectors, self.word_mlp)),
            "encoder_l.proj_lang.weight": (d, self.vectors),
            "encoder_l.proj_lang.bias": (d,),
            **_norm("encoder_l.lang_norm", d),
            "fusion_module.seed_emb": (1, 1, d),
            "fusion_module.proj_patch": (d, d),
            "fusion_module.proj_cls": (d, d),
            **dict(_blocks("fusion_module.blocks_vl", self.stored[0], d, self.mlp)),
            **dict(_blocks("fusion_module.blocks_ls", self.stored[1], d, self.mlp)),
            **_norm("fusion_module.norm", d),
        }
        for name in ("proj_v", "proj_l"):
            found |= {f"fusion_module.{name}.weight": (d, d), f"fusion_module.{name}.bias": (d,)}
        if self.decoder:
            blocks = p.bit_length() - 1
            for i in range(blocks):
                found[f"fusion_module.decoder.{i}.up.1.weight"] = (2 * d >> i + 1, 2 * d >> i, 1, 1)
            found[f"fusion_module.decoder.{blocks}.weight"] = (1, 2 * d >> blocks, 1, 1)
        return found

    def checkpoint(self, seed: int = 0) -> reference.Weights:
        """Random weights in float32, for which patch logits and logits have a standard deviation of 1."""
        rng = np.random.default_rng(seed)
        w: reference.Weights = {}
        for name, shape in self.shapes().items():
            values = rng.standard_normal(shape)
            if "norm" in name and name.endswith("weight"):
                values = 1 + 0.2 * values
            elif name.endswith("bias"):
                values *= 0.2
            elif len(shape) in (2, 4):  # a matrix or a convolution
                values *= 1.5 * np.prod(shape[1:]) ** -0.5
            w[name] = values.astype(np.float32)
        w["encoder_l.embedding.weight"] = (0.7 * rng.standard_normal((self.rows, self.vectors))).astype(np.float32)
        pixels, ids = self.inputs()
        w["fusion_module.proj_cls"] /= np.float32(self.forward(w, pixels, ids)[1].std())
        if self.decoder:
            last = max(name for name in w if name.startswith("fusion_module.decoder."))
            w[last] /= np.float32(self.forward(w, pixels, ids)[0].std())
        return w

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """An image (3 H W) and 20 ids, padded on the left, with every special row among them."""
        rng = np.random.default_rng(1)
        ids = np.zeros(20, np.int64)
        ids[13:] = [4, 3, 1, self.rows - 1, 2, 3, 5]
        return rng.standard_normal((3, self.grid * self.patch, self.grid * self.patch)), ids

    def forward(self, w: reference.Weights, pixels: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (H W), or those of the patches without a decoder, and patch logits (n), in float64."""
        w = {name: value.astype(np.float64) for name, value in w.items()}
        z_v = reference.vision(
            reference.under(w, "encoder_v."),
            pixels,
            w["encoder_v.pos_embed"][0, 1:],
            depth=self.depth,
            heads=self.heads,
            eps=EPS,
        )
        z_l = w["encoder_l.embedding.weight"][ids] + reference.sinusoids(len(ids), self.vectors)
        for i in range(self.word_depth):
            z_l = reference.block(reference.under(w, f"encoder_l.blocks.{i}."), z_l, self.word_heads, "post", EPS)
        z_l = reference.layer_norm(w, "encoder_l.lang_norm", reference.linear(w, "encoder_l.proj_lang", z_l), EPS)

        f = reference.under(w, "fusion_module.")
        z_v = reference.linear(f, "proj_v", reference.unit(z_v))
        z_l = reference.linear(f, "proj_l", reference.unit(z_l)) * (ids != 0)[:, None]
        tokens = self._stack(f, "blocks_vl", 0, np.concatenate([z_v, z_l]))
        seen, heard = tokens[: len(z_v)], tokens[len(z_v) :]
        seed = self._stack(f, "blocks_ls", 1, np.concatenate([heard, f["seed_emb"][0]]))
        seed = reference.layer_norm(f, "norm", seed, EPS)[-1:]

        judged = seen @ f["proj_patch"]
        patch_logits = (judged @ (seed @ f["proj_cls"]).T)[:, 0]
        if not self.decoder:
            return patch_logits, patch_logits
        x = np.concatenate([z_v, judged * patch_logits[:, None]], axis=1).reshape(self.grid, self.grid, -1)
        for i in range(self.patch.bit_length() - 1):
            x = reference.enlarge(x, align_corners=True) @ f[f"decoder.{i}.up.1.weight"][:, :, 0, 0].T
            x = np.where(x > 0, x, 0.01 * x)
        return (x @ f[f"decoder.{i + 1}.weight"][0, :, 0, 0]), patch_logits

    def _stack(self, f: reference.Weights, name: str, number: int, z: np.ndarray) -> np.ndarray:
        for i in range(2):  # the depth; a shared block is applied twice
            z = reference.block(reference.under(f, f"{name}.{i % self.stored[number]}."), z, self.heads, eps=EPS)
        return z

    def config(self) -> ModelConfig:
        """``restr_released`` at these widths; all that is read from the file stays the program's own."""
        theirs = restr_released()

        def of(blocks: TransformerConfig, **sizes: int) -> TransformerConfig:
            return replace(blocks, **sizes)  # type: ignore[arg-type]

        wide = {"width": self.width, "mlp": self.mlp, "heads": self.heads}
        words = {"width": self.vectors, "mlp": self.word_mlp, "heads": self.word_heads, "depth": self.word_depth}
        return replace(
            theirs,
            vision=replace(theirs.vision, blocks=of(theirs.vision.blocks, depth=self.depth, **wide)),
            language=replace(theirs.language, vectors=self.vectors, blocks=of(theirs.language.blocks, **words)),
            fusion=replace(
                theirs.fusion,
                visual_linguistic=of(theirs.fusion.visual_linguistic, **wide),
                linguistic_seed=of(theirs.fusion.linguistic_seed, **wide),
            ),
            decoder=replace(theirs.decoder, min_channels=1),
        )


SMALL = Sizes(
    width=32, mlp=48, heads=4, grid=3, depth=2, rows=40, vectors=12, word_mlp=20, word_depth=2, word_heads=3, classes=5
)


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _blocks(name: str, depth: int, width: int, mlp: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for i in range(depth):
        yield from _norm(f"{name}.{i}.norm1", width).items()
        yield from _norm(f"{name}.{i}.norm2", width).items()
        for layer, rows, columns in (
            ("attn.qkv", 3 * width, width),
            ("attn.proj", width, width),
            ("mlp.fc1", mlp, width),
            ("mlp.fc2", width, mlp),
        ):
            yield f"{name}.{i}.{layer}.weight", (rows, columns)
            yield f"{name}.{i}.{layer}.bias", (rows,)
