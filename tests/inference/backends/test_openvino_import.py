"""openvino without its converter, which is still there for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from restr.inference.backends.openvino_import import import_openvino

CONVERTER = "openvino.tools.ovc"


def run(code: str, path: Path | None = None) -> str:
    """What a program prints that may first import from a folder."""
    begin = "import sys\n" + (f"sys.path.insert(0, {str(path)!r})\n" if path else "")
    begin += "from restr.inference.backends.openvino_import import import_openvino\n"
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_converter_is_loaded_when_it_is_used() -> None:
    pytest.importorskip("openvino")
    code = (
        "openvino = import_openvino(); assert import_openvino() is openvino and openvino.Core\n"
        f"print({CONVERTER!r} in sys.modules, hasattr(openvino, 'nonsense'), {CONVERTER!r} in sys.modules)\n"
        "from openvino import convert_model\n"
        f"print(convert_model.__module__, openvino.convert_model is convert_model, {CONVERTER!r} in sys.modules)\n"
    )
    assert run(code).splitlines() == ["False False False", "openvino.tools.ovc.convert True True"]


def test_a_version_that_needs_its_converter_is_imported_as_usual(tmp_path: Path) -> None:
    (tmp_path / "openvino" / "tools").mkdir(parents=True)
    (tmp_path / "openvino" / "__init__.py").write_text("from openvino.tools.ovc import convert_model\n")
    (tmp_path / "openvino" / "tools" / "ovc.py").write_text("convert_model = 'converted'\n")
    assert run("print(import_openvino().convert_model)", tmp_path) == "converted"


def test_what_is_not_installed_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError):
        import_openvino()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a core changes the stack for signals")
def test_a_signal_is_handled_after_backends_are_gone() -> None:
    """As after a server has unloaded models, or a program has opened one twice."""
    pytest.importorskip("openvino")
    code = (
        "import faulthandler, gc, os, signal\nfrom types import SimpleNamespace\n"
        "from restr.inference.backends.openvino_backend import OpenVinoBackend\n"
        "faulthandler.enable()\n"
        "facts = SimpleNamespace(precision='int8', target='openvino', config=None, files={})\n"
        "first, second = OpenVinoBackend(facts), OpenVinoBackend(facts)\n"
        "del first; gc.collect()\ndel second; gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert run(code) == "handled"
