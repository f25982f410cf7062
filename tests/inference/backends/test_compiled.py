"""Compiled graphs in the user's cache: used again, and never a wrong or a damaged one."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

openvino = pytest.importorskip("openvino")

from restr.inference.backends import compiled  # noqa: E402
from restr.inference.backends.openvino_import import openvino_core  # noqa: E402
from restr.inference.fastest.kept import PARTIAL  # noqa: E402
from restr.inference.fastest.places import CACHE_VARIABLE  # noqa: E402

X = np.arange(12, dtype=np.float32).reshape(3, 4)
OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}


def write_graph(path: Path, factor: float) -> Path:
    """A graph that multiplies (3 4) by a matrix of one value."""
    ops = openvino.opset13
    x = ops.parameter([3, 4], np.float32)
    weight = ops.constant(np.full((4, 64), factor, np.float32))
    openvino.save_model(openvino.Model([ops.matmul(x, weight, False, False)], [x]), path, compress_to_fp16=False)
    return path


def result(path: Path, **options: object) -> np.ndarray:
    return compiled.compiled_graph(openvino_core(), path, OPTIONS | options)(X)[0]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


def refuse_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it is compiled again")

    monkeypatch.setattr(openvino.Core, "compile_model", refuse)


def test_a_graph_is_compiled_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_graph(tmp_path / "graph.xml", 2)
    first = result(path)
    (kept,) = cache.iterdir()
    assert kept.name.startswith("graph-") and kept.stat().st_size > compiled._HEAD.size
    refuse_to_compile(monkeypatch)
    np.testing.assert_array_equal(result(path), first)


def test_another_graph_and_other_options_are_compiled_anew(cache: Path, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "graph.xml", 2)
    first = result(path)
    write_graph(path, 3)
    np.testing.assert_allclose(result(path), 1.5 * first)
    result(path, INFERENCE_NUM_THREADS=1)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: old[:10], lambda _: b"", lambda old: b"x" + old])
def test_a_damaged_file_is_replaced(cache: Path, tmp_path: Path, damage) -> None:
    path = write_graph(tmp_path / "graph.xml", 2)
    first = result(path)
    (kept,) = cache.iterdir()
    whole = kept.stat().st_size
    kept.write_bytes(damage(kept.read_bytes()))
    np.testing.assert_array_equal(result(path), first)
    assert [each.stat().st_size for each in cache.iterdir()] == [whole]


def test_one_that_openvino_refuses_is_replaced(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_graph(tmp_path / "graph.xml", 2)
    first = result(path)
    (kept,) = cache.iterdir()
    compiled._keep(kept, b"of another build")
    np.testing.assert_array_equal(result(path), first)
    refuse_to_compile(monkeypatch)
    np.testing.assert_array_equal(result(path), first)


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_graph(tmp_path / "graph.xml", 2)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert result(path)[0, 0] == 12
    for name in (CACHE_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", no_home)
    assert result(path)[0, 0] == 12


def test_of_an_export_that_is_being_made_nothing_is_kept(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / f"{PARTIAL}1"
    folder.mkdir()
    assert result(write_graph(folder / "graph.xml", 2))[0, 0] == 12 and not cache.exists()


def test_only_the_latest_used_are_kept(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MOST_KEPT", 2)
    cache.mkdir(parents=True)
    long_ago = time.time() - 7200
    for name in (".left.partial", "a-0.blob", "notes.txt"):
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (long_ago, long_ago))
    (cache / "b-0.blob").write_bytes(b"")
    result(write_graph(tmp_path / "graph.xml", 2))
    assert sorted(each.name.partition("-")[0] for each in cache.iterdir()) == ["b", "graph", "notes.txt"]


def test_a_file_that_is_no_graph_is_an_error(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.xml").write_text("nonsense")
    with pytest.raises(RuntimeError):
        result(tmp_path / "graph.xml")
