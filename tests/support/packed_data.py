"""Data of recipes/restr_small for tests: a small folder to pack, stand-ins for the pre-trained parts, and packed arrays."""

from __future__ import annotations

import importlib
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restr.config import PreprocessConfig
from restr.grammar.scene import Instance, Scene
from restr.model.vision import VisionEncoder
from restr.model.weights import quantise, write_tensors
from restr.presets import restr_small
from scripts import ROOT
from written_photos import write_photos

FOLDER = ROOT / "recipes/restr_small"
WIDTH, PIECES = 384, ("[PAD]", "[UNK]", "[CLS]", "left", "right", "dog", "car", "the", "red", "blue", "##s", "'")


@contextmanager
def recipe_modules() -> Iterator[None]:
    """Within, the recipe's files can be imported by their names, as they import each other."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield
    finally:
        sys.path.remove(str(FOLDER))
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(str(FOLDER)):
                del sys.modules[name]


def module(name: str) -> Any:
    """A file of the recipe."""
    return importlib.import_module(name)


def name_of(held_out: bool, number: int, share: int = 33) -> str:
    """A file name that puts a photograph among those never trained on, or not."""
    names = (f"p{number}_{k}.jpg" for k in range(10_000))
    return next(name for name in names if (zlib.crc32(name.encode()) % share == 0) == held_out)


def scene(name: str, height: int, width: int) -> Scene:
    """A red dog on the left and a blue car on the right."""
    image = np.full((height, width, 3), 120, np.uint8)
    instances = []
    for k, (category, colour) in enumerate((("dog", (230, 30, 30)), ("car", (30, 30, 230)))):
        mask = np.zeros((height, width), bool)
        mask[height // 3 : height * 2 // 3, width * (1 + 5 * k) // 9 : width * (3 + 5 * k) // 9] = True
        image[mask] = colour
        instances.append(Instance(mask=mask, category=category))
    return Scene(id=name, image=image, instances=tuple(instances), complete=True)


def make_folder(root: Path) -> Path:
    """``photos`` with four photographs, two of them held out, and ``expressions``."""
    sides = ((96, 128), (128, 96), (96, 128), (128, 96))
    names = [name_of(number >= 2, number) for number in range(4)]
    write_photos([scene(name, *side) for name, side in zip(names, sides, strict=True)], root / "photos")
    written, captions = [], []
    for number, name in enumerate(names):
        dog, car = 2 * number + 1, 2 * number + 2
        for text, ids, kind in (
            ("the red dog", [dog], "one"),
            ("left thing", [dog], "one"),
            ("blue car", [car], "one"),
            ("both things", [dog, car], "group"),
            ("a green cat", [], "absent"),
            ("The red dog", [dog], "one"),  # said before
        ):
            written.append({"photos": "photos", "image": name, "instances": ids, "text": text, "kind": kind})
        captions.append({"photos": "photos", "image": name, "instances": [car], "text": "a car is parked"})
    (root / "expressions").mkdir()
    for file, lines in (("everyday_train", written), ("captions_train", captions)):
        (root / f"expressions/{file}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def make_parts(folder: Path) -> Path:
    """Random tensors in the form of those that fetch.py writes."""
    torch.manual_seed(0)
    (folder / "minilm").mkdir(parents=True)
    write_tensors(quantise(VisionEncoder(restr_small().vision).state_dict()), folder / "vision.safetensors")
    (folder / "vocab.txt").write_text("\n".join(("the", "red", "dog", "left", "right", "car", "parked")) + "\n")
    (folder / "minilm/vocab.txt").write_text("\n".join(PIECES) + "\n")
    write_tensors(minilm_state(), folder / "minilm/model.safetensors")
    return folder


def minilm_state(depth: int = 3) -> dict[str, torch.Tensor]:
    """Random tensors under MiniLM's names."""

    def pair(name: str, *shape: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": torch.randn(shape) * 0.05, f"{name}.bias": torch.zeros(shape[0])}

    state = {
        "embeddings.word_embeddings.weight": torch.randn(len(PIECES), WIDTH),
        "embeddings.position_embeddings.weight": torch.randn(64, WIDTH) * 0.1,
        "embeddings.token_type_embeddings.weight": torch.randn(2, WIDTH) * 0.1,
        **pair("embeddings.LayerNorm", WIDTH),
    }
    for i in range(depth):
        layer = f"encoder.layer.{i}"
        for name in ("query", "key", "value"):
            state |= pair(f"{layer}.attention.self.{name}", WIDTH, WIDTH)
        state |= pair(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        state |= pair(f"{layer}.attention.output.LayerNorm", WIDTH)
        state |= pair(f"{layer}.intermediate.dense", 4 * WIDTH, WIDTH)
        state |= pair(f"{layer}.output.dense", WIDTH, 4 * WIDTH)
        state |= pair(f"{layer}.output.LayerNorm", WIDTH)
    return state


def made_data(sentences: list[tuple[int, int, int, bool]], size: tuple[int, int] = (300, 400), **changes: Any) -> Any:
    """Packed arrays with random photographs and one random rectangle each: sentences are (photo, mask, kind, place).

    Sentence i is the words (10 + i, 2), mirrored (10 + i, 3).
    """
    packed = module("packed")
    rng = np.random.default_rng(0)
    photo, mask, kind, place = (np.array(column) for column in zip(*sentences, strict=True))
    count = int(photo.max()) + 1
    photos = np.zeros((count, packed.SIDE, packed.SIDE, 3), np.uint8)
    photos[:] = packed.MEAN_COLOUR
    photos[:, : size[0], : size[1]] = rng.integers(0, 256, (count, *size, 3))
    masks = np.zeros((count, packed.SIDE, packed.SIDE), np.uint8)
    for i in range(count):
        y, x = rng.integers(20, 120, 2)
        masks[i, y : y + 90, x : x + 110] = 1
    ids = np.stack([10 + np.arange(len(photo)), np.full(len(photo), 2)], 1).astype(np.uint16)
    table = {
        "ids": ids,
        "mirrored": np.stack([ids[:, 0], np.full(len(photo), 3)], 1).astype(np.uint16),
        "photo": photo.astype(np.int32),
        "mask": mask.astype(np.int32),
        "kind": kind.astype(np.uint8),
        "place": place.astype(bool),
        "named": np.full(len(photo), -1, np.int16),
        "shows": np.zeros((count, 2), bool),
        "category": np.array(["dog", "car"]),
        "complete": np.ones(count, bool),
        "val": np.zeros(count, bool),
        "size": np.tile(np.array(size, np.int16), (count, 1)),
        "source": np.zeros(count, np.uint8),
        "name": np.array([f"{i}.jpg" for i in range(count)]),
    }
    area = torch.from_numpy(masks).flatten(1).sum(1, dtype=torch.float32)
    there = np.ones(count, bool)
    return packed.Data(
        torch.from_numpy(photos), torch.from_numpy(masks), area, there, packed.Table(**{**table, **changes})
    )


def view(
    x: tuple[float, float], y: tuple[float, float], mirror: bool, shape: tuple[int, int], sentences: int = 1
) -> Any:
    """One photograph's view with its first sentences."""
    rows = np.arange(sentences)[None]
    return module("draw").Drawn(
        np.array([0]), rows, np.zeros((1, sentences), bool), np.array([x]), np.array([y]), np.array([mirror]), shape
    )


def batch_of(drawn: Any, data: Any, stride: int = 1) -> Any:
    return module("views").collate(drawn, data, stride, PreprocessConfig(), train=False)
