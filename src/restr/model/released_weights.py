"""Weights of the authors' released program in this project's model.

This module knows only names and layouts, which are facts: the program has no licence, and none of its code is part of
restr. The preset ``restr.presets.restr_released`` computes the same as the program.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from restr.config import FusionConfig, LanguageConfig, ModelConfig
from restr.errors import ConfigError, WeightsError
from restr.files import read_lines
from restr.model.build import Unfilled, build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import timm_names
from restr.model.weights import load_state, read_tensors, read_untrusted, save_pretrained
from restr.text.vocabulary import Vocabulary

# Released name -> ours; the first that matches.
_NAMES = (
    (r"encoder_l\.embedding\.weight", "language.vectors.weight"),
    (r"encoder_l\.blocks\.(\d+)\.(.*)", r"language.encoder.blocks.\1.\2"),
    (r"encoder_l\.proj_lang\.(weight|bias)", r"language.proj_out.\1"),
    (r"encoder_l\.lang_norm\.(weight|bias)", r"language.norm.\1"),
    (r"fusion_module\.proj_v\.(weight|bias)", r"fusion.proj_vision.\1"),
    (r"fusion_module\.proj_l\.(weight|bias)", r"fusion.proj_words.\1"),
    (r"fusion_module\.seed_emb(?:\.weight)?", "fusion.seed"),
    (r"fusion_module\.proj_patch(?:\.weight)?", "classifier.proj_patch.weight"),
    (r"fusion_module\.proj_cls(?:\.weight)?", "classifier.proj_seed.weight"),
    (r"fusion_module\.norm\.(weight|bias)", r"fusion.linguistic_seed.norm.\1"),
)
# The stacks of the two fusion encoders, with "vl" or "ls" as a word of their names; a single block may have no number.
_STACK = re.compile(r"fusion_module\.(?:\w+_)?(vl|ls)(?:_\w+)?\.(?:blocks\.)?(?:(\d+)\.)?([a-z]\w*\..+)")
_STACKS = {"vl": "visual_linguistic", "ls": "linguistic_seed"}
# Word and fusion blocks may carry timm's inner names or nn.TransformerEncoderLayer's.
_INNER = (
    (r"\.self_attn\.in_proj_", ".attn.qkv."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.linear([12])\.", r".mlp.fc\1."),
)
_DECODER = re.compile(r"fusion_module\.decoder\.(\d+)\.(?:\w+\.)*(weight|bias)")
_LEFT_OUT = re.compile(r"encoder_v\.head\.(weight|bias)")  # ImageNet's classes; the program never computes them


def convert_released(path: Path, out: Path, config: ModelConfig, *, vocabulary: Path | None) -> ReSTR:
    """Write a model folder with the weights of a checkpoint and the words of the program's vocabulary file.

    config: see ``load_released``. Returns the model, in eval mode. Raises ``ConfigError`` if ``out`` is not free, and
    ``WeightsError`` if the files are no such checkpoint, or do not belong together.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty; name a new folder")
    state = _read_state(path)
    rows = len(_needed(state, "language.vectors.weight"))
    if vocabulary is None:
        raise WeightsError(
            f"{path} has a table of {rows:,} word vectors but no words; give the vocabulary file that the program was "
            f"trained with, {rows:,} lines: --vocabulary FILE"
        )
    words = read_released_words(vocabulary, rows, config.language)
    model = _built(config, state)
    save_pretrained(model, words, out)
    return model


def load_released(path: str | Path, config: ModelConfig) -> ReSTR:
    """A model, in eval mode, with the weights of a checkpoint of the released program (``.pth`` or ``.safetensors``).

    config: ``restr.presets.restr_released()``. From the file come the rows of its word table, the patch and the input
    size, the depths of the fusion encoders, whether their blocks are shared over depth, and whether there is a decoder.
    Raises ``WeightsError`` with every difference. Nothing in the file is executed.
    """
    return _built(config, _read_state(Path(path)))


def read_released_words(path: Path, rows: int, language: LanguageConfig) -> Vocabulary:
    """The words of the program's vocabulary file, whose lines are the rows of its word table.

    Empty lines, repeated words and words with spaces keep their rows. Raises ``WeightsError`` if the numbers differ.
    """
    try:
        lines = [line.strip() for line in read_lines(path)]
    except (OSError, UnicodeError) as error:
        raise WeightsError(
            f"cannot read the vocabulary {path} ({error}); expected UTF-8 text, a word per line"
        ) from error
    if len(lines) != rows:
        raise WeightsError(
            f"{path} has {len(lines):,} lines, the checkpoint's word table has {rows:,} rows; every row is a line, also of "
            'padding, "go", "eos" and the unknown word: bring the file that the checkpoint was trained with'
        )
    empty = Vocabulary(()).of(language)
    return empty.extended(lines[empty.first_row :])


