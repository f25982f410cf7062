"""``restr convert-checkpoint``: a checkpoint of the authors' released program becomes a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from restr.cli.options import parse_options

if TYPE_CHECKING:
    from restr.model.restr import ReSTR


@dataclass(frozen=True, kw_only=True)
class ConvertCheckpoint:
    """Make a model folder, as restr predict --model reads it, of a checkpoint of the authors' released ReSTR program.

    The patch, the input size, the depths, shared weights and a missing decoder are recognised. Nothing in the file is
    executed.

    Example: restr convert-checkpoint restr.pth --vocabulary vocabulary.txt --out runs/released
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The checkpoint: .pth with the program's state dict, or the same tensors as .safetensors."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """A new folder."""

    vocabulary: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(needed)")] = None
    """The vocabulary file that the program was trained with: a line for every row of the checkpoint's word table."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(ConvertCheckpoint, "restr convert-checkpoint", arguments)
    from restr import presets
    from restr.model.released_weights import convert_released  # torch loads here

    model = convert_released(
        settings.checkpoint, settings.out, presets.restr_released(), vocabulary=settings.vocabulary
    )
    print(f"{settings.checkpoint}: a checkpoint of the released ReSTR program")
    print(*(f"  {line}" for line in _recognised(model)), sep="\n")
    print(f"{settings.out}: a model folder")
    print(f'  restr predict photo.jpg "the dog on the left" --model {settings.out}')
    return 0


def _recognised(model: ReSTR) -> list[str]:
    """What was found in the checkpoint."""
    config = model.config
    fusion, patch, size = config.fusion, config.vision.patch, config.preprocess.size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return [
        f"patches of {patch} x {patch} pixels, input {size} x {size}",
        f"{config.vision.blocks.depth} vision blocks, {config.language.blocks.depth} language blocks",
        f"fusion: {fusion.visual_linguistic.depth} visual-linguistic and {fusion.linguistic_seed.depth} linguistic-seed "
        + ("blocks, one of each stored and shared by all depths" if fusion.sharing == "depth" else "blocks"),
        "no decoder" if config.decoder.kind == "none" else f"a decoder of {config.decoder_blocks} blocks",
        f"{config.language.vocab:,} rows of words, {parameters:,} parameters",
    ]
