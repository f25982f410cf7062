"""Weights on disk: a folder with ``config.json``, ``model.safetensors`` and ``vocab.txt``; never a pickle.

``int8`` stores each matrix as one byte per weight and one fp16 scale per row, and loads it as float32: a quarter of
the size (``recipes/restr_small/fetch.py`` prints the largest relative error).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from restr.errors import WeightsError, why_unreadable
from restr.files import atomic_path, write_atomically
from restr.model.build import Unfilled, build_model
from restr.model.device import limit_threads_after_fork
from restr.model.folder import BEST, CONFIG, FROZEN, VOCABULARY, WEIGHTS, folder_of, is_checkpoint, read_config
from restr.model.restr import ReSTR
from restr.text.vocabulary import Vocabulary

SCALE = ".int8_scale"  # suffix of a row-scale tensor beside its int8 weights


def save_pretrained(model: ReSTR, vocabulary: Vocabulary, folder: str | Path, *, int8: bool = False) -> None:
    """Write a model folder; each file is written completely or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_tensors(quantise(state) if int8 else state, folder / WEIGHTS)
    vocabulary.save(folder / VOCABULARY)
    write_atomically(folder / CONFIG, model.config.to_json())


def load_pretrained(folder: str | Path) -> tuple[ReSTR, Vocabulary]:
    """The model, in eval mode, and its vocabulary. Raises ``WeightsError`` that names missing and wrong parts.

    folder: a model folder, or a checkpoint of a run, whose averaged weights are taken where it has some.
    """
    place = Path(folder)
    config, folder = read_config(place), folder_of(place)
    limit_threads_after_fork()
    with Unfilled():
        model = build_model(config)
    state = _checkpoint_state(place, model) if is_checkpoint(place) else dequantise(read_tensors(folder / WEIGHTS))
    load_state(model, state, keep=True)
    model.language.reset_positions()
    vocabulary = Vocabulary.from_file(folder / VOCABULARY, config.language)
    if len(vocabulary) != config.language.vocab:
        raise WeightsError(
            f"{folder / VOCABULARY} makes {len(vocabulary)} rows but {CONFIG} says language.vocab {config.language.vocab}; "
            "the files of a model folder belong together: copy all of them from one place"
        )
    return model.eval(), vocabulary


def _checkpoint_state(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The state that a checkpoint of a run makes for ``model``, with the weights that the run does not train."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # leaves the optimiser on the disk
    except Exception:  # torch raises many kinds for a broken or hostile file
        raise WeightsError(f"{path} cannot be read; it is damaged, or no checkpoint of a run: take another") from None
    trained = (
        content.get("weights") or content.get("ema") or content.get("model") if isinstance(content, dict) else None
    )
    if not isinstance(trained, dict):
        raise WeightsError(f"{path} is no checkpoint of a run; name one that restr train wrote, such as {BEST}")
    frozen = path.parent / FROZEN
    held = (read_tensors(frozen) if frozen.is_file() else {}) | trained | content.get("merged", {})
    held = {name: tensor.clone() for name, tensor in held.items() if ".parametrizations." not in name}
    first = {id(parameter): name for name, parameter in model.named_parameters()}  # a shared weight is held once
    own = {name: first.get(id(tensor), name) for name, tensor in model.state_dict(keep_vars=True).items()}
    return {name: held[source] for name, source in own.items() if source in held} | {
        name: tensor for name, tensor in held.items() if name not in own
    }


def load_state(model: nn.Module, state: Mapping[str, Tensor], *, keep: bool = False) -> None:
    """``load_state_dict``, strict, with every difference named in one ``WeightsError``.

    keep: the tensors become the model's own, without a copy if they have the right dtype.
    """
    own = model.state_dict()
    differences = [f"missing {name}" for name in own.keys() - state.keys()]
    differences += [f"unknown {name}" for name in state.keys() - own.keys()]
    differences += [
        f"{name} is {tuple(state[name].shape)}, the model's is {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ]
    if differences:
        listing = "\n  ".join(sorted(differences)[:20])
        raise WeightsError(f"the weights do not fit the model in {len(differences)} places:\n  {listing}")
    if keep:
        state = {name: tensor.to(own[name].dtype) for name, tensor in state.items()}
    model.load_state_dict(state, assign=keep)


def write_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file, completely or not at all."""
    with atomic_path(path) as partial:
        save_file(dict(state), partial)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises ``WeightsError`` if it is damaged or something else."""
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}); fetch or save it again") from error


def read_untrusted(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth``, ``.pt`` or ``.bin`` file, unwrapped from a trainer's checkpoint; nothing is executed.

    Raises ``WeightsError`` if the file holds anything but plain tensors.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken or hostile file
        raise WeightsError(
            f"{path} cannot be read as plain tensors ({why_unreadable(error)}); convert it to safetensors"
        ) from None
    for key in ("model", "state_dict", "teacher"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}; expected a dict of tensors: save model.state_dict()"
        )
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}


def quantise(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as int8 with an fp16 scale per row (symmetric, the row's largest magnitude is 127); the rest unchanged."""
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim < 2 or not tensor.is_floating_point():
            packed[name] = tensor
            continue
        rows = _rows(tensor).float()
        # rounded to fp16 first, so that the bytes compensate for it
        scale = (rows.abs().amax(1) / 127).clamp_min(1e-7).half()
        packed[name] = (rows / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8).view(tensor.shape)
        packed[name + SCALE] = scale
    return packed


def dequantise(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of ``quantise``, to float32; a state without int8 weights stays unchanged."""
    state: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE):
            continue
        scale = packed.get(name + SCALE)
        if scale is None:
            state[name] = tensor.clone()  # the file may be overwritten while the model is in use
        else:
            state[name] = (_rows(tensor).float() * scale.float()[:, None]).view(tensor.shape)
    return state


def _rows(tensor: Tensor) -> Tensor:
    """The rows that share a scale: outputs of a matrix or patch embedding, tokens of a position embedding (1 n d)."""
    return tensor.flatten(1) if tensor.shape[0] > 1 else tensor.flatten(0, -2)
