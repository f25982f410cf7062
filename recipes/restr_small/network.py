"""The trained network: restr_small, a head for boxes that only training has, and the learning rates of the parts."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from restr.config import ModelConfig
from restr.model.build import build_model
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.weights import dequantise, quantise, read_tensors, write_tensors
from restr.presets import restr_small

Flavour = Literal["small", "tiny"]
WORD_TABLE = "language.vectors.weight"  # the only part of the model that does not learn
PART_BYTES = 15 * 2**20  # of a model-*.safetensors: small enough to be carried


def config_of(flavour: Flavour, vocab: int) -> ModelConfig:
    """restr_small, or for tests a tiny flavour of it: 5 vision and 1 visual-linguistic blocks."""
    config = restr_small(vocab=vocab)
    if flavour == "small":
        return config
    vision = dataclasses.replace(config.vision, blocks=dataclasses.replace(config.vision.blocks, depth=5))
    fewer = dataclasses.replace(config.fusion.visual_linguistic, depth=1)
    return dataclasses.replace(
        config, vision=vision, fusion=dataclasses.replace(config.fusion, visual_linguistic=fewer)
    )


class Network(nn.Module):
    """The model, and a head that finds the referent's box."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        learning = dataclasses.replace(config, vision=dataclasses.replace(config.vision, frozen=False))
        self.model = build_model(learning, seed=0)
        width = config.fusion.width
        self.box = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 4))

    def forward(self, image: Tensor, ids: Tensor, each: int) -> tuple[ReSTROutput, Tensor]:
        """image (b 3 H W), ids (b*each l) -> output, box (b*each 4): centre and sides as shares of the view's."""
        tokens = self.model.encode_image(image)
        output = self.model.segment(tokens._replace(patches=tokens.patches.repeat_interleave(each, 0)), ids)
        assert output.classifier is not None
        return output, self.box(output.classifier[:, 0]).float().sigmoid()


def load_start(model: ReSTR, path: Path) -> None:
    """Give the model the pre-trained tensors that it has a place for, and say which of its parts begin untrained."""
    start = dequantise(read_tensors(path))
    own = model.state_dict()
    known = {name: value for name, value in start.items() if name in own}
    missing = model.load_state_dict(known, strict=False).missing_keys
    parts = sorted({name.split(".")[0] for name in missing})
    print(f"{len(known)} of {len(start)} tensors loaded, {len(missing)} begin untrained, in {', '.join(parts)}")


class Rates(NamedTuple):
    """Learning rates: of the parts that begin untrained, of the vision encoder's last block, of the pre-trained language
    blocks; ``layer_decay``: factor from a vision block to the one before it. A part whose rate is 0 is frozen."""

    lr: float
    vision: float
    language: float
    layer_decay: float
    weight_decay: float


def parameter_groups(network: Network, rates: Rates) -> list[dict[str, Any]]:
    """Groups for the optimiser, each with its own rate as ``base``; only matrices decay. Freezes what has the rate 0."""
    depth = network.model.config.vision.blocks.depth
    groups: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)
    for name, value in network.named_parameters():
        if not value.requires_grad:
            continue
        lr = rates.lr
        if name.startswith("model.vision."):
            part = name.split(".")
            layer = int(part[3]) + 1 if part[2] == "blocks" else depth if part[2] == "norm" else 0
            lr = rates.vision * rates.layer_decay ** (depth - layer)
        elif name.startswith("model.language.") and "proj_out" not in name and "language.norm." not in name:
            lr = rates.language
        if lr == 0:
            value.requires_grad_(False)
            continue
        groups[lr, rates.weight_decay if value.ndim == 2 else 0.0].append(value)
    return [{"params": some, "lr": lr, "base": lr, "weight_decay": decay} for (lr, decay), some in groups.items()]


def write_model(model: ReSTR, folder: Path) -> None:
    """The model without its word table as ``model-*.safetensors``: vision encoder in int8, the rest in fp16."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    del state[WORD_TABLE]
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
        write_tensors(part, folder / f"model-{number}.safetensors")
