"""The models in the runtimes that are installed, for the benchmarks that compare them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

from restr import Segmenter
from restr.export.run import Plan, export
from restr.inference.backends.base import Backend
from restr.inference.exported import FACTS
from restr.inference.fastest.machine import restr_version
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.presets import restr_released
from restr.text.vocabulary import Vocabulary

EXPORTS = (("onnx", "fp32"), ("onnx", "int8"), ("openvino", "fp32"), ("openvino", "int8"))


def installed(target: str) -> bool:
    return find_spec({"onnx": "onnxruntime", "openvino": "openvino"}[target]) is not None


def exports(
    model: ReSTR,
    vocabulary: Vocabulary,
    root: Path,
    wanted: Sequence[tuple[str, str]],
) -> dict[str, Backend]:
    """The model in other runtimes, by name; exports in ``root`` by this version of restr are used again."""
    found: dict[str, Backend] = {}
    for target, precision in wanted:
        folder = root / f"{model.config.name}-{target}-{precision}-{restr_version()}"
        if not installed(target):
            continue
        if not (folder / FACTS).exists():
            print(f"exporting {folder.name} ...", file=sys.stderr, flush=True)
            export(model, vocabulary, folder, Plan(target=target, precision=precision))  # type: ignore[arg-type]
        found[f"{target} {precision}"] = Segmenter.from_pretrained(folder, threads=torch.get_num_threads()).backend
    return found


def released_base() -> tuple[ReSTR, Vocabulary]:
    """``restr_base`` in the released program's setting, with random weights and words."""
    config = restr_released()
    # the same function, see the decoder
    config = replace(config, decoder=replace(config.decoder, order="project_first"))
    rows = config.language.vocab - config.language.unknown_row - 1
    vocabulary = Vocabulary(f"word{number}" for number in range(rows)).of(config.language)
    return build_model(config, seed=0).eval(), vocabulary
