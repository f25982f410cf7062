"""Runtimes are exported and measured once, in the order in which they are expected to be fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_runtimes import Machine, Report, export_of
from restr import Segmenter, prepare_runtime
from restr.errors import ConfigError
from restr.export import candidates, prepare
from restr.export.candidates import time_first_expression
from restr.export.prepare import can_prepare, skip_preparing
from restr.export.run import Plan
from restr.inference.backends.fast_backend import FastBackend
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.fastest.kept import compiled_mark, find_choice, is_settled
from restr.model.folder import folder_hash
from restr.model.weights import save_pretrained
from small_exports import WORDS, shallow_config, shallow_model

PLAN = Plan(target="openvino", precision="int8")


def test_it_stops_at_a_clearly_faster_one(machine: Machine) -> None:
    said: list[str] = []
    choice = prepare_runtime(machine.folder, say=said.append)
    assert machine.made == ["openvino int8"] and choice.best() is choice.rows[1]
    assert all("clearly faster" in row.why for row in choice.rows[2:])
    assert said == [
        "torch fp32: measuring",
        "openvino int8: exporting, about a minute",
        "openvino int8: measuring",
    ]


def test_it_goes_on_while_nothing_is_clearly_faster(machine: Machine) -> None:
    machine.milliseconds |= {"openvino int8": 90, "openvino fp32": 98, "onnx int8": 120, "onnx fp32": 70}
    choice = prepare_runtime(machine.folder)
    assert machine.made == ["openvino int8", "openvino fp32", "onnx int8", "onnx fp32"]
    best = choice.best()
    assert best is not None and best.title == "onnx fp32"


def test_only_the_chosen_export_is_kept_unless_all_were_asked_for(machine: Machine) -> None:
    machine.milliseconds |= {"openvino int8": 90, "openvino fp32": 60}
    compiled = machine.cache / "compiled"
    compiled.mkdir(parents=True)
    prepare_runtime(machine.folder, every=True)
    exports = machine.cache / "exports"
    assert len(list(exports.iterdir())) == 4
    for path in exports.iterdir():
        (compiled / f"expression-{compiled_mark(path)}-0123456789abcdef.blob").touch()
    prepare_runtime(machine.folder, again=True)
    (kept,) = exports.iterdir()
    assert "openvino-fp32" in kept.name and find_choice(folder_hash(machine.folder)) is not None
    assert [path.name.split("-")[1] for path in compiled.iterdir()] == [compiled_mark(kept)]


def test_where_pytorch_is_the_fastest_no_export_stays(machine: Machine) -> None:
    machine.milliseconds |= dict.fromkeys(machine.milliseconds, 99.0)
    best = prepare_runtime(machine.folder).best()
    assert best is not None and best.target == "torch" and len(machine.made) == 4
    assert list((machine.cache / "exports").iterdir()) == [] and is_settled(folder_hash(machine.folder))


def test_a_second_call_does_nothing_and_a_measurement_again_uses_the_exports(machine: Machine) -> None:
    first = prepare_runtime(machine.folder)
    assert prepare_runtime(machine.folder) == first
    machine.milliseconds["openvino int8"] = 25
    again = prepare_runtime(machine.folder, again=True)
    assert again.rows[1].ms == 25 and machine.made == ["openvino int8"]


def test_what_cannot_be_made_is_left_out_with_the_reason(machine: Machine) -> None:
    machine.refused = "openvino int8"
    machine.install(("torch", "onnx", "onnxscript", "openvino"))
    whys = {row.title: row.why for row in prepare_runtime(machine.folder, every=True).rows}
    assert "no such operation" in whys["openvino int8"] and whys["openvino fp32"] == ""
    assert whys["onnx int8"].startswith("onnxruntime is not installed")
    machine.install(("torch", "onnx", "onnxscript", "openvino", "onnxruntime"))
    whys = {row.title: row.why for row in prepare_runtime(machine.folder, again=True, every=True).rows}
    assert "no such operation" in whys["openvino int8"] and whys["onnx int8"] == ""
    assert not list((machine.cache / "exports").glob(".partial-*")), "nothing half written stays"


@pytest.mark.parametrize(("holds", "agreement"), [(False, 1.0), (True, 0.9)])
def test_an_export_that_differs_from_the_model_is_not_taken(machine: Machine, holds: bool, agreement: float) -> None:
    machine.report = Report()
    machine.report.holds, machine.report.agreement = holds, agreement
    choice = prepare_runtime(machine.folder)
    whys = {row.title: row.why for row in choice.rows}
    assert "only" in whys["openvino fp32"] or holds is False and whys["openvino int8"] == ""
    if agreement < 1:
        assert choice.best() is choice.rows[0], "PyTorch"
        assert list((machine.cache / "exports").iterdir()) == []


def test_of_two_processes_the_first_export_stays(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins before the first is done, as where a file system has no locks."""
    make = candidates.export

    def overtaken(*given, **named):
        report = make(*given, **named)
        monkeypatch.setattr(candidates, "export", make)
        candidates._make(*arguments)
        (export_of(machine.cache, "openvino int8") / "first").touch()
        return report

    arguments = (shallow_model(), WORDS, machine.cache / "exports" / "w-openvino-int8-1", "w", PLAN)
    monkeypatch.setattr(candidates, "export", overtaken)
    facts = candidates._make(*arguments)
    assert (facts.folder / "first").exists() and machine.made == ["openvino int8"] * 2
    assert [path.name for path in (machine.cache / "exports").iterdir()] == ["w-openvino-int8-1"]


