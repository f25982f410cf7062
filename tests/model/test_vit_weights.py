"""ViTs from elsewhere give the same features as the encoder that they were renamed from."""

from __future__ import annotations

import dataclasses
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from restr.config import TransformerConfig, VisionConfig
from restr.errors import CheckpointError, WeightsError
from restr.model.vision import VisionEncoder
from restr.model.vit_weights import load_vit, read_vit
from restr.training.loop import checkpoint

WIDTH, DEPTH, HEADS = 16, 2, 4
CONFIG = VisionConfig(patch=4, grid=3, blocks=TransformerConfig(width=WIDTH, depth=DEPTH, heads=HEADS, mlp=32))
State = dict[str, Tensor]


def encoder(seed: int, **settings: object) -> VisionEncoder:
    torch.manual_seed(seed)
    model = VisionEncoder(dataclasses.replace(CONFIG, **settings)).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    return model


def timm(state: State) -> State:
    return state | {"head.weight": torch.zeros(5, WIDTH), "head.bias": torch.zeros(5)}


def dinov2(state: State) -> State:
    return {f"teacher.backbone.{name}": value for name, value in state.items()} | {
        "teacher.backbone.mask_token": torch.zeros(1)
    }


def hugging_face(state: State, *, prefix: str = "", dino: bool = False) -> State:
    """The names that transformers gives the same weights, written down from its model's printout."""
    found = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.position_embeddings": state["pos_embed"],
        "embeddings.patch_embeddings.projection.weight": state["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": state["patch_embed.proj.bias"],
        "layernorm.weight": state["norm.weight"],
        "layernorm.bias": state["norm.bias"],
        "pooler.dense.weight": torch.zeros(WIDTH, WIDTH),
    }
    first, second = ("norm1", "norm2") if dino else ("layernorm_before", "layernorm_after")
    up, down = ("mlp.fc1", "mlp.fc2") if dino else ("intermediate.dense", "output.dense")
    for i in range(DEPTH):
        layer = f"encoder.layer.{i}"
        for kind in ("weight", "bias"):
            for part, value in zip(
                ("query", "key", "value"), state[f"blocks.{i}.attn.qkv.{kind}"].chunk(3), strict=True
            ):
                found[f"{layer}.attention.attention.{part}.{kind}"] = value.clone()
            found[f"{layer}.attention.output.dense.{kind}"] = state[f"blocks.{i}.attn.proj.{kind}"]
            found[f"{layer}.{first}.{kind}"] = state[f"blocks.{i}.norm1.{kind}"]
            found[f"{layer}.{second}.{kind}"] = state[f"blocks.{i}.norm2.{kind}"]
            found[f"{layer}.{up}.{kind}"] = state[f"blocks.{i}.mlp.fc1.{kind}"]
            found[f"{layer}.{down}.{kind}"] = state[f"blocks.{i}.mlp.fc2.{kind}"]
    return {prefix + name: value for name, value in found.items()}


def transformers_5(state: State, *, prefix: str = "", layers: str = "layers", dino: bool = False) -> State:
    """The names since version 5: ViTModel has its layers at the top, Dinov2Model in its encoder, as before."""
    first, second = ("norm1", "norm2") if dino else ("layernorm_before", "layernorm_after")
    found = {n: v for n, v in hugging_face(state).items() if not n.startswith("encoder.")}
    for i in range(DEPTH):
        layer = f"{layers}.{i}"
        for kind in ("weight", "bias"):
            for part, value in zip("qkv", state[f"blocks.{i}.attn.qkv.{kind}"].chunk(3), strict=True):
                found[f"{layer}.attention.{part}_proj.{kind}"] = value.clone()
            found[f"{layer}.attention.o_proj.{kind}"] = state[f"blocks.{i}.attn.proj.{kind}"]
            found[f"{layer}.{first}.{kind}"] = state[f"blocks.{i}.norm1.{kind}"]
            found[f"{layer}.{second}.{kind}"] = state[f"blocks.{i}.norm2.{kind}"]
            for linear in ("fc1", "fc2"):
                found[f"{layer}.mlp.{linear}.{kind}"] = state[f"blocks.{i}.mlp.{linear}.{kind}"]
    return {prefix + name: value for name, value in found.items()}


