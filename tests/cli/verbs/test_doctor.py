"""``restr doctor`` says which runtime computes and why; with the cache in any state."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fake_runtimes import Machine, export_of
from restr.cli.main import main
from restr.inference.fastest.places import cache_folders


def doctor(machine: Machine, *options: str) -> int:
    return main(["doctor", "--model", str(machine.folder), *options])


def test_before_and_after(machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    assert doctor(machine) == 0
    said = capsys.readouterr().out
    assert "processor " in said and "python 3" in said and "restr doctor --prepare does it" in said
    assert doctor(machine, "--prepare") == 0
    said = capsys.readouterr().out
    assert "torch fp32      100 ms" in said and "openvino int8   20 ms" in said and str(machine.cache) in said
    assert "restr takes openvino int8, 20 ms a first expression, 5.0 times as fast as PyTorch" in said
    assert "onnx fp32       not tried" in said
    monkeypatch.setenv("RESTR_BACKEND", "torch")
    assert doctor(machine) == 0 and "RESTR_BACKEND is set: torch" in capsys.readouterr().out


def test_all_are_tried_on_demand(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(machine, "--prepare", "--every") == 0
    assert "onnx fp32       80 ms" in capsys.readouterr().out and len(machine.made) == 4
    assert doctor(machine, "--every") == 1 and "give --prepare too" in capsys.readouterr().err
    assert doctor(machine, "--prepare", "--clear") == 1 and "choose one" in capsys.readouterr().err


def test_clearing_leaves_what_is_not_restrs(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.cache / "exports" / "mine").mkdir(parents=True)
    (machine.cache / "choices").mkdir()
    (machine.cache / "choices" / "mine.json").write_text("{}")
    assert doctor(machine, "--prepare") == 0 and doctor(machine, "--clear") == 0
    left = sorted(path.name for path in machine.cache.rglob("*") if path.name != "lock")
    assert left == ["choices", "exports", "mine", "mine.json"]
    capsys.readouterr()
    assert doctor(machine) == 0 and "restr doctor --prepare does it" in capsys.readouterr().out


def test_an_empty_fallback_of_the_cache_is_not_shown(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.cache.mkdir()
    fallback = next(path for path in cache_folders() if path != machine.cache)
    fallback.mkdir()
    assert doctor(machine) == 0 and str(fallback) not in capsys.readouterr().out
    (fallback / "exports").write_text("something")
    assert doctor(machine) == 0 and f"{fallback}, 0 MB, only read" in capsys.readouterr().out


def test_a_lost_export_is_named(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(machine, "--prepare") == 0
    (export_of(machine.cache, "openvino int8") / "restr.json").unlink()
    capsys.readouterr()
    assert doctor(machine) == 0 and "the export of the fastest is gone" in capsys.readouterr().out


def test_an_export_has_its_own_runtime(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(machine, "--prepare") == 0
    folder = export_of(machine.cache, "openvino int8")
    capsys.readouterr()
    assert main(["doctor", "--model", str(folder)]) == 0
    assert "runs in its own runtime" in capsys.readouterr().out


def test_a_look_loads_no_torch(machine: Machine) -> None:
    code = (
        "import sys; from restr.cli.main import main; assert main(['doctor', '--model', sys.argv[1]]) == 0;"
        "heavy = {'torch', 'onnxruntime', 'openvino'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code, str(machine.folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
