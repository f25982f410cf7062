"""Train ``restr_small`` end to end on one GPU, within a given number of seconds.

    python recipes/restr_small/gpu_train.py --data runs/gpu --out runs/gpu_run --seconds 500

The data (``gpu_data.py``) are decoded once and stay on the GPU, as do the random views of photographs and masks, so that no
worker processes are needed. The learning rate follows the clock: the run ends when its time does, whatever the machine.
Written are ``model-*.safetensors`` (averaged weights: the vision encoder in int8, the rest in fp16, without the word table,
which is not trained), ``log.jsonl`` and ``report.json``. ``--flavour tiny --device cpu`` is the same run for a test.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import mmap
import multiprocessing
import queue
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from restr.config import ModelConfig
from restr.masks import rle_decode
from restr.model.build import build_model
from restr.model.decoder import Upsample
from restr.model.fusion import Placed
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.weights import dequantise, quantise
from restr.nn.transformer import DropPath
from restr.presets import restr_small
from restr.text.vocabulary import PADDING, UNKNOWN

SIDE = 480  # photographs and masks are kept on a square of this side, in its top left corner
ONE, GROUP, ABSENT, CAPTION, GENERATED, BORROWED = range(6)
LEAST_SEEN, MOST_HIDDEN = (
    0.5,
    0.02,
)  # of a mask in a view: more is a target, less is absent, between them nobody is asked
PART_BYTES = 15 * 2**20


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=500.0, help="of training, without loading and validation")
    parser.add_argument("--steps", type=int, default=0, help="stop after so many, for a test")
    parser.add_argument("--photos", type=int, default=64, help="photographs a step")
    parser.add_argument("--each", type=int, default=8, help="sentences a photograph")
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--vision-lr", type=float, default=1.2e-4)
    parser.add_argument("--language-lr", type=float, default=5e-5)
    parser.add_argument("--layer-decay", type=float, default=0.85)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument(
        "--fine-from", type=float, default=0.75, help="share of the run after which masks are twice as fine"
    )
    parser.add_argument("--flavour", choices=("small", "tiny"), default="small")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--val-photos", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bench", action="store_true", help="time inference and a matrix product at the end")
    return parser.parse_args()


# --- data -------------------------------------------------------------------------------------------------------------


class Data(NamedTuple):
    """photos uint8 (n SIDE SIDE 3) and masks uint8 (m SIDE SIDE) on the device; ``table``: sentences.npz; area (m)."""

    photos: Tensor
    masks: Tensor
    area: Tensor
    there: np.ndarray
    table: dict[str, np.ndarray]


def shared(shape: tuple[int, ...]) -> np.ndarray:
    """Bytes that forked processes write into."""
    return np.frombuffer(mmap.mmap(-1, max(math.prod(shape), 1)), np.uint8).reshape(shape)


def read_data(folder: Path, device: str, workers: int) -> Data:
    """Everything that ``gpu_data.py`` wrote; of photographs only those whose file is there."""
    table = dict(np.load(folder / "sentences.npz"))
    index = json.loads((folder / "photos.json").read_text())
    with gzip.open(folder / "masks.json.gz", "rt") as file:
        lengths = json.load(file)
    packs = {k: (folder / f"photos-{k}.bin").read_bytes() for k in range(9) if (folder / f"photos-{k}.bin").exists()}
    there = np.array([k in packs for k, _, _ in index])
    photos, masks = shared((len(index), SIDE, SIDE, 3)), shared((len(lengths), SIDE, SIDE))

    def work(part: int) -> None:
        for i in range(part, len(index), workers):
            pack, start, size = index[i]
            if there[i]:
                picture = np.asarray(Image.open(BytesIO(packs[pack][start : start + size])).convert("RGB"))
                photos[i] = (124, 116, 104)  # the mean colour
                photos[i, : picture.shape[0], : picture.shape[1]] = picture
        for i in range(part, len(lengths), workers):
            photo, counts = lengths[i]
            if there[photo]:
                height, width = (int(side) for side in table["size"][photo])
                masks[i, :height, :width] = rle_decode({"size": [height, width], "counts": counts})

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=(part,)) for part in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a reader ended with {process.exitcode}")
    on_device = torch.from_numpy(photos).to(device), torch.from_numpy(masks).to(device)
    area = torch.cat([part.flatten(1).sum(1, dtype=torch.float32) for part in on_device[1].split(2048)])
    return Data(*on_device, area, there, table)


class Drawn(NamedTuple):
    """One step's choice: photo (b), sentence (b k), borrowed bool (b k), and the views: x and y (b 2) as (step, start)."""

    photo: np.ndarray
    sentence: np.ndarray
    borrowed: np.ndarray
    x: np.ndarray
    y: np.ndarray
    mirror: np.ndarray
    shape: tuple[int, int]


