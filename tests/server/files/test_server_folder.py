"""The files of kept images in a folder: bounds, expiry, and files that a dead worker left."""

from __future__ import annotations

import os

from restr.server.files.folder import FolderStore
from restr.server.files.store import StoredFile

FILE = StoredFile("tiny", bytes(95))


def test_files_are_evicted_by_age_then_by_size(tmp_path):
    now = [1000.0]
    store = FolderStore(tmp_path, most=350, seconds=10, clock=lambda: now[0])
    for number in range(3):
        store.put(f"image {number}", FILE)
        now[0] += 1
        store.touch(f"image {number}")
    assert store.touch("image 0") and store.get("image 0") == FILE
    now[0] += 1
    store.put("image 3", FILE)  # more than 350 with their heads
    assert [store.touch(f"image {number}") for number in range(4)] == [True, False, True, True]
    assert not store.touch("../../etc/passwd") and not store.remove("image 1") and store.remove("image 0")
    now[0] += 60
    (tmp_path / ".half.partial").write_bytes(b"a dead worker's")
    assert not store.touch("image 3")
    os.utime(tmp_path / ".half.partial", (0, 0))
    store.trim()
    assert list(tmp_path.iterdir()) == []
