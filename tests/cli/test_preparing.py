"""The fastest runtime is prepared after the first result, where a person waits at a terminal, and never in the way."""

from __future__ import annotations

import pytest

from fake_runtimes import Machine
from restr.cli import preparing
from restr.cli.main import main
from restr.cli.preparing import prepare_once
from restr.export import candidates
from restr.inference.fastest.kept import is_settled
from restr.model.folder import folder_hash


@pytest.fixture
def terminal(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a person before it."""
    monkeypatch.setattr(preparing, "is_watched", lambda: True)
    return machine


def predict(machine: Machine, *options: str) -> int:
    words = [
        "examples/coffee.jpg",
        "the red circle",
        "--model",
        str(machine.folder),
        "--out",
        str(machine.root / "out"),
    ]
    return main(["predict", *words, *options])


def test_the_mask_comes_first(terminal: Machine, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    make = candidates.export

    def late(*given, **named):
        assert list((terminal.root / "out").glob("*mask*")), "the mask is written before anything is prepared"
        return make(*given, **named)

    monkeypatch.setattr(candidates, "export", late)
    assert predict(terminal) == 0
    said = capsys.readouterr()
    assert "preparing a faster runtime" in said.err and "from now on: openvino int8, 20 ms" in said.err
    assert "preparing" not in said.out
    assert predict(terminal) == 0
    assert "runtime" not in capsys.readouterr().err and terminal.made == ["openvino int8"], "once"


@pytest.mark.parametrize("options", [("--backend", "torch"), ("--precision", "fp32")])
def test_whoever_chooses_is_not_asked(terminal: Machine, options: tuple[str, str]) -> None:
    assert predict(terminal, *options) == 0
    assert terminal.made == []


def test_a_script_does_not_wait(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(machine) == 0
    assert machine.made == [] and capsys.readouterr().err == ""


def test_a_core_installation_says_nothing(terminal: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.install(("torch",))
    prepare_once(terminal.folder)
    assert capsys.readouterr().err == ""


def test_ctrl_c_skips_it_for_good(terminal: Machine, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def interrupted(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(candidates, "export", interrupted)
    prepare_once(terminal.folder)
    assert "restr doctor --prepare" in capsys.readouterr().err
    assert is_settled(folder_hash(terminal.folder))
    prepare_once(terminal.folder)
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_one_line(terminal: Machine, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(candidates, "export", full)
    prepare_once(terminal.folder)
    assert "no faster runtime was prepared: [Errno 28]" in capsys.readouterr().err
    prepare_once(terminal.root / "no such model")