class Draw:
    """Random photographs with random views and sentences that are true of them."""

    def __init__(self, data: Data, photos: int, each: int, seed: int, shape: tuple[int, int]) -> None:
        self.table, self.photos, self.each, self.shape = data.table, photos, each, shape
        self.rng = np.random.default_rng(seed)
        table = data.table
        self.pools: list[dict[tuple[str, bool], np.ndarray]] = []
        listed: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(len(data.there))]
        for row, (photo, kind) in enumerate(zip(table["photo"].tolist(), table["kind"].tolist(), strict=True)):
            name = {ABSENT: "absent", CAPTION: "caption", GENERATED: "generated"}.get(kind, "people")
            listed[photo][name].append(row)
        free = ~table["place"]
        for pool in listed:
            arrays = {name: np.array(rows) for name, rows in pool.items()}
            split = {(name, True): rows for name, rows in arrays.items()}
            split |= {(name, False): rows[free[rows]] for name, rows in arrays.items()}
            self.pools.append({key: rows for key, rows in split.items() if len(rows)})
        usable = data.there & ~table["val"] & np.array([bool(pool) for pool in self.pools])
        people = np.bincount(table["photo"][table["kind"] != GENERATED], minlength=len(usable))
        weight = np.sqrt(4.0 + people) * usable
        weight[np.char.startswith(table["name"], "feralcat")] *= 0.5
        height, width = table["size"].T.astype(float)
        self.wide = np.flatnonzero(usable & (width >= 0.9 * height))
        self.tall = np.flatnonzero(usable & (height > 0.9 * width))
        self.weights = {id(some): weight[some] / weight[some].sum() for some in (self.wide, self.tall)}
        self.wide_share = weight[width > height].sum() / max(weight.sum(), 1e-9)
        lendable = (table["named"] >= 0) & free & (table["kind"] == ONE)
        boxes = table["shows"][table["source"] == 2].any(0)  # what every photograph of COCO is known to show or not
        lendable &= boxes[table["named"]]
        self.lendable = np.flatnonzero(lendable & ~table["val"][table["photo"]])
        self.borrows = table["complete"] & (table["source"] != 1)

    def __call__(self) -> Drawn:
        rng, (tall, wide) = self.rng, self.shape
        landscape = rng.random() < self.wide_share
        pool = self.wide if landscape else self.tall
        photo = rng.choice(pool, self.photos, replace=len(pool) < self.photos, p=self.weights[id(pool)])
        shape = (tall, wide) if landscape else (wide, tall)
        whole = rng.random(self.photos) < 0.55
        sentence = np.zeros((self.photos, self.each), np.int64)
        borrowed = np.zeros((self.photos, self.each), bool)
        for i, number in enumerate(photo):
            pools = self.pools[number]
            for j in range(self.each):
                sentence[i, j], borrowed[i, j] = self._sentence(number, pools, bool(whole[i]), sentence[i, :j])
        x, y = self._views(self.table["size"][photo].astype(float), shape, whole)
        return Drawn(photo, sentence, borrowed, x, y, rng.random(self.photos) < 0.5, shape)

    def _sentence(self, photo: int, pools: dict[Any, np.ndarray], whole: bool, taken: np.ndarray) -> tuple[int, bool]:
        rng = self.rng
        lot = rng.random()
        if lot < 0.05 and self.borrows[photo] and len(self.lendable):
            for _ in range(8):
                row = self.lendable[rng.integers(len(self.lendable))]
                if not self.table["shows"][photo, self.table["named"][row]]:
                    return int(row), True
        wanted = "absent" if lot < 0.19 else "generated" if lot < 0.41 else "caption" if lot < 0.43 else "people"
        for name in (wanted, "people", "generated", "absent", "caption"):
            rows = pools.get((name, whole))
            if rows is not None:
                for _ in range(3):  # rather another one than the same again
                    row = int(rows[rng.integers(len(rows))])
                    if row not in taken:
                        break
                return row, False
        return int(next(iter(pools.values()))[0]), False  # nothing is true of every part: judged by what is seen

    def _views(self, size: np.ndarray, shape: tuple[int, int], whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Source pixels a view's pixel (step) and where the view begins (start), for x and for y, each (b 2)."""
        rng, b = self.rng, len(size)
        fit = np.minimum(shape[0] / size[:, 0], shape[1] / size[:, 1])
        as_is = rng.random(b) < 0.5
        smaller = np.where(as_is, 1.0, rng.uniform(0.65, 1.0, b))
        larger = np.exp(rng.uniform(math.log(1.1), math.log(2.2), b))
        scale = fit * np.where(whole, smaller, larger)
        stretch = np.exp(rng.uniform(-0.12, 0.12, b)) * np.where(whole & as_is, 0.0, 1.0) + np.where(
            whole & as_is, 1.0, 0.0
        )
        found = []
        for axis, factor in ((1, stretch), (0, 1 / stretch)):
            step = 1 / (scale * factor)
            slack = size[:, axis] - shape[axis] * step  # below 0: room around the photograph
            found.append(np.stack([step, rng.random(b) * slack], 1))
        return found[0], found[1]


def prefetched(draw: Draw) -> Iterator[Drawn]:
    """Drawn in a thread, a few ahead."""
    ready: queue.Queue[Drawn] = queue.Queue(maxsize=8)

    def work() -> None:
        while True:
            ready.put(draw())

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield ready.get()


class Batch(NamedTuple):
    """image (b 3 H W); ids (b*k l); mask (b*k 1 H' W') in [0, 1]; present, weight (b*k); box (b*k 4) as x0 y0 x1 y1."""

    image: Tensor
    ids: Tensor
    mask: Tensor
    present: Tensor
    weight: Tensor
    box: Tensor


def resampling(view: np.ndarray, mirror: np.ndarray | None, length: int, device: str, dtype: torch.dtype) -> Tensor:
    """The matrix (b length SIDE) that resamples one axis: a triangle as wide as a step, so that nothing is skipped."""
    step, start = (torch.from_numpy(view[:, k]).float().to(device)[:, None, None] for k in (0, 1))
    at = torch.arange(length, device=device)[None, :, None].float()
    if mirror is not None:
        at = torch.where(torch.from_numpy(mirror).to(device)[:, None, None], length - 1 - at, at)
    source = start + (at + 0.5) * step - 0.5
    wide = step.clamp_min(1.0)
    weights = (1 - (source - torch.arange(SIDE, device=device).float()).abs() / wide).clamp_min(0) / wide
    return weights.to(dtype)


def collate(drawn: Drawn, data: Data, stride: int, device: str, *, train: bool) -> Batch:
    """Views and their masks, made on the device."""
    half = torch.float16 if device == "cuda" else torch.float32
    b, k = drawn.sentence.shape
    height, width = drawn.shape
    photo = torch.from_numpy(drawn.photo).to(device)
    rows_y = resampling(drawn.y, None, height, device, half)
    rows_x = resampling(drawn.x, drawn.mirror, width, device, half)
    mean = torch.tensor([123.675, 116.28, 103.53], device=device)
    std = torch.tensor([58.395, 57.12, 57.375], device=device)
    image = ((data.photos[photo].float() - mean) / std).permute(0, 3, 1, 2).to(half)
    image = (rows_y[:, None] @ image @ rows_x[:, None].transpose(2, 3)).float()
    if train:
        contrast, light, colour = (torch.rand(3, b, 1, 1, 1, device=device) - 0.5) * 2
        grey = image.mean(1, keepdim=True)
        image = grey + (image - grey) * (1 + 0.25 * colour)
        image = image * (1 + 0.25 * contrast) + 0.25 * light
    table, rows = data.table, drawn.sentence.reshape(-1)
    turned = np.repeat(drawn.mirror, k)
    ids = np.where(turned[:, None], table["mirrored"][rows], table["ids"][rows]).astype(np.int64)
    sayable = (ids != PADDING).any(1)
    number = np.where(drawn.borrowed.reshape(-1), -1, table["mask"][rows])
    ids = torch.from_numpy(ids).to(device)
    if train:
        lost = (torch.rand(ids.shape, device=device) < 0.03) & (ids != PADDING)
        ids = torch.where(lost, UNKNOWN, ids)
    number_t = torch.from_numpy(number).to(device)
    index = number_t.clamp_min(0)
    named = (number_t >= 0).float()
    # at two samples a cell and then a mean: soft at the outline
    fine_y = _every(drawn.y, stride // 2 or 1)
    fine_x = _every(drawn.x, stride // 2 or 1)
    size = (height // (stride // 2 or 1), width // (stride // 2 or 1))
    ry = resampling(fine_y, None, size[0], device, half).repeat_interleave(k, 0)
    rx = resampling(fine_x, drawn.mirror, size[1], device, half).repeat_interleave(k, 0)
    mask = (ry @ data.masks[index].to(half) @ rx.transpose(1, 2)).float().clamp(0, 1) * named[:, None, None]
    steps = torch.from_numpy(drawn.x[:, 0] * drawn.y[:, 0]).float().to(device).repeat_interleave(k)
    seen = mask.sum((1, 2)) * steps * (stride // 2 or 1) ** 2 / data.area[index].clamp_min(1)
    mask = mask[:, None]
    if stride >= 2:
        mask = F.avg_pool2d(mask, 2)
    visible = (named > 0) & (seen >= LEAST_SEEN)
    gone = (named > 0) & (seen < MOST_HIDDEN)
    free = torch.from_numpy(~table["place"][rows]).to(device)
    weight = torch.from_numpy(sayable).to(device) & (visible | (gone & free) | (named == 0))
    mask = mask * visible[:, None, None, None]
    return Batch(image, ids, mask, visible.float(), weight.float(), boxes(mask))


def _every(view: np.ndarray, coarser: int) -> np.ndarray:
    return np.stack([view[:, 0] * coarser, view[:, 1]], 1)


def boxes(mask: Tensor) -> Tensor:
    """The box of each mask (m 1 h w) as shares of the sides: x0 y0 x1 y1 (m 4); zeros for an empty one."""
    on = mask[:, 0] > 0.5
    ends = []
    for axis in (1, 2):
        line = on.any(axis)
        length = line.shape[1]
        place = torch.arange(length, device=mask.device).float()
        low = torch.where(line, place, torch.tensor(float(length), device=mask.device)).amin(1) / length
        high = torch.where(line, place + 1, torch.tensor(0.0, device=mask.device)).amax(1) / length
        ends.append((low, high))
    (x0, x1), (y0, y1) = ends
    found = torch.stack([x0, y0, x1, y1], 1)
    return torch.where((x1 > x0)[:, None], found, torch.zeros_like(found))


# --- model ------------------------------------------------------------------------------------------------------------


def config_of(flavour: str, vocab: int) -> ModelConfig:
    config = restr_small(vocab=vocab)
    config = dataclasses.replace(config, vision=dataclasses.replace(config.vision, frozen=False))
    if flavour == "small":
        return config
    vision = dataclasses.replace(config.vision, blocks=dataclasses.replace(config.vision.blocks, depth=5))
    fusion = dataclasses.replace(
        config.fusion, visual_linguistic=dataclasses.replace(config.fusion.visual_linguistic, depth=1)
    )
    return dataclasses.replace(config, vision=vision, fusion=fusion)


class Trained(nn.Module):
    """The model, and the head for boxes that only training has."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.model = build_model(config, seed=0)
        width = config.fusion.width
        self.box = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 4))

    def forward(self, image: Tensor, ids: Tensor, each: int) -> tuple[ReSTROutput, Tensor]:
        model = self.model
        patches, grid = model.encode_image(image)
        placed = model.fusion.place(patches, grid)
        z_v = placed.patches.repeat_interleave(each, 0)
        word_pad = ids == PADDING
        words = model.encode_words(ids, word_pad)
        fused = model.fusion.meet(Placed(z_v, grid), words, word_pad)
        return model.decode(fused, grid), self.box(fused.classifier[:, 0]).float().sigmoid()


def load_start(model: ReSTR, path: Path) -> None:
    state = dequantise(load_file(path))
    own = model.state_dict()
    state = {name: value for name, value in state.items() if name in own}
    missing, unknown = model.load_state_dict(state, strict=False)
    print(f"{len(state)} tensors loaded, {len(missing)} new: {sorted({name.split('.')[0] for name in missing})}")


def enlarge_by_products(upsample: Upsample, features: Tensor, *, enlarge: bool = True) -> Tensor:
    """``Upsample.forward`` with two matrix products: PyTorch's bilinear gradient is slow with channels last."""
    features = upsample.proj(features)
    if enlarge:
        b, h, w, c = features.shape
        rows, columns = (_doubling(side, features) for side in (h, w))
        features = (rows @ features.reshape(b, h, w * c)).view(b * 2 * h, w, c)
        features = (columns @ features).view(b, 2 * h, 2 * w, c)
    return F.leaky_relu(features, upsample.config.negative_slope)


def without_layout(block: nn.Module, tokens: Tensor, key_mask: Tensor | None = None, layout: Any = None) -> Tensor:
    """``Transformer.through`` for full attention."""
    return block(tokens, key_mask)


DOUBLINGS: dict[tuple[Any, ...], Tensor] = {}


def _doubling(side: int, like: Tensor) -> Tensor:
    key = side, like.device, like.dtype
    if key not in DOUBLINGS:
        unit = torch.eye(side)[None, None]
        doubled = F.interpolate(unit, size=(2 * side, side), mode="bilinear", align_corners=False)
        DOUBLINGS[key] = doubled[0, 0].to(like)
    return DOUBLINGS[key]


def parameter_groups(trained: Trained, args: Namespace) -> list[dict[str, Any]]:
    depth = trained.model.config.vision.blocks.depth
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, value in trained.named_parameters():
        if not value.requires_grad:
            continue
        lr = args.lr
        if name.startswith("model.vision."):
            part = name.split(".")
            layer = int(part[3]) + 1 if part[2] == "blocks" else depth if part[2] == "norm" else 0
            lr = args.vision_lr * args.layer_decay ** (depth - layer)
        elif name.startswith("model.language.") and "proj_out" not in name and "language.norm." not in name:
            lr = args.language_lr
        decay = args.weight_decay if value.ndim == 2 else 0.0
        groups[lr, decay].append(value)
    return [{"params": some, "lr": lr, "base": lr, "weight_decay": decay} for (lr, decay), some in groups.items()]


def losses(output: ReSTROutput, box: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Means over the sentences that count; a mask's Dice and box only where something is meant."""
    logits, target = output.logits.float().flatten(1), batch.mask.flatten(1)
    weight, present = batch.weight, batch.present * batch.weight
    count, there = weight.sum().clamp_min(1), present.sum().clamp_min(1)
    quiet = weight * (0.3 + 0.7 * batch.present)  # of what is absent the mask need not know as well as the presence
    pixel = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    prob = logits.sigmoid()
    dice = 1 - (2 * (prob * target).sum(1) + 1) / (prob.sum(1) + target.sum(1) + 1)
    share = F.adaptive_avg_pool2d(batch.mask, output.grid).flatten(1)
    patch = F.binary_cross_entropy_with_logits(output.patch_logits.float(), share, reduction="none").mean(1)
    presence = F.binary_cross_entropy_with_logits(output.presence.float(), batch.present, reduction="none")
    cx, cy, w, h = box.unbind(1)
    guess = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)
    far = (guess - batch.box).abs().mean(1)
    giou = generalised_iou(guess, batch.box)
    found = {
        "mask": (pixel * quiet).sum() / count,
        "dice": (dice * present).sum() / there,
        "patch": (patch * quiet).sum() / count,
        "presence": (presence * weight).sum() / count,
        "box": (far * present).sum() / there,
        "giou": ((1 - giou) * present).sum() / there,
    }
    scale = {"mask": 1.0, "dice": 1.0, "patch": 0.5, "presence": 0.3, "box": 1.0, "giou": 0.3}
    found["total"] = sum(scale[name] * value for name, value in found.items())
    return found


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019) of boxes x0 y0 x1 y1, row by row."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    both = (high - low).clamp_min(0).prod(1)
    either = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return both / either.clamp_min(1e-6) - (hull - either) / hull.clamp_min(1e-6)


# --- validation -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def validate(model: ReSTR, data: Data, device: str, photos: int) -> dict[str, Any]:
    """Everyday sentences of the photographs that are never trained on, at the model's input size."""
    table = data.table
    chosen = np.flatnonzero(table["val"] & data.there)[:photos]
    rows: list[tuple[float, ...]] = []
    for photo in chosen:
        sentences = np.flatnonzero((table["photo"] == photo) & (table["kind"] <= ABSENT))
        if not len(sentences):
            continue
        height, width = table["size"][photo].astype(float)
        scale = SIDE / max(height, width)
        shape = tuple(max(16, round(side * scale / 16) * 16) for side in (height, width))
        view = [np.array([[side / out, 0.0]]) for side, out in ((width, shape[1]), (height, shape[0]))]
        drawn = Drawn(
            np.array([photo]), sentences[None], np.zeros((1, len(sentences)), bool), *view, np.zeros(1, bool), shape
        )
        batch = collate(drawn, data, 1, device, train=False)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            patches, grid = model.encode_image(batch.image)
            word_pad = batch.ids == PADDING
            fused = model.fusion.meet(
                model.fusion.place(patches, grid), model.encode_words(batch.ids, word_pad), word_pad
            )
            output = model.decode(fused, grid)
        mask, guess = batch.mask > 0.5, output.logits > 0
        both, either = (mask & guess).sum((1, 2, 3)), (mask | guess).sum((1, 2, 3))
        rows += zip(
            both.tolist(), either.tolist(), output.presence.float().sigmoid().tolist(), table["kind"][sentences].tolist(),
            table["source"][np.full(len(sentences), photo)].tolist(),
            strict=True,
        )  # fmt: skip
    both, either, presence, kind, source = np.array(rows).T
    there = kind != ABSENT
    found: dict[str, Any] = {"n": int(there.sum()), "absent": int((~there).sum())}
    for name, some in (
        ("all", there),
        ("one", kind == ONE),
        ("group", kind == GROUP),
        ("photos", there & (source == 0)),
    ):
        if some.any():
            iou = both[some] / np.maximum(either[some], 1)
            found[name] = {
                "oiou": both[some].sum() / either[some].sum(),
                "miou": iou.mean(),
                "pr50": (iou >= 0.5).mean(),
            }
    if (~there).any():
        ranks = np.argsort(np.argsort(np.concatenate([presence[there], presence[~there]]))) + 1
        positive = there.sum()
        auc = (ranks[:positive].sum() - positive * (positive + 1) / 2) / (positive * (~there).sum())
        cut = np.quantile(presence[there], 0.05)
        found["presence"] = {"auc": auc, "threshold": cut, "n_acc": (presence[~there] < cut).mean()}
    return json.loads(json.dumps(found, default=float))


# --- the run ----------------------------------------------------------------------------------------------------------


def write_model(trained: Trained, average: list[Tensor], out: Path) -> None:
    """The averaged weights in parts that are small enough to be carried."""
    state = {name: value.detach().clone() for name, value in trained.model.state_dict().items()}
    learnt = [name for name, value in trained.named_parameters() if value.requires_grad]
    for name, value in zip(learnt, average, strict=True):
        if name.startswith("model."):
            state[name.removeprefix("model.")] = value
    state = {name: value.cpu().contiguous() for name, value in state.items() if name != "language.vectors.weight"}
    vision = quantise({name: value for name, value in state.items() if name.startswith("vision.")})
    rest = {name: value.half() for name, value in state.items() if not name.startswith("vision.")}
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, value in {**vision, **rest}.items():
        length = value.numel() * value.element_size()
        if size + length > PART_BYTES:
            parts.append({})
            size = 0
        parts[-1][name] = value
        size += length
    for number, part in enumerate(parts):
        save_file(part, out / f"model-{number}.safetensors")


def main() -> None:
    args, begin = arguments(), time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    cuda = args.device == "cuda"
    data = read_data(args.data, args.device, args.workers)
    print(f"data after {time.monotonic() - begin:.1f} s: {int(data.there.sum())} photographs, {len(data.masks)} masks")
    config = config_of(args.flavour, len((args.data / "vocab.txt").read_text().splitlines()) + 2)
    trained = Trained(config)
    load_start(trained.model, args.data / "start.safetensors")
    trained.to(args.device).train()
    model = trained.model
    for module in model.modules():
        if isinstance(module, Upsample):
            module.forward = enlarge_by_products.__get__(module)  # type: ignore[method-assign]
    for module in model.vision.modules():
        if isinstance(module, DropPath):
            module.rate = config.vision.blocks.drop_path  # one rate at every depth: one compiled block for all
    if args.compile:
        for encoder in (model.vision, model.fusion.visual_linguistic):
            encoder.through = without_layout  # full attention needs none, and a compiled block would be one for each
            for block in encoder.blocks:
                block.compile(dynamic=False)
    groups = parameter_groups(trained, args)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=cuda)
    learnt = [value for value in trained.parameters() if value.requires_grad]
    average = [value.detach().clone() for value in learnt]
    print(f"{sum(v.numel() for v in learnt):,} parameters learn; {time.monotonic() - begin:.1f} s")
    patch = config.vision.patch
    shape = (23 * patch, 30 * patch) if args.flavour == "small" else (12 * patch, 16 * patch)
    draws = prefetched(Draw(data, args.photos, args.each, args.seed, shape))
    log = open(args.out / "log.jsonl", "w")
    start = time.monotonic()
    step, spent, marks = 0, 0.0, [1 / 3, 2 / 3]
    while True:
        done = (step / args.steps) if args.steps else spent / args.seconds
        if done >= 1:
            break
        model.decoder.coarse = 2 if done < args.fine_from else 1
        warm = min(1.0, done / 0.04) if not args.steps else min(1.0, (step + 1) / (0.04 * args.steps + 1))
        factor = max(warm, 1e-3) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * factor
        batch = collate(next(draws), data, 1 << model.decoder.coarse, args.device, train=True)
        with torch.autocast(args.device, torch.bfloat16, enabled=cuda):
            output, box = trained(batch.image, batch.ids, args.each)
        found = losses(output, box, batch)
        found["total"].backward()
        norm = nn.utils.clip_grad_norm_(learnt, 1.0)
        if not cuda and not torch.isfinite(norm):
            raise RuntimeError("the gradient is not finite")
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        keep = min(0.998, (step + 1) / (step + 10))
        torch._foreach_lerp_(average, [value.detach() for value in learnt], 1 - keep)
        step += 1
        if step == 1 and cuda:  # compiling is no training
            torch.cuda.synchronize()
            start = time.monotonic()
        spent = time.monotonic() - start
        if step % 50 == 0 or step in (1, 5, 20) or args.steps:
            line = {name: round(value.item(), 4) for name, value in found.items()}
            now = time.monotonic()
            line |= {
                "step": step,
                "seconds": round(now - start, 1),
                "done": round(done, 3),
                "norm": round(float(norm), 3),
            }
            line["used"] = round(float(batch.weight.mean()), 3)
            line["present"] = round(float(batch.present.mean()), 3)
            if cuda:
                line["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
            log.write(json.dumps(line) + "\n")
            log.flush()
            if step % 200 == 0 or step <= 50 or args.steps:
                print(json.dumps(line), flush=True)
        if marks and done > marks[0]:
            marks.pop(0)
            pause = time.monotonic()
            print(
                f"step {step}",
                json.dumps(averaged(trained, learnt, average, lambda: validate(model, data, args.device, 40))),
            )
            start += time.monotonic() - pause
            write_model(trained, average, args.out)
    seconds = time.monotonic() - start
    write_model(trained, average, args.out)
    report: dict[str, Any] = {"steps": step, "seconds": seconds, "sentences": step * args.photos * args.each}
    report["val"] = averaged(trained, learnt, average, lambda: validate(model, data, args.device, args.val_photos))
    report["val_last"] = None
    report["sentences_a_second"] = report["sentences"] / seconds
    report["images_a_second"] = step * args.photos / seconds
    report["arguments"] = {name: str(value) for name, value in vars(args).items()}
    if cuda:
        report["device"] = torch.cuda.get_device_name()
    (args.out / "report.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report))
    if args.bench and cuda:
        with torch.no_grad():
            report["bench"] = bench(model.eval(), args)
        (args.out / "report.json").write_text(json.dumps(report, indent=1))
        print(json.dumps(report["bench"]))


def averaged(trained: Trained, learnt: list[nn.Parameter], average: list[Tensor], ask: Any) -> Any:
    """What ``ask`` gives with the averaged weights in place and all of the decoder."""
    kept = [value.detach().clone() for value in learnt]
    coarse = trained.model.decoder.coarse
    with torch.no_grad():
        torch._foreach_copy_([value.data for value in learnt], average)
    trained.model.decoder.coarse = 0
    trained.eval()
    try:
        with torch.compiler.set_stance("force_eager"):  # validation has photographs of many shapes
            return ask()
    finally:
        trained.train()
        trained.model.decoder.coarse = coarse
        with torch.no_grad():
            torch._foreach_copy_([value.data for value in learnt], kept)


def bench(model: ReSTR, args: Namespace) -> dict[str, Any]:
    """Milliseconds of inference by batch and precision, beside the machine's matrix product."""

    def milliseconds(work: Any, times: int = 10) -> float:
        for _ in range(3):
            work()
        torch.cuda.synchronize()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        marks[0].record()
        for _ in range(times):
            work()
        marks[1].record()
        torch.cuda.synchronize()
        return marks[0].elapsed_time(marks[1]) / times

    found: dict[str, Any] = {}
    a = torch.randn(8192, 8192, device="cuda")
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        torch.backends.cuda.matmul.allow_tf32 = False
        x = a.to(dtype)
        found[f"peak_{name}_tflops"] = 2 * 8192**3 / milliseconds(lambda x=x: x @ x, 5) / 1e9
        for b in (1, 8, 64):
            image = torch.randn(b, 3, 480, 480, device="cuda")
            ids = torch.randint(2, 1000, (b, 6), device="cuda")
            pad = ids == PADDING
            with torch.autocast("cuda", torch.bfloat16, enabled=name == "bf16"):
                found[f"first_{name}_{b}_ms"] = milliseconds(
                    lambda image=image, ids=ids, pad=pad: model(image, ids, pad)
                )
                features = model.encode_image(image)
                found[f"further_{name}_{b}_ms"] = milliseconds(
                    lambda f=features, ids=ids, pad=pad: model.segment(f, model.encode_words(ids, pad), pad)
                )
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    sys.exit(main())
