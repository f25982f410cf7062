"""Runtimes that are installed or not as a test wants it, and exports of a small model that take no time."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restr.errors import ConfigError, WeightsError
from restr.export import candidates, prepare
from restr.export.graphs import Expression, ImageEncoder
from restr.export.rewriting import for_runtimes
from restr.export.run import Plan
from restr.inference import loading
from restr.inference.backends import fast_backend
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import ExportManifest
from restr.inference.fastest import kept
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, save_pretrained
from restr.text.vocabulary import Vocabulary
from small_exports import WORDS, shallow_model

ALL = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino")
MODEL = "model"  # in the fake export's manifest: the folder that it was made of


class FakeRuntime(ExportedBackend):
    """Runs the model folder that a fake export names; a graph's file must say "graph"."""

    def __init__(self, facts: ExportManifest, *, device: str = "auto", threads: int = 0) -> None:
        super().__init__(facts, threads=threads)
        self.model = for_runtimes(load_pretrained(facts.source[MODEL])[0].eval())

    def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """As ``ExportedBackend.run``."""
        if self.facts.path(graph).read_text() != "graph":
            raise WeightsError(f"{self.facts.path(graph)} cannot be opened")
        module = {"image_encoder": ImageEncoder, "expression": Expression}[graph](self.model)
        with torch.inference_mode():
            found = module(*(torch.from_numpy(each) for each in inputs.values()))
        return [found.numpy()] if isinstance(found, torch.Tensor) else [each.numpy() for each in found]


class Report:
    """A parity report: how far the export is from the model."""

    holds, agreement = True, 1.0


class Machine:
    """A machine with a model folder, a cache of its own, and these packages. ``made``: the exports that were made,
    ``refused``: one that cannot be."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.cache, self.folder = root, root / "cache", root / "model"
        self.made: list[str] = []
        self.milliseconds = {
            "torch fp32": 100.0,
            "torch bf16": 150.0,
            "openvino int8": 20.0,
            "openvino fp32": 50.0,
            "onnx int8": 60.0,
            "onnx fp32": 80.0,
        }
        self.report: Any = Report()
        self.refused = ""
        self._monkeypatch = monkeypatch
        save_pretrained(shallow_model(), WORDS, self.folder)
        monkeypatch.setenv("RESTR_CACHE", str(self.cache))
        monkeypatch.delenv("RESTR_BACKEND", raising=False)
        (root / "temporary").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(root / "temporary"))
        monkeypatch.setattr(candidates, "export", self._export)
        monkeypatch.setattr(candidates, "time_first_expression", self._time)
        monkeypatch.setattr(prepare, "time_first_expression", self._time)
        for module in (candidates, loading):
            monkeypatch.setattr(module, "open_exported", self._open)
        monkeypatch.setattr(loading, "_GPU_FILES", ())
        self.install(ALL)

    def install(self, packages: Collection[str]) -> None:
        """From now on these packages are installed, and the others of ``ALL`` are not."""

        def found(name: str) -> object | None:
            return object() if name in packages else None if name in ALL else find_spec(name)

        for module in (candidates, kept, fast_backend):
            self._monkeypatch.setattr(module, "find_spec", found)

    def _open(self, facts: ExportManifest, **options: Any) -> FakeRuntime:
        return FakeRuntime(facts, device=options.get("device", "auto"), threads=options.get("threads", 0))

    def _export(self, model: ReSTR, vocabulary: Vocabulary, out: Path, plan: Plan, **_: Any) -> Any:
        if f"{plan.target} {plan.precision}" == self.refused:
            raise ConfigError("no such operation")
        self.made.append(f"{plan.target} {plan.precision}")
        files = {name: f"{name}.bin" for name in ("image_encoder", "expression")}
        for name in files.values():
            (out / name).write_text("graph")
        vocabulary.save(out / "vocab.txt")
        ExportManifest(
            folder=out,
            target=plan.target,
            precision=plan.precision,
            config=model.config,
            files=files,
            source={MODEL: str(self.folder)},
        ).save()
        return self.report

    def _time(self, backend: Any) -> float:
        return self.milliseconds.get(f"{backend.name} {backend.precision}", self.milliseconds["torch fp32"])


def export_of(cache: Path, title: str) -> Path:
    """The folder of a kept export, such as "openvino int8"."""
    target, precision = title.split()
    return next((cache / "exports").glob(f"*-{target}-{precision}-*"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A ``Machine`` with an empty cache, on which all runtimes are installed."""
    return Machine(tmp_path, monkeypatch)
