"""MATLAB files: files of SciPy are read, and damaged files only raise errors."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from restr.data.entries.matlab import HEADER, read_matrices
from restr.errors import DataError

TYPES = ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_what_another_program_writes_is_read(tmp_path: Path, kind: str, compressed: bool) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (5, 7)).astype(kind)
    others = {"word": "text", "z": np.array([1j]), "a_name_longer_than_four": np.arange(3.0), "one": np.float32(2)}
    savemat(tmp_path / "a.mat", {"segimg_t": values, **others}, do_compression=compressed)
    found = read_matrices(tmp_path / "a.mat")
    assert sorted(found) == ["a_name_longer_than_four", "one", "segimg_t"]
    assert (found["segimg_t"] == values).all() and found["segimg_t"].shape == (5, 7)
    assert found["one"].tolist() == [[2.0]] and found["a_name_longer_than_four"].tolist() == [[0, 1, 2]]


def test_both_byte_orders_are_read(tmp_path: Path) -> None:
    """By hand: MathWorks' format, the doubles 1 2 / 3 4 stored as bytes, column by column."""
    for order, mark in ((">", b"MI"), ("<", b"IM")):
        parts = struct.pack(f"{order}4I", 6, 8, 6, 0)  # flags: a matrix of doubles
        parts += struct.pack(f"{order}2I2i", 5, 8, 2, 2)  # 2 x 2
        parts += struct.pack(f"{order}I4s", 1 << 16 | 1, b"m")  # its name, within the tag
        parts += struct.pack(f"{order}I4s", 4 << 16 | 2, bytes([1, 3, 2, 4]))
        content = b"by hand".ljust(124) + struct.pack(f"{order}H", 0x0100) + mark
        (tmp_path / "a.mat").write_bytes(content + struct.pack(f"{order}2I", 14, len(parts)) + parts)
        found = read_matrices(tmp_path / "a.mat")["m"]
        assert found.tolist() == [[1, 2], [3, 4]] and found.dtype == np.float64


def test_what_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mat"
    for content in (b"", b"no matlab" * 40, b"x" * HEADER):
        path.write_bytes(content)
        with pytest.raises(DataError, match="a.mat is not a MATLAB file of version 5 to 7; save it with -v7"):
            read_matrices(path)
    savemat(path, {"m": np.zeros((40, 40))}, do_compression=True)
    monkeypatch.setattr("restr.data.entries.matlab._MOST", 1000)
    with pytest.raises(DataError, match="a compressed part of more than 1,000 bytes"):
        read_matrices(path)
    header = path.read_bytes()[:HEADER]
    inner = struct.pack("<2I", 14, 1 << 30)
    for part in (inner, struct.pack("<2I", 15, 0), struct.pack("<2I", 15, 9) + zlib.compress(b"")[:9]):
        path.write_bytes(header + part)
        with pytest.raises(DataError, match="damaged"):
            read_matrices(path)


def test_damaged_files_never_do_more_than_raise(tmp_path: Path) -> None:
    rng, refused = random.Random(0), 0
    path = tmp_path / "a.mat"
    for compressed in (False, True):
        savemat(path, {"m": np.eye(9), "n": np.arange(5, dtype="u1")}, do_compression=compressed)
        whole = path.read_bytes()
        for _ in range(300):
            content = bytearray(whole)
            for _ in range(rng.randrange(1, 6)):
                content[rng.randrange(len(content))] = rng.randrange(256)
            path.write_bytes(content[: rng.choice((len(content), rng.randrange(len(content))))])
            try:
                read_matrices(path)
            except DataError:
                refused += 1
    assert refused > 100