def rename_state(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state under this project's names and layouts, without the ViT's head.

    Names that are unknown, or mean the same as another one, are kept, so that ``load_state`` reports them.
    """
    layers = sorted({int(found[1]) for found in map(_DECODER.fullmatch, theirs) if found})
    state: dict[str, Tensor] = {}
    vision: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        if _LEFT_OUT.fullmatch(name):
            continue
        if name.startswith("encoder_v."):
            vision[name.removeprefix("encoder_v.")] = tensor
            continue
        ours = _our_name(name, layers)
        if ours == "fusion.seed":
            tensor = tensor.reshape(1, 1, -1)
        elif ours.startswith("classifier.") and not name.endswith(".weight"):
            tensor = tensor.T  # a bare matrix there, tokens times it; a linear layer here
        elif ours.startswith("decoder.") and tensor.ndim == 4:
            tensor = tensor.flatten(1)  # a 1 x 1 convolution is a linear layer
        state[name if ours in state else ours] = tensor.contiguous()
    return state | {f"vision.{name}": tensor for name, tensor in timm_names(vision).items()}


def fit_config(config: ModelConfig, state: Mapping[str, Tensor]) -> ModelConfig:
    """``config`` with what can be read from a renamed state, see ``load_released``."""
    rows = len(_needed(state, "language.vectors.weight"))
    patch = _needed(state, "vision.patch_embed.proj.weight").shape[-1]
    places = _needed(state, "vision.pos_embed").shape[1] - 1
    grid = math.isqrt(places)
    if grid * grid != places or not grid:
        raise WeightsError(
            f"encoder_v.pos_embed has {places + 1} places; expected a square and one for the class token"
        )
    return dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, patch=patch, grid=grid),
        language=dataclasses.replace(config.language, vocab=rows),
        fusion=_fit_fusion(config, state),
        decoder=dataclasses.replace(
            config.decoder,
            kind="coarse_to_fine" if any(name.startswith("decoder.") for name in state) else "none",
            bias="decoder.blocks.0.proj.bias" in state,
            head_bias="decoder.head.bias" in state,
        ),
        preprocess=dataclasses.replace(config.preprocess, size=grid * patch),
    )


def _fit_fusion(config: ModelConfig, state: Mapping[str, Tensor]) -> FusionConfig:
    stored = [
        len({name.split(".")[3] for name in state if name.startswith(f"fusion.{stack}.blocks.")})
        for stack in _STACKS.values()
    ]
    if not all(stored):
        raise WeightsError(
            f"the checkpoint has {stored[0]} visual-linguistic and {stored[1]} linguistic-seed blocks (fusion_module.*vl*, "
            "fusion_module.*ls*); expected at least one of each: save the whole model.state_dict()"
        )
    fusion = config.fusion
    if stored == [1, 1] and (fusion.visual_linguistic.depth, fusion.linguistic_seed.depth) != (1, 1):
        return dataclasses.replace(fusion, sharing="depth")
    return dataclasses.replace(
        fusion,
        sharing="none",
        visual_linguistic=dataclasses.replace(fusion.visual_linguistic, depth=stored[0]),
        linguistic_seed=dataclasses.replace(fusion.linguistic_seed, depth=stored[1]),
    )


def _read_state(path: Path) -> dict[str, Tensor]:
    """A checkpoint's state under this project's names."""
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; name a checkpoint of the released program")
    content = read_tensors(path) if path.suffix == ".safetensors" else read_untrusted(path)
    theirs = {re.sub(r"^(module\.|model\.)+", "", name): tensor for name, tensor in content.items()}
    if not any(name.startswith("fusion_module.") for name in theirs):
        raise WeightsError(f"{path} has no fusion_module; expected a checkpoint of the released ReSTR program")
    return rename_state(theirs)


def _built(config: ModelConfig, state: dict[str, Tensor]) -> ReSTR:
    config = fit_config(config, state)
    unknown = state["language.vectors.weight"][config.language.unknown_row].clone()
    with Unfilled():
        model = build_model(config)
    load_state(model, state | {"language.unknown": unknown}, keep=True)
    model.language.reset_positions()
    return model.eval()


def _our_name(name: str, layers: list[int]) -> str:
    """A name of this project, or the same name if it is unknown. layers: the numbers of the decoder's layers."""
    if found := _DECODER.fullmatch(name):
        layer = layers.index(int(found[1]))
        return f"decoder.{'head' if layer == len(layers) - 1 else f'blocks.{layer}.proj'}.{found[2]}"
    if found := _STACK.fullmatch(name):
        ours = f"fusion.{_STACKS[found[1]]}.blocks.{found[2] or 0}.{found[3]}"
    else:
        fits = (re.sub(pattern, ours, name) for pattern, ours in _NAMES if re.fullmatch(pattern, name))
        ours = next(fits, name)
    for pattern, replacement in _INNER:
        ours = re.sub(pattern, replacement, ours)
    return ours


def _needed(state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise WeightsError(
            f"the checkpoint has no {_THEIRS[name]}; expected one of the whole released model, model.state_dict()"
        )
    return state[name]


_THEIRS = {
    "language.vectors.weight": "encoder_l.embedding.weight",
    "vision.patch_embed.proj.weight": "encoder_v.patch_embed.proj.weight",
    "vision.pos_embed": "encoder_v.pos_embed",
}
