"""The table of measured runtimes: the fastest is taken, and a file that is none is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from restr.inference.fastest.choice import RuntimeChoice, TimedRuntime

TORCH = TimedRuntime(target="torch", precision="fp32", ms=100)
INT8 = TimedRuntime(target="openvino", precision="int8", ms=30)
FP32 = TimedRuntime(target="openvino", precision="fp32", ms=60)
MISSING = TimedRuntime(target="onnx", precision="int8", why="onnxruntime is not installed")


def choice(*rows: TimedRuntime) -> RuntimeChoice:
    return RuntimeChoice(weights="abc", machine={"cores": 2}, rows=rows)


def test_the_fastest_of_what_is_allowed() -> None:
    table = choice(TORCH, INT8, FP32, MISSING)
    assert table.best() is INT8
    assert table.best(precision="fp32") is FP32
    assert table.best(backend="torch") is TORCH
    assert table.best(backend="onnx") is None
    assert choice(MISSING).best() is None
    assert "openvino int8, 30 ms" in table.reason() and "3.3 times" in table.reason()


def test_pytorch_stays_unless_another_is_clearly_faster() -> None:
    hardly = TimedRuntime(target="onnx", precision="fp32", ms=95)
    assert choice(TORCH, hardly).best() is TORCH
    assert choice(TORCH, hardly).best(backend="onnx") is hardly
    assert choice(TORCH, hardly).reason().startswith("PyTorch, 100 ms")


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "choice.json"
    choice(TORCH, INT8, MISSING).save(path)
    assert RuntimeChoice.read(path) == choice(TORCH, INT8, MISSING)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"format": 1}', b'{"format": 9, "weights": "abc", "machine": {}, "rows": []}',
     b'{"format": 1, "weights": "abc", "machine": {}, "rows": []}',
     b'{"format": 1, "weights": "abc", "machine": {}, "rows": [{"target": "onnx"}]}',
     b'{"format": 1, "weights": "abc", "machine": {}, "rows": [{"target": "onnx", "precision": "int8", "ms": "x", "why": ""}]}'],
)  # fmt: skip
def test_another_file_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "choice.json"
    path.write_bytes(content)
    assert RuntimeChoice.read(path) is None
    assert RuntimeChoice.read(tmp_path / "missing.json") is None
