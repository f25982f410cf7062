"""A whole export: graphs, files, the manifest, and the comparison with the model."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from restr.config import ModelConfig
from restr.errors import ConfigError
from restr.export import parity
from restr.export.graphs import Graph, graphs
from restr.export.quiet import quiet
from restr.export.rewriting import for_runtimes
from restr.inference.backends.opening import open_exported
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.exported import FACTS, ExportManifest, Precision, Target
from restr.inference.fastest.kept import PARTIAL
from restr.model.folder import VOCABULARY, WEIGHTS
from restr.model.restr import ReSTR
from restr.text.vocabulary import Vocabulary

PRECISIONS: dict[str, tuple[str, ...]] = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch-export": ("fp32", "bf16"),
    "aoti": ("fp32", "bf16"),
}
COMPARED = 2  # photographs
SUFFIX = {"onnx": "onnx", "openvino": "xml", "torch-export": "pt2", "aoti": "pt2"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The form of an export."""

    target: Target = "onnx"
    """The runtime's format."""
    precision: Precision = "fp32"
    """The number format of weights and matrix products."""
    dynamic: bool = True
    """Whether images may have any size; otherwise only the preprocessing's size, padded to a square."""
    whole: bool = False
    """Also a single graph for image and sentence together."""

    def __post_init__(self) -> None:
        if self.target not in PRECISIONS:
            raise ConfigError(f"target is {self.target!r}; choose one of {', '.join(PRECISIONS)}")
        if self.precision not in PRECISIONS[self.target]:
            able = [target for target, precisions in PRECISIONS.items() if self.precision in precisions]
            raise ConfigError(
                f"{self.target} is not exported in {self.precision} but in {', '.join(PRECISIONS[self.target])}; "
                f"for {self.precision} choose {' or '.join(able) or 'another target'}"
            )


def export(
    model: ReSTR,
    vocabulary: Vocabulary,
    out: Path,
    plan: Plan,
    *,
    source: dict[str, Any] | None = None,
    photographs: Sequence[np.ndarray] = (),
    quick: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> parity.Parity:
    """Write an export folder, which ``Segmenter.from_pretrained`` reads, and measure it.

    source: the model's origin, for the manifest. photographs: uint8 (H W 3), the first two of which both are compared on,
    instead of drawn pictures. quick: compare and time less. say: called with a description of each step. The files appear
    when all are complete, ``restr.json`` last. Raises ``ConfigError``.
    """
    if (out / WEIGHTS).exists():
        raise ConfigError(f"{out} is a model folder; choose another for the export")
    model = model.to("cpu").eval()
    config = model.config if plan.dynamic else of_one_size(model.config)
    coarse = 1 if plan.precision == "int8" else 0  # changes less than rounding does
    traced = for_runtimes(model, coarse=coarse) if plan.target in ("onnx", "openvino") else model
    write = writer(plan)
    found = graphs(traced, dynamic=plan.dynamic, whole=plan.whole)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=PARTIAL) as name:
        folder = Path(name)
        facts = ExportManifest(
            folder=folder,
            target=plan.target,
            precision=plan.precision,
            config=config,
            files={graph: f"{graph}.{SUFFIX[plan.target]}" for graph in found},
            size=None if plan.dynamic else (config.preprocess.size, config.preprocess.size),
            source=source or {"name": config.name},
        )
        for title, graph in found.items():
            say(f"{title} to {plan.target}")
            with quiet():
                write(graph, facts.path_to_be(title), facts.to_dict())
        vocabulary.save(folder / VOCABULARY)
        say("comparing")
        reference = TorchBackend(model, device="cpu")
        exported = open_exported(facts, device="cpu")
        report = parity.measure_parity(reference, exported, photographs=photographs[:COMPARED], quick=quick)
        (folder / "parity.json").write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
        (folder / "parity.md").write_text(report.markdown(), encoding="utf-8")
        (out / FACTS).unlink(missing_ok=True)  # a folder without it is not an export
        for file in sorted(folder.iterdir()):
            os.replace(file, out / file.name)
        replace(facts, folder=out).save()
    return report


def of_one_size(config: ModelConfig) -> ModelConfig:
    """The config of a graph for one square size: photographs that would keep their shape are padded instead."""
    fit = "letterbox" if config.preprocess.fit == "longest" else config.preprocess.fit
    return replace(config, preprocess=replace(config.preprocess, fit=fit))


def writer(plan: Plan) -> Callable[[Graph, Path, dict[str, Any]], None]:
    """A function that writes a graph to a file. Raises ``ConfigError`` if a library is not installed."""
    if plan.target in ("torch-export", "aoti"):
        from restr.export.pt2_target import compile_program, save_program

        save = save_program if plan.target == "torch-export" else compile_program
        return lambda graph, path, facts: save(graph, path, bf16=plan.precision == "bf16")
    from restr.export import onnx_target

    int8 = plan.precision == "int8"
    if plan.target == "onnx":
        import restr.inference.backends.onnx_backend  # noqa: F401  (raises at once if onnxruntime is missing)

        def to_onnx(graph: Graph, path: Path, facts: dict[str, Any]) -> None:
            onnx_target.save(onnx_target.to_onnx(graph, facts), path)
            if int8:
                onnx_target.to_int8(path, path)

        return to_onnx
    from restr.export import openvino_target

    def to_openvino(graph: Graph, path: Path, facts: dict[str, Any]) -> None:
        between = path.with_suffix(".onnx")
        model = onnx_target.to_onnx(graph, facts)
        if int8:
            onnx_target.int8_weights(model)
        onnx_target.save(model, between)
        openvino_target.from_onnx(between, path)
        between.unlink()

    return to_openvino
