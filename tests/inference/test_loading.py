""" "auto" takes the fastest runtime that the cache knows, and PyTorch wherever anything is missing, old or damaged."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest

from fake_runtimes import Machine, export_of
from restr import Segmenter
from restr.errors import ConfigError
from restr.export.prepare import prepare_runtime
from restr.inference.fastest import kept
from restr.inference.fastest import machine as machine_module
from restr.inference.loading import resolve_runtime
from restr.model.folder import folder_hash

IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)


def backend_of(machine: Machine, **options) -> str:
    """The runtime that a mask came from. Named as it is resolved, it is taken again."""
    segmenter = Segmenter.from_pretrained(machine.folder, **options)
    segmenter(IMAGE, "the red circle")
    taken = f"{segmenter.backend.name} {segmenter.backend.precision}"
    asked = {"device": "auto", "backend": "auto", "precision": "auto"} | options
    backend, precision = resolve_runtime(machine.folder, **asked)
    assert "auto" not in (backend, precision)
    named = Segmenter.from_pretrained(machine.folder, device=asked["device"], backend=backend, precision=precision)
    assert f"{named.backend.name} {named.backend.precision}" == taken
    return taken


def test_an_empty_cache_is_pytorch_and_a_prepared_one_the_fastest(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    assert backend_of(machine) == "torch fp32"
    prepare_runtime(machine.folder)
    with caplog.at_level(logging.INFO, "restr"):
        assert backend_of(machine) == "openvino int8"
    assert len([line for line in caplog.messages if "openvino int8" in line]) == 2, (
        "one line says so each time it is opened"
    )


def test_pytorch_is_one_option_away(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_runtime(machine.folder, every=True)
    assert backend_of(machine, backend="torch") == backend_of(machine, backend="own") == "torch fp32"
    assert backend_of(machine, precision="fp32") == "openvino fp32"
    assert backend_of(machine, precision="bf16") == "torch bf16"
    assert backend_of(machine, backend="onnx") == "onnx int8"
    monkeypatch.setenv("RESTR_BACKEND", "torch")
    assert backend_of(machine) == "torch fp32"
    monkeypatch.setenv("RESTR_BACKEND", "fast")
    with pytest.raises(ConfigError, match="RESTR_BACKEND is 'fast'"):
        backend_of(machine)


def test_pytorch_in_bfloat16_is_taken_where_it_is_clearly_faster(machine: Machine) -> None:
    machine.install(("torch",))
    machine.milliseconds |= {"torch bf16": 95}
    prepare_runtime(machine.folder)
    assert backend_of(machine) == "torch fp32", "too little"
    machine.milliseconds |= {"torch bf16": 60}
    choice = prepare_runtime(machine.folder, again=True)
    assert choice.reason() == "torch bf16, 60 ms a first expression, 1.7 times as fast as PyTorch (100 ms)"
    assert backend_of(machine) == "torch bf16"
    assert backend_of(machine, precision="fp32") == backend_of(machine, backend="torch") == "torch fp32"
    segmenter = Segmenter.from_pretrained(machine.folder)
    assert segmenter(IMAGE, "the red circle", attention=True).attention is not None and segmenter.model is not None


def test_with_a_gpu_it_stays_pytorch(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from restr.inference import loading

    prepare_runtime(machine.folder)
    monkeypatch.setattr(loading, "_GPU_FILES", ("/",))
    assert backend_of(machine) == "openvino int8", "a GPU that torch cannot use"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not loading.runs_on_processor("auto") and not loading.runs_on_processor("cuda")
    assert backend_of(machine, device="cpu") == "openvino int8"


def test_a_core_installation_is_pytorch(machine: Machine) -> None:
    machine.install(("torch",))
    assert {row.target for row in prepare_runtime(machine.folder).rows if row.ms is not None} == {"torch"}
    assert machine.made == [] and backend_of(machine) == "torch fp32"


def test_a_runtime_that_was_uninstalled_is_pytorch(machine: Machine) -> None:
    prepare_runtime(machine.folder)
    machine.install(("torch", "onnxruntime"))
    assert backend_of(machine) == "torch fp32"


def test_a_cache_of_another_version_is_pytorch(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_runtime(machine.folder)
    for module in (kept, machine_module):
        monkeypatch.setattr(module, "restr_version", lambda: "9.9.9")
    assert backend_of(machine) == "torch fp32"
    prepare_runtime(machine.folder)
    assert machine.made == ["openvino int8", "openvino int8"] and backend_of(machine) == "openvino int8"


def test_other_weights_are_measured_anew(machine: Machine) -> None:
    prepare_runtime(machine.folder)
    config = json.loads((machine.folder / "config.json").read_text())
    config["preprocess"]["threshold"] = 0.4
    (machine.folder / "config.json").write_text(json.dumps(config))
    assert backend_of(machine) == "torch fp32"


@pytest.mark.parametrize("damage", ["choice", "cut", "manifest", "missing", "list", "foreign"])
def test_a_damaged_cache_is_pytorch_and_is_made_again(machine: Machine, damage: str) -> None:
    prepare_runtime(machine.folder)
    folder, choice = export_of(machine.cache, "openvino int8"), next((machine.cache / "choices").glob("*.json"))
    if damage == "choice":
        choice.write_bytes(choice.read_bytes()[:50])
    elif damage == "cut":
        (folder / "expression.bin").write_text("gra")
    elif damage == "manifest":
        (folder / "restr.json").write_text("{" * (folder / "restr.json").stat().st_size)
    elif damage == "missing":
        shutil.rmtree(folder)
    elif damage == "list":
        (folder / "complete.json").write_text("[1]")
    else:
        shutil.rmtree(folder)
        folder.write_text("a file")
    assert backend_of(machine) == "torch fp32"
    prepare_runtime(machine.folder)
    assert backend_of(machine) == "openvino int8"


def test_damage_that_only_the_runtime_sees_is_pytorch_too(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    prepare_runtime(machine.folder)
    folder = export_of(machine.cache, "openvino int8")
    (folder / "image_encoder.bin").write_text("grXph")
    assert backend_of(machine) == "torch fp32"
    assert any("damaged" in line for line in caplog.messages) and not folder.exists()
    prepare_runtime(machine.folder)
    assert backend_of(machine) == "openvino int8"


def test_without_torch_any_kept_export_will_do(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_runtime(machine.folder)
    monkeypatch.setattr(machine_module, "installed_version", lambda name: None)  # so nothing was measured like this
    assert backend_of(machine) == "torch fp32"
    machine.install(("openvino",))
    assert backend_of(machine) == "openvino int8"
    machine.install(("onnxruntime",))
    weights = folder_hash(machine.folder)
    assert kept.find_fastest(weights, kept.find_choice(weights)) is None