SOURCES: dict[str, Callable[[State], State]] = {
    "timm": timm,
    "dinov2": dinov2,
    "hugging-face-vit": lambda state: hugging_face(state, prefix="vit."),
    "hugging-face-dinov2": lambda state: hugging_face(state, dino=True),
    "transformers-5-vit": lambda state: transformers_5(state, prefix="vit."),
    "transformers-5-dinov2": lambda state: transformers_5(state, prefix="dinov2.", layers="encoder.layer", dino=True),
}


def same_features(one: VisionEncoder, two: VisionEncoder) -> bool:
    image = torch.randn(1, 3, 12, 16, generator=torch.Generator().manual_seed(3))
    return torch.equal(one(image).patches, two(image).patches)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torch_checkpoints(source: str, suffix: str, tmp_path: Path) -> None:
    original, path = encoder(0), tmp_path / f"vit{suffix}"
    state = {name: value.contiguous() for name, value in SOURCES[source](original.state_dict()).items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    loaded = encoder(1)
    assert not same_features(original, loaded)
    load_vit(loaded, path)
    assert same_features(original, loaded)


def test_the_jax_release(tmp_path: Path) -> None:
    original = encoder(0)
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    arrays = {
        "cls": w["cls_token"],
        "Transformer/posembed_input/pos_embedding": w["pos_embed"],
        "embedding/kernel": w["patch_embed.proj.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": w["patch_embed.proj.bias"],
        "Transformer/encoder_norm/scale": w["norm.weight"],
        "Transformer/encoder_norm/bias": w["norm.bias"],
        "head/kernel": np.zeros((WIDTH, 5)),
    }
    for i in range(DEPTH):
        to, block = f"Transformer/encoderblock_{i}", f"blocks.{i}"
        heads = f"{to}/MultiHeadDotProductAttention_1"
        for j, part in enumerate(("query", "key", "value")):
            rows = slice(j * WIDTH, (j + 1) * WIDTH)
            arrays[f"{heads}/{part}/kernel"] = w[f"{block}.attn.qkv.weight"][rows].T.reshape(WIDTH, HEADS, -1)
            arrays[f"{heads}/{part}/bias"] = w[f"{block}.attn.qkv.bias"][rows].reshape(HEADS, -1)
        arrays[f"{heads}/out/kernel"] = w[f"{block}.attn.proj.weight"].T.reshape(HEADS, -1, WIDTH)
        arrays[f"{heads}/out/bias"] = w[f"{block}.attn.proj.bias"]
        for ours, theirs in (("norm1", "LayerNorm_0"), ("norm2", "LayerNorm_2")):
            arrays[f"{to}/{theirs}/scale"] = w[f"{block}.{ours}.weight"]
            arrays[f"{to}/{theirs}/bias"] = w[f"{block}.{ours}.bias"]
        for ours, theirs in (("fc1", "Dense_0"), ("fc2", "Dense_1")):
            arrays[f"{to}/MlpBlock_3/{theirs}/kernel"] = w[f"{block}.mlp.{ours}.weight"].T
            arrays[f"{to}/MlpBlock_3/{theirs}/bias"] = w[f"{block}.mlp.{ours}.bias"]
    np.savez(tmp_path / "vit.npz", **arrays)
    loaded = encoder(1)
    load_vit(loaded, tmp_path / "vit.npz")
    assert same_features(original, loaded)


def test_other_grids_and_patches_are_fitted(tmp_path: Path) -> None:
    save_file(encoder(0).state_dict(), tmp_path / "vit.safetensors")
    loaded = encoder(1, patch=8, grid=5)
    load_vit(loaded, tmp_path / "vit.safetensors")
    original = encoder(0)
    assert torch.equal(loaded.pos_embed[:, 0], original.pos_embed[:, 0])
    # a smooth image at twice the size gives nearly the same tokens before the positions
    small = torch.nn.functional.interpolate(torch.randn(1, 3, 3, 3), size=(12, 12), mode="bicubic")
    large = torch.nn.functional.interpolate(small, size=(24, 24), mode="bicubic")
    one, two = original.patch_embed(small), loaded.patch_embed(large)
    assert (one - two).norm() < 0.15 * one.norm()


def test_another_width_is_refused_with_a_list(tmp_path: Path) -> None:
    save_file(encoder(0).state_dict(), tmp_path / "vit.safetensors")
    other = VisionEncoder(dataclasses.replace(CONFIG, blocks=dataclasses.replace(CONFIG.blocks, width=8, heads=2)))
    with pytest.raises(WeightsError, match=r"blocks.0.attn.qkv.weight is \(48, 16\), the model's is \(24, 8\)"):
        load_vit(other, tmp_path / "vit.safetensors")


class Hostile:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return open, ("owned", "w")  # type: ignore[return-value]


def test_a_pickle_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vit.pth").write_bytes(pickle.dumps({"model": Hostile()}))
    with pytest.raises(WeightsError, match="convert it to safetensors"):
        read_vit("vit.pth")
    assert not Path("owned").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_no_message_advises_to_trust_a_file(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's message says how to execute the code in the file all the same."""
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Hostile()}, "vit.pth", _use_new_zipfile_serialization=zipped)
    Path("raw.pth").write_bytes(pickle.dumps({"model": Hostile()}))
    Path("cut.pth").write_bytes(Path("vit.pth").read_bytes()[:100])
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        torch.load("vit.pth", weights_only=True)
    for name in ("vit.pth", "raw.pth", "cut.pth"):
        for read, kind in ((read_vit, WeightsError), (checkpoint.load, CheckpointError)):
            with pytest.raises(kind) as caught:
                read(Path(name))
            assert "weights_only" not in "".join(traceback.format_exception(caught.value))
            assert name != "vit.pth" or "it names io.open, which is no tensor" in str(caught.value)
    assert not Path("owned").exists()


def test_other_files_than_vits_are_refused(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(WeightsError, match="holds no ViT"):
        read_vit(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="other.npz has no 'cls'"):
        read_vit(tmp_path / "other.npz")
    with pytest.raises(WeightsError, match="there is no file"):
        read_vit(tmp_path / "none.pth")


def test_registers_begin_apart() -> None:
    """Equal registers would get equal gradients and stay one register for ever."""
    one, two = VisionEncoder(dataclasses.replace(CONFIG, registers=2)).reg_token[0]  # type: ignore[index]
    assert not torch.allclose(one, two)


def test_layer_scale_is_renamed(tmp_path: Path) -> None:
    blocks = dataclasses.replace(CONFIG.blocks, layer_scale=True)
    original = encoder(0, blocks=blocks)
    state = hugging_face(original.state_dict(), dino=True)
    for i in range(DEPTH):
        for n in (1, 2):
            gamma = original.state_dict()[f"blocks.{i}.ls{n}.gamma"]
            state[f"encoder.layer.{i}.layer_scale{n}.lambda1"] = gamma
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "vit.safetensors")
    loaded = encoder(1, blocks=blocks)
    load_vit(loaded, tmp_path / "vit.safetensors")
    assert same_features(original, loaded)


def test_incomplete_files_are_refused_by_name(tmp_path: Path) -> None:
    def read_without(name: str) -> None:
        state = hugging_face(encoder(0).state_dict())
        save_file({n: t.contiguous() for n, t in state.items() if n != name}, tmp_path / "vit.safetensors")
        load_vit(encoder(1), tmp_path / "vit.safetensors")

    with pytest.raises(WeightsError, match=r"vit.safetensors has no pos_embed"):
        read_without("embeddings.position_embeddings")
    with pytest.raises(WeightsError, match=r"vit.safetensors has no blocks.1.attn.key.bias"):
        read_without("encoder.layer.1.attention.attention.key.bias")
    Path(tmp_path / "broken.npz").write_bytes(b"PK no zip")
    with pytest.raises(WeightsError, match=r"broken.npz cannot be read"):
        read_vit(tmp_path / "broken.npz")


def test_registers_are_read_and_dropped(tmp_path: Path) -> None:
    original = encoder(0, registers=2)
    state = original.state_dict()
    places = state["pos_embed"]
    # timm keeps no place for the class token of such a model: it has been added to the token
    state |= {"pos_embed": places[:, 1:].contiguous(), "cls_token": state["cls_token"] + places[:, :1]}
    save_file(state, tmp_path / "vit.safetensors")
    loaded = encoder(1, registers=2)
    load_vit(loaded, tmp_path / "vit.safetensors")
    image = torch.randn(1, 3, 12, 16)
    assert loaded(image).patches.shape == (1, 12, WIDTH)
    torch.testing.assert_close(original(image).patches, loaded(image).patches)
