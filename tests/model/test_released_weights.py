"""Checkpoints in the released program's layout give the outputs of the model that they were written from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from test_variants import images, released, words
from torch import Tensor

from restr.config import ModelConfig
from restr.errors import WeightsError
from restr.model.build import build_model
from restr.model.released_weights import load_released
from restr.model.restr import ReSTR
from restr.text.vocabulary import UNKNOWN


def original(config: ModelConfig) -> ReSTR:
    model = build_model(config, seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
        model.language.unknown.copy_(model.language.vectors.weight[UNKNOWN])
    return model


def theirs(model: ReSTR, *, layers: str = "timm") -> dict[str, Tensor]:
    """The state dict that the released program would hold, written name by name."""
    found: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        part, rest = name.split(".", 1)
        if part == "vision":
            found[f"encoder_v.{rest}"] = tensor
        elif name == "language.vectors.weight":
            found["encoder_l.embedding.weight"] = tensor
        elif rest.startswith("encoder.blocks."):
            inner = rest.removeprefix("encoder.")
            if layers == "torch":
                inner = inner.replace("attn.qkv.", "self_attn.in_proj_").replace("attn.proj.", "self_attn.out_proj.")
                inner = inner.replace("mlp.fc1", "linear1").replace("mlp.fc2", "linear2")
            found[f"encoder_l.{inner}"] = tensor
        elif rest.startswith("proj_out"):
            found[f"encoder_l.{rest.replace('proj_out', 'proj_lang')}"] = tensor
        elif part == "language" and rest.startswith("norm"):
            found[f"encoder_l.lang_{rest}"] = tensor
        elif part == "decoder":
            place = "4" if "head" in rest else str(int(rest.split(".")[1]))
            shaped = tensor[..., None, None] if tensor.ndim == 2 else tensor
            found[f"fusion_module.decoder.{place}.conv.{rest.rsplit('.', 1)[1]}"] = shaped
        elif name == "fusion.seed":
            found["fusion_module.seed_emb"] = tensor
        elif name == "classifier.proj_patch.weight":
            found["fusion_module.proj_patch"] = tensor.T
        elif name == "classifier.proj_seed.weight":
            found["fusion_module.proj_cls"] = tensor.T
        elif part == "fusion":
            for ours, other in (
                ("proj_vision", "proj_v"),
                ("proj_words", "proj_l"),
                ("visual_linguistic.blocks", "blocks_vl"),
                ("linguistic_seed.blocks", "blocks_ls"),
                ("linguistic_seed.norm", "norm"),
            ):
                if rest.startswith(ours):
                    found[f"fusion_module.{rest.replace(ours, other, 1)}"] = tensor
    return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def shared() -> ModelConfig:
    config = released()
    return dataclasses.replace(config, fusion=dataclasses.replace(config.fusion, sharing="depth"))


@pytest.mark.parametrize("config", [released, shared])
@pytest.mark.parametrize("layers", ["timm", "torch"])
def test_the_outputs_are_the_originals(config, layers: str, tmp_path: Path) -> None:
    model = original(config())
    state = {f"module.{name}": tensor for name, tensor in theirs(model, layers=layers).items()}
    torch.save({"model": state, "epoch": 3}, tmp_path / "checkpoint.pth")
    # a table of another size is found in the file, and sharing too
    loaded = load_released(tmp_path / "checkpoint.pth", dataclasses.replace(released(), name="other"))
    assert loaded.config.fusion.sharing == config().fusion.sharing
    arguments = (images(), words(model))
    assert torch.equal(loaded(*arguments).logits, model(*arguments).logits)


def test_depths_and_word_table_come_from_the_file(tmp_path: Path) -> None:
    config = released()
    deeper = dataclasses.replace(
        config,
        fusion=dataclasses.replace(
            config.fusion, linguistic_seed=dataclasses.replace(config.fusion.linguistic_seed, depth=3)
        ),
    )
    deeper = dataclasses.replace(deeper, language=dataclasses.replace(deeper.language, vocab=11))
    save_file(theirs(original(deeper)), tmp_path / "checkpoint.safetensors")
    loaded = load_released(tmp_path / "checkpoint.safetensors", config)
    assert loaded.config.fusion.linguistic_seed.depth == 3 and loaded.config.language.vocab == 11


def test_differences_are_listed(tmp_path: Path) -> None:
    state = theirs(original(released()))
    state["fusion_module.extra.weight"] = torch.zeros(2)
    del state["fusion_module.proj_v.bias"]
    save_file(state, tmp_path / "checkpoint.safetensors")
    with pytest.raises(WeightsError, match=r"missing fusion.proj_vision.bias\n  unknown fusion_module.extra.weight"):
        load_released(tmp_path / "checkpoint.safetensors", released())
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="has no fusion_module"):
        load_released(tmp_path / "other.safetensors", released())
