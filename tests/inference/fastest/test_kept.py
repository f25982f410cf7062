"""The cache in real processes: without a home, with one that cannot be written to, and at first use by two at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino")

from restr.model.weights import save_pretrained  # noqa: E402
from small_exports import WORDS, shallow_model  # noqa: E402
from small_graphs import keep_small_export  # noqa: E402

PREDICT = """
import sys
from restr.cli.main import main
code = main(["predict", "examples/coffee.jpg", "the red circle", "--model", sys.argv[1], "--out", sys.argv[2]])
print("PyTorch" if "torch" in sys.modules else "export")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "model"
    save_pretrained(shallow_model(), WORDS, folder)
    return folder


def start(model: Path, out: Path, **variables: str) -> subprocess.Popen[str]:
    """A process that predicts, with these variables and none other that leads to a cache."""
    leading = ("RESTR_CACHE", "RESTR_BACKEND", "XDG_CACHE_HOME", "LOCALAPPDATA")
    environment = {name: value for name, value in os.environ.items() if name not in leading} | variables
    return subprocess.Popen(
        [sys.executable, "-c", PREDICT, str(model), str(out)],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def runtime(process: subprocess.Popen[str]) -> str:
    """What computed in a process, which must end well and complain about nothing."""
    said, complaints = process.communicate(timeout=120)
    assert process.returncode == 0 and complaints == "", complaints
    return said.splitlines()[-1]


def test_two_processes_at_first_use_at_once(model: Path, tmp_path: Path) -> None:
    keep_small_export(tmp_path / "cache", model)
    both = [start(model, tmp_path / out, RESTR_CACHE=str(tmp_path / "cache")) for out in ("a", "b")]
    assert [runtime(process) for process in both] == ["export", "export"]
    first, second = (next((tmp_path / out).glob("*.mask.png")).read_bytes() for out in ("a", "b"))
    assert first == second
    left = sorted(path.name.partition("-")[0] for path in (tmp_path / "cache" / "compiled").iterdir())
    assert left == ["expression", "image_encoder"], "and nothing half written"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX")
@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/self"], ids=["no home", "a home that is only read"])
def test_without_a_home_the_cache_is_temporary(model: Path, tmp_path: Path, home: str) -> None:
    fallback = tmp_path / f"restr-{os.getuid()}"
    variables = {"HOME": home, "TMPDIR": str(tmp_path)}
    assert runtime(start(model, tmp_path / "first", **variables)) == "PyTorch"
    keep_small_export(fallback, model)
    fallback.chmod(0o700)
    assert runtime(start(model, tmp_path / "second", **variables)) == "export"
    assert len(list((fallback / "compiled").glob("*.blob"))) == 2


def test_where_the_cache_is_in_the_way_of_a_file_it_is_pytorch(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    variables = {"RESTR_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path)}
    assert runtime(start(model, tmp_path / "out", **variables)) == "PyTorch"
