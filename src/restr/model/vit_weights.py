"""Pre-trained ViTs from elsewhere: timm, DINOv2, Hugging Face and the JAX release, fitted to a vision encoder.

Every source is first renamed to timm's names (which are this project's), then fitted: position embeddings are
resized to the encoder's grid, patch embeddings resampled to its patch. Nothing is executed: ``.pth`` files are read with
``weights_only=True``, ``.npz`` without pickles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from restr.errors import WeightsError
from restr.model.vision import VisionEncoder
from restr.model.weights import load_state, read_tensors, read_untrusted
from restr.nn.patches import resample_patch_embedding, resize_positions

# Hugging Face's ViTModel and Dinov2Model -> timm; applied in order to each name. transformers 5 has shorter names.
HUGGING_FACE = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^(layernorm)\.", "norm."),
    (r"^(?:encoder\.)?layers?\.(\d+)\.", r"blocks.\1."),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.q_proj\.", ".attn.query."),
    (r"\.attention\.k_proj\.", ".attn.key."),
    (r"\.attention\.v_proj\.", ".attn.value."),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.(layernorm_before)\.", ".norm1."),
    (r"\.(layernorm_after)\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)
_KEPT = re.compile(r"^(cls_token|pos_embed|reg_token|patch_embed\.proj\.|blocks\.|norm\.)")
WRAPPERS = ("module.", "model.", "teacher.", "backbone.", "vit.", "dinov2.")


def load_vit(encoder: VisionEncoder, path: str | Path) -> None:
    """Fill a vision encoder from a file. Raises ``WeightsError`` with every difference if it does not fit."""
    load_state(encoder, fit_to_encoder(read_vit(path), encoder))


def read_vit(path: str | Path) -> dict[str, Tensor]:
    """The ViT in a ``.safetensors``, ``.pth``/``.pt``/``.bin`` or ``.npz`` file, under timm's names, without heads."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; name a .safetensors, .pth or .npz file of a ViT")
    try:
        if path.suffix == ".npz":
            state = _from_jax(_arrays(path))
        else:
            state = timm_names(read_tensors(path) if path.suffix == ".safetensors" else read_untrusted(path))
    except KeyError as error:
        raise WeightsError(f"{path} has no {error.args[0]}; the file is incomplete: download it again") from error
    state = {name: tensor.float() for name, tensor in state.items() if _KEPT.match(name)}
    if "patch_embed.proj.weight" not in state:
        raise WeightsError(
            f"{path} holds no ViT that restr knows; bring a checkpoint of timm, DINOv2, Hugging Face's ViT or Dinov2, or "
            "Google's JAX release"
        )
    if "pos_embed" not in state:
        raise WeightsError(
            f"{path} has no pos_embed; restr adds learnt positions to its patches: bring a ViT that has them"
        )
    return state


def fit_to_encoder(state: Mapping[str, Tensor], encoder: VisionEncoder) -> dict[str, Tensor]:
    """The state with position and patch embeddings in the encoder's sizes; depth and width must agree."""
    state, config = dict(state), encoder.config
    state["patch_embed.proj.weight"] = resample_patch_embedding(state["patch_embed.proj.weight"], config.patch)
    positions = state["pos_embed"]
    side = int(positions.shape[1] ** 0.5)
    extra = positions.shape[1] - side**2
    if extra == 0:  # already added to the class token (timm's DINOv2 with registers)
        first = positions.new_zeros(1, 1, positions.shape[2])
    elif extra == 1:
        first = positions[:, :1]
    else:
        raise WeightsError(
            f"pos_embed has {positions.shape[1]} places, which is neither a square nor one more; a distilled DeiT has two "
            "tokens, of which restr uses one: take the undistilled checkpoint"
        )
    grid = (config.grid, config.grid)
    state["pos_embed"] = torch.cat([first, resize_positions(positions[:, extra:], grid)], dim=1)
    return state


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read ({error}); download it again") from error
    if "cls" not in found:
        raise WeightsError(f"{path} has no 'cls'; expected a ViT of Google's JAX release, such as ViT-B_16.npz")
    return found


def timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """timm's names from timm's, DINOv2's or Hugging Face's, without the prefixes of ``WRAPPERS``."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stripped = True
        while stripped:
            stripped = False
            for wrapper in WRAPPERS:
                if name.startswith(wrapper):
                    name, stripped = name[len(wrapper) :], True
        for pattern, replacement in HUGGING_FACE:
            name = re.sub(pattern, replacement, name)
        renamed[{"register_tokens": "reg_token"}.get(name, name)] = tensor
    for name in [name for name in renamed if ".attn.query." in name]:
        parts = [renamed.pop(name.replace(".query.", f".{part}.")) for part in ("query", "key", "value")]
        renamed[name.replace(".query.", ".qkv.")] = torch.cat(parts)
    return renamed


def _from_jax(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """timm's names from the ``.npz`` of Google's ViT release; its matrices are (in, out), with an axis for heads."""
    state: dict[str, Tensor] = {}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.asarray(arrays[name], np.float32))

    def norm(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"], state[f"{ours}.bias"] = tensor(f"{theirs}/scale"), tensor(f"{theirs}/bias")

    def linear(ours: str, theirs: str) -> None:
        state[f"{ours}.weight"], state[f"{ours}.bias"] = tensor(f"{theirs}/kernel").T, tensor(f"{theirs}/bias")

    state["cls_token"] = tensor("cls")
    state["pos_embed"] = tensor("Transformer/posembed_input/pos_embedding")
    state["patch_embed.proj.weight"] = tensor("embedding/kernel").permute(3, 2, 0, 1)
    state["patch_embed.proj.bias"] = tensor("embedding/bias")
    norm("norm", "Transformer/encoder_norm")
    depth = sum(bool(re.fullmatch(r"Transformer/encoderblock_\d+/LayerNorm_0/scale", name)) for name in arrays)
    for i in range(depth):
        ours, theirs = f"blocks.{i}", f"Transformer/encoderblock_{i}"
        norm(f"{ours}.norm1", f"{theirs}/LayerNorm_0")
        norm(f"{ours}.norm2", f"{theirs}/LayerNorm_2")
        heads = f"{theirs}/MultiHeadDotProductAttention_1"
        kernels = [tensor(f"{heads}/{part}/kernel").flatten(1).T for part in ("query", "key", "value")]
        biases = [tensor(f"{heads}/{part}/bias").flatten() for part in ("query", "key", "value")]
        state[f"{ours}.attn.qkv.weight"], state[f"{ours}.attn.qkv.bias"] = torch.cat(kernels), torch.cat(biases)
        state[f"{ours}.attn.proj.weight"] = tensor(f"{heads}/out/kernel").flatten(0, 1).T
        state[f"{ours}.attn.proj.bias"] = tensor(f"{heads}/out/bias")
        linear(f"{ours}.mlp.fc1", f"{theirs}/MlpBlock_3/Dense_0")
        linear(f"{ours}.mlp.fc2", f"{theirs}/MlpBlock_3/Dense_1")
    return {name: value.contiguous() for name, value in state.items()}