def test_a_process_that_does_not_wait_leaves_the_work_to_the_other(machine: Machine) -> None:
    pytest.importorskip("fcntl")
    machine.cache.mkdir()
    with prepare._alone(machine.cache, wait=True) as alone:
        assert alone
        with pytest.raises(ConfigError, match="another process"):
            prepare_runtime(machine.folder, wait=False)
        assert machine.made == []
    prepare_runtime(machine.folder, wait=False)
    with prepare._alone(machine.cache, wait=True):
        assert prepare_runtime(machine.folder, wait=False).rows, "known already"


def test_a_process_that_waits_goes_on_when_the_other_is_done(machine: Machine) -> None:
    """A lock belongs to an opened file, so a thread stands for the other process."""
    pytest.importorskip("fcntl")
    machine.cache.mkdir()
    held, done_at = threading.Event(), []

    def other() -> None:
        with prepare._alone(machine.cache, wait=True):
            held.set()
            time.sleep(0.3)
            done_at.append(time.perf_counter())

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(60)
    assert prepare_runtime(machine.folder).best() is not None
    assert done_at and done_at[0] < time.perf_counter(), "not before the other was done"
    thread.join(60)


def test_left_over_exports_are_removed(machine: Machine) -> None:
    exports = machine.cache / "exports"
    for name in (".partial-old", ".partial-new", "abc-onnx-fp32-0.1.0.dev0+123", "abc-onnx-fp32-0.1.0"):
        (exports / name).mkdir(parents=True)
    long_ago = time.time() - 9999
    os.utime(exports / ".partial-old", (long_ago, long_ago))
    candidates.remove_leftovers(machine.cache)
    assert {path.name for path in exports.iterdir()} == {".partial-new", "abc-onnx-fp32-0.1.0"}


def test_skipping_is_remembered_until_somebody_prepares(machine: Machine) -> None:
    weights = folder_hash(machine.folder)
    assert not is_settled(weights)
    skip_preparing(machine.folder)
    assert is_settled(weights)
    assert Segmenter.from_pretrained(machine.folder).backend.name == "torch"
    prepare_runtime(machine.folder, again=True)
    assert Segmenter.from_pretrained(machine.folder).backend.name == "openvino"


def test_errors_name_the_next_step(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_prepare()
    machine.install(("torch", "openvino", "onnxruntime"))
    assert not can_prepare(), "nothing can be exported"
    monkeypatch.setattr(prepare, "writable_cache", lambda: None)
    with pytest.raises(ConfigError, match="RESTR_CACHE"):
        prepare_runtime(machine.folder)
    (machine.folder / "restr.json").write_text("{}")
    with pytest.raises(ConfigError, match="only a model folder"):
        prepare_runtime(machine.folder)


def test_the_measurement_is_milliseconds_of_a_whole_call() -> None:
    start = time.perf_counter()
    ms = time_first_expression(TorchBackend(shallow_model(), device="cpu"))
    assert 0 < ms <= 1000 * (time.perf_counter() - start) / 3


def test_what_is_timed_has_as_many_ids_as_an_export_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that fills every sentence up is exported for that length alone."""
    seen: set[int] = set()
    segment = TorchBackend.segment

    def watched(self: TorchBackend, features: Any, ids: np.ndarray) -> Any:
        seen.add(ids.shape[1])
        return segment(self, features, ids)

    monkeypatch.setattr(TorchBackend, "segment", watched)
    model = shallow_model(shallow_config(attend_padding=True))
    assert model.config.language.max_words > candidates._WORDS
    time_first_expression(TorchBackend(model, device="cpu"))
    assert seen == {model.config.language.max_words}


WITHOUT_TORCH = """
import sys
for name in ("torch", "onnx", "onnxscript"):
    sys.modules[name] = None
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if sys.modules.get(name, name) is None else real(name)
import numpy as np
from restr import Segmenter
segmenter = Segmenter.from_pretrained(sys.argv[1])
image = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
print(segmenter.backend.name, segmenter.backend.precision, float(segmenter(image, "the red circle").prob.sum()))
"""


@pytest.mark.slow
def test_a_real_export_is_made_kept_and_run_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    monkeypatch.setenv("RESTR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RESTR_BACKEND")
    save_pretrained(shallow_model(), WORDS, tmp_path / "model")
    choice = prepare_runtime(tmp_path / "model", every=True)
    titles = {row.title for row in choice.rows if row.ms is not None}
    assert {"torch fp32", "onnx fp32"} <= titles, choice.rows
    image = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
    torch = Segmenter.from_pretrained(tmp_path / "model", backend="torch")(image, "the red circle").prob.sum()
    exported = Segmenter.from_pretrained(tmp_path / "model", backend="onnx", precision="fp32")
    assert isinstance(exported.backend, FastBackend) and exported.backend.name == "onnx"
    assert abs(exported(image, "the red circle").prob.sum() - torch) < 1e-2
    report = json.loads((exported.backend.runtime.facts.folder / "parity.json").read_text())
    assert report["holds"] and report["target"] == "onnx"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model")], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in ("onnx", "openvino") and abs(float(done.stdout.split()[2]) / torch - 1) < 0.05
