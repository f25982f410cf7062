"""``benchmarks/folder.py``: every way writes the loop's files, and ratios are to the right loop."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import folder

from restr import Segmenter
from restr.model.build import build_model
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary


def test_every_way_of_every_runtime_writes_the_files_of_its_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(folder, "PAUSE", 0.0)
    vocabulary = Vocabulary(["the", "person", "left"])
    model = build_model(restr_tiny(vocab=len(vocabulary)), seed=0)
    segmenters = {name: Segmenter(model, vocabulary, device="cpu") for name in ("torch fp32", "openvino int8")}
    seconds = folder.compare(segmenters, folder.make_photographs(tmp_path, 2, (60, 40)), 2)
    assert {len(each) for each in seconds.values()} == {2}
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("openvino int8: many") for line in said) == len(said) / 2 >= 3
    assert all(": 0 of 4 files differ from the loop's" in line for line in said)


def test_a_side_is_compared_with_its_own_loop_and_with_the_first_runtimes() -> None:
    table = folder.table(
        {
            "torch fp32: loop, PNG 6": [4.0, 4.0],
            "torch fp32: loop": [2.0, 2.0],
            "openvino int8: loop": [1.0, 1.0],
            "openvino int8: many": [0.5, 0.5],
        }
    )
    assert table[-1] == "| openvino int8: many | 2.00 | 2.00 | 4.00 | 8.00 |"
    assert table[0].endswith("| over its loop | over torch fp32's loop | with PNG 6 |")
