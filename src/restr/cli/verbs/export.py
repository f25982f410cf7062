"""``restr export``: a model for runtimes that need no PyTorch, or less of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from restr import __version__
from restr.cli.jobs import image_files
from restr.cli.options import parse_options
from restr.errors import ConfigError
from restr.inference.exported import Target


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a model for another runtime, as two graphs, so that an image is still encoded once for many sentences.

    The folder runs in restr.Segmenter.from_pretrained and in restr predict --model; its parity.md says how far its
    results are from the model's.

    Example: restr export --to onnx --out exported
    """

    model: Annotated[Path | None, tyro.conf.Positional, arg(metavar="MODEL", help_behavior_hint="")] = None
    """A model folder, a training run or its checkpoint (RUN/best.pt, RUN/last), or hf:USER/MODEL of the Hugging Face hub
    (default: the bundled model)."""

    to: Target = "onnx"
    """The runtime. aoti compiles for processors like this one and takes minutes; the others take about one minute."""

    out: Annotated[Path, arg(metavar="DIR")] = Path("exported")
    """The folder to write."""

    int8: bool = False
    """Matrix products in int8 (onnx, openvino). Needs no photographs: their inputs are rounded as they come."""

    bf16: bool = False
    """Matrix products in bfloat16 (openvino, torch-export, aoti)."""

    fixed_size: bool = False
    """Accept one size only, the model's own, with pictures padded to a square; otherwise any multiple of the patch."""

    whole: bool = False
    """Also write one graph from image and sentence to mask, for servers that run a single model."""

    photo: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction, arg(metavar="IMAGE")] = ()
    """A photograph, or a folder of them, to measure parity on instead of drawn pictures; the first two are taken."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; 1 if an fp32 export differs from the model by more than allowed. Raises ``RestrError``."""
    settings = parse_options(Export, "restr export", arguments)
    if settings.int8 and settings.bf16:
        raise ConfigError("both --int8 and --bf16; choose one of them")
    from rich.console import Console

    from restr.export.run import Plan, export  # torch loads here
    from restr.inference.locate import model_folder
    from restr.inference.sources import read_image
    from restr.model.folder import folder_hash
    from restr.model.weights import load_pretrained

    plan = Plan(
        target=settings.to,
        precision="int8" if settings.int8 else "bf16" if settings.bf16 else "fp32",
        dynamic=not settings.fixed_size,
        whole=settings.whole,
    )
    photographs = [read_image(path) for place in settings.photo for path in image_files(str(place))]
    folder = model_folder(settings.model)
    model, vocabulary = load_pretrained(folder)
    source = {"name": model.config.name, "restr": __version__, "hash": folder_hash(folder)}
    with Console(stderr=True).status("loading") as status:
        report = export(
            model,
            vocabulary,
            settings.out,
            plan,
            source=source,
            photographs=photographs,
            say=status.update,
        )
    size = sum(file.stat().st_size for file in settings.out.iterdir()) / 1e6
    print(f"{settings.out}: {plan.target}, {plan.precision}, {size:.0f} MB")
    print(f"  logits differ by at most {report.difference:.2g}, masks agree on {report.agreement:.3%} of pixels")
    for part, ms in report.milliseconds.items():
        print(f"  {part}: {ms['export']:.0f} ms, PyTorch {ms['torch']:.0f} ms")
    print(f"  {settings.out / 'parity.md'}")
    if plan.precision == "fp32" and not report.holds:
        print("restr export: further from the model than fp32 may be; see parity.md", file=sys.stderr)
        return 1
    return 0
