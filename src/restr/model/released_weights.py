"""Weights of the authors' released program in this project's model.

This module knows only names and layouts, which are facts: the program has no licence, and none of its code is part of
restr. The preset ``restr.presets.restr_released`` computes the same as the program.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vit_weights import timm_names
from restr.model.weights import load_state, read_tensors, read_untrusted
from restr.text.vocabulary import UNKNOWN

# Released name -> ours; the first that matches. Word blocks may carry timm's inner names or nn.TransformerEncoderLayer's.
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
    (r"fusion_module\.blocks_vl\.(\d+)\.(.*)", r"fusion.visual_linguistic.blocks.\1.\2"),
    (r"fusion_module\.blocks_ls\.(\d+)\.(.*)", r"fusion.linguistic_seed.blocks.\1.\2"),
    (r"fusion_module\.norm\.(weight|bias)", r"fusion.linguistic_seed.norm.\1"),
)
INNER = (
    (r"\.self_attn\.in_proj_", ".attn.qkv."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.linear([12])\.", r".mlp.fc\1."),
)
DECODER = "fusion_module.decoder."


def load_released(path: str | Path, config: ModelConfig) -> ReSTR:
    """A model, in eval mode, with the weights of a checkpoint of the released program (``.pth`` or ``.safetensors``).

    config: ``restr.presets.restr_released()``; the rows of its word table, its depths and whether blocks are shared
    over depth are taken from the file. Raises ``WeightsError`` with every difference. Nothing in the file is executed.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; name a checkpoint of the released program")
    content = read_tensors(path) if path.suffix == ".safetensors" else read_untrusted(path)
    theirs = {re.sub(r"^(module\.|model\.)+", "", name): tensor for name, tensor in content.items()}
    if not any(name.startswith("fusion_module.") for name in theirs):
        raise WeightsError(f"{path} has no fusion_module; expected a checkpoint of the released ReSTR program")
    state = rename_state(theirs)
    model = build_model(fit_config(config, state))
    state["language.unknown"] = state["language.vectors.weight"][UNKNOWN]
    load_state(model, state)
    return model.eval()


def rename_state(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state under this project's names and layouts. Unknown names are kept, so that ``load_state`` reports them."""
    state: dict[str, Tensor] = {}
    vision = {name.removeprefix("encoder_v."): t for name, t in theirs.items() if name.startswith("encoder_v.")}
    state |= {f"vision.{name}": tensor for name, tensor in timm_names(vision).items()}
    layers = sorted({tuple(map(int, re.findall(r"\d+", n))) for n in theirs if n.startswith(DECODER)})
    for name, tensor in theirs.items():
        if name.startswith("encoder_v."):
            continue
        if name.startswith(DECODER):
            layer = layers.index(tuple(map(int, re.findall(r"\d+", name))))
            ours = "head" if layer == len(layers) - 1 else f"blocks.{layer}.proj"
            # a 1 x 1 convolution is a linear layer
            state[f"decoder.{ours}.{name.rsplit('.', 1)[1]}"] = tensor.flatten(1) if tensor.ndim == 4 else tensor
            continue
        for pattern, replacement in _NAMES:
            if re.fullmatch(pattern, name):
                ours = re.sub(pattern, replacement, name)
                break
        else:
            state[name] = tensor
            continue
        for pattern, replacement in INNER:
            ours = re.sub(pattern, replacement, ours)
        if ours == "fusion.seed":
            tensor = tensor.view(1, 1, -1)
        elif ours.startswith("classifier.") and not name.endswith(".weight"):
            tensor = tensor.T  # a bare matrix there, tokens times it; a linear layer here
        state[ours] = tensor.contiguous()
    return state


def fit_config(config: ModelConfig, state: Mapping[str, Tensor]) -> ModelConfig:
    """``config`` with the state's number of word rows and depths."""

    def depth_of(prefix: str) -> int:
        return len({name.split(".")[prefix.count(".")] for name in state if name.startswith(prefix)})

    if "language.vectors.weight" not in state:
        raise WeightsError("the checkpoint has no encoder_l.embedding.weight; expected one of the whole released model")
    vectors = state["language.vectors.weight"]
    stored = depth_of("fusion.visual_linguistic.blocks."), depth_of("fusion.linguistic_seed.blocks.")
    fusion = config.fusion
    if stored == (1, 1) and (fusion.visual_linguistic.depth, fusion.linguistic_seed.depth) != (1, 1):
        fusion = dataclasses.replace(fusion, sharing="depth")
    else:
        fusion = dataclasses.replace(
            fusion,
            sharing="none",
            visual_linguistic=dataclasses.replace(fusion.visual_linguistic, depth=stored[0]),
            linguistic_seed=dataclasses.replace(fusion.linguistic_seed, depth=stored[1]),
        )
    return dataclasses.replace(config, fusion=fusion, language=dataclasses.replace(config.language, vocab=len(vectors)))
