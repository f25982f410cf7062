"""A trained model fitted to another patch size: the same weights on a finer or coarser grid of patches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from restr.config import ModelConfig
from restr.errors import ConfigError
from restr.model.build import build_model
from restr.model.decoder import Decoder
from restr.model.restr import ReSTR
from restr.model.weights import load_state
from restr.nn.patches import resample_patch_embedding, resize_positions

AttentionKind = Literal["full", "windowed"]
ResamplingRule = Literal["enlarged", "flexivit"]

_LEAST_WEIGHT = 0.01  # of a pixel whose probability is 0 or 1, beside at most 0.25 where it is 1/2


def config_with_patch(
    config: ModelConfig, patch: int, *, vision: AttentionKind | None = None, fusion: AttentionKind | None = None
) -> ModelConfig:
    """The config with another patch; the grid of the position embedding grows or shrinks with it.

    vision, fusion: the attention of the vision and of the visual-linguistic encoder; by default, as it is. Raises
    ``ConfigError`` if the patch does not fit.
    """
    old = config.vision.patch
    if patch < 2 or patch & (patch - 1):
        raise ConfigError(f"the patch is {patch}; the decoder doubles the resolution, so choose 2, 4, 8, 16 or 32")
    grid = config.vision.grid * old // patch
    if grid * patch != config.vision.grid * old:
        raise ConfigError(f"a grid of {config.vision.grid} patches of {old} pixels has no whole patches of {patch}")

    blocks, mixed = config.vision.blocks, config.fusion.visual_linguistic
    if vision is not None:
        blocks = dataclasses.replace(blocks, attention=vision)
    if fusion is not None:
        mixed = dataclasses.replace(mixed, attention=fusion)
    return dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, patch=patch, grid=grid, blocks=blocks),
        fusion=dataclasses.replace(config.fusion, visual_linguistic=mixed),
    )


def resample_patches(model: ReSTR, config: ModelConfig, *, rule: ResamplingRule = "enlarged") -> ReSTR:
    """A model of ``config`` with the weights of ``model``, fitted to its patch size; in eval mode.

    config: of ``config_with_patch``, or of the same parts otherwise. Patch embedding and positions are resampled; the
    decoder keeps its first K' blocks, as many as it needs now, and gets a head that stands for the other blocks (see
    ``shorter_head``). All other weights are the same. A larger patch, which needs more decoder blocks than there are, is a
    ``ConfigError``.

    rule: "enlarged" makes a patch's token that of the same patch enlarged to the old size, pixel by pixel, so the vision
    encoder sees what it would see in the enlarged image; "flexivit" is ``resample_patch_embedding``.
    """
    old, new = model.config.vision.patch, config.vision.patch
    blocks, kept = model.config.decoder_blocks, config.decoder_blocks
    if kept > blocks:
        raise ConfigError(
            f"a patch of {new} needs {kept} decoder blocks, the model has {blocks}; choose a patch of at most {old}"
        )
    state = {name: value.detach() for name, value in model.state_dict().items()}
    weight = state["vision.patch_embed.proj.weight"]
    state["vision.patch_embed.proj.weight"] = (
        sum_of_enlarged(weight, new) if rule == "enlarged" else resample_patch_embedding(weight, new)
    )
    first, positions = state["vision.pos_embed"][:, :1], state["vision.pos_embed"][:, 1:]
    grid = (config.vision.grid, config.vision.grid)
    state["vision.pos_embed"] = torch.cat([first, resize_positions(positions, grid)], 1)
    state = shorter_head(state, blocks, kept, model.config.decoder.negative_slope)
    resampled = build_model(config, seed=0)
    load_state(resampled, state)
    return resampled.eval()


def sum_of_enlarged(weight: Tensor, patch: int) -> Tensor:
    """A patch embedding (d 3 p p) for patches of P x P pixels, P dividing p: each pixel gets the weights of its p/P x p/P
    copies in the enlarged patch, summed. So the token of a small patch is the old one of the patch enlarged p/P times
    (nearest neighbour), exactly.
    """
    times, rest = divmod(weight.shape[-1], patch)
    if rest or not times:
        raise ConfigError(f"patches of {weight.shape[-1]} pixels are no enlarged patches of {patch}; choose a divisor")
    return F.avg_pool2d(weight, times) * times**2


def shorter_head(state: dict[str, Tensor], blocks: int, kept: int, slope: float) -> dict[str, Tensor]:
    """The weights of a decoder of the first ``kept`` of ``blocks`` blocks.

    The last blocks and the head are multiplied out to one linear map, each LeakyReLU replaced by its mean slope. It is a
    start for training, or for ``fit_head``, which finds the best linear map on data.
    """
    state = dict(state)
    head, bias = (state.get(f"decoder.head.{part}") for part in ("weight", "bias"))
    if head is None or kept == blocks:
        return state
    offset = torch.zeros(1) if bias is None else bias
    for number in reversed(range(kept, blocks)):
        head = head * (1 + slope) / 2
        added = state.pop(f"decoder.blocks.{number}.proj.bias", None)  # none in the released program's decoder
        offset = offset if added is None else offset + head @ added
        head = head @ state.pop(f"decoder.blocks.{number}.proj.weight")
    state["decoder.head.weight"] = head
    if bias is not None:
        state["decoder.head.bias"] = offset
    return state


@torch.no_grad()
def fit_head(
    model: ReSTR, resampled: ReSTR, pictures: Iterable[tuple[Tensor, Tensor]], *, ridge: float = 1e-3
) -> float:
    """Give ``resampled`` the decoder head that comes closest to the last blocks and the head of ``model``.

    pictures: pairs of image (1 3 H W), normalised, and ids (t l), as ``ReSTR.forward`` takes them. The head is the
    least-squares fit over all their pixels, each weighted by p (1 - p) of the probability that ``model``'s last blocks
    give there, so that outlines count most; ``ridge`` keeps it near the head that ``resampled`` has. Returns the share of
    the weighted variance that the fit explains.
    """
    ours, theirs = resampled.decoder, model.decoder
    if not isinstance(ours, Decoder) or not isinstance(theirs, Decoder):
        raise ConfigError('a head is fitted for decoders of kind "coarse_to_fine" only')
    width = ours.head.in_features
    gram, right = torch.zeros(width + 1, width + 1, dtype=torch.float64), torch.zeros(width + 1, dtype=torch.float64)
    square = total = 0.0
    for image, ids in pictures:
        for features in features_before_head(resampled, image, ids):
            wanted = features
            for block in theirs.blocks[len(ours.blocks) :]:
                wanted = block(wanted, enlarge=False)
            wanted = theirs.head(wanted).double().flatten()
            prob = wanted.sigmoid()
            weight = prob * (1 - prob) + _LEAST_WEIGHT
            inputs = F.pad(features.double().flatten(0, -2), (0, 1), value=1.0)
            gram += inputs.T @ (inputs * weight[:, None])
            right += inputs.T @ (wanted * weight)
            square, total = square + float((weight * wanted**2).sum()), total + float(weight.sum())
    if not total:
        raise ConfigError("there is no picture to fit the decoder's head to; give at least one")
    bias = ours.head.bias if ours.head.bias is not None else torch.zeros(1)
    start = torch.cat([ours.head.weight.flatten(), bias]).double()
    keep = ridge * gram.diagonal().mean() * torch.eye(width + 1, dtype=torch.float64)
    found = torch.linalg.solve(gram + keep, right + keep @ start)
    if ours.head.bias is None:
        found = F.pad(torch.linalg.solve((gram + keep)[:-1, :-1], (right + keep @ start)[:-1]), (0, 1))
    else:
        ours.head.bias.copy_(found[-1:])
    ours.head.weight.copy_(found[None, :-1])
    mean = right[-1] / total
    error = square - 2 * float(found @ right) + float(found @ gram @ found)
    return 1 - error / (square - float(mean) ** 2 * total)


def features_before_head(model: ReSTR, image: Tensor, ids: Tensor) -> Iterator[Tensor]:
    """The features that the decoder's head reads, (1 H W c), sentence by sentence. image (1 3 H W), ids (t l)."""
    found: list[Tensor] = []
    decoder = model.decoder
    if not isinstance(decoder, Decoder):
        raise ConfigError('only a decoder of kind "coarse_to_fine" has features and a head')
    hook = decoder.head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    try:
        tokens = model.encode_image(image)
        for row in ids:
            model.segment(tokens, row[None])
            yield found.pop()
    finally:
        hook.remove()
