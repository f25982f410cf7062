"""Given masks are judged as a model's own would be, and two runs are compared sample by sample."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import layouts
from layouts import LEFT
from restr.cli.main import main
from restr.errors import DataError, DatasetError
from restr.evaluation.comparison import compare_records
from restr.evaluation.predictions import read_predictions, read_records, score
from restr.evaluation.protocol import protocol
from restr.evaluation.reports.report import write_evaluation
from restr.formats.catalog import open_dataset
from restr.masks import rle_encode
from restr.report.overlay import TRUTH


@pytest.fixture
def data(tmp_path: Path) -> Path:
    layouts.make_refer(tmp_path)
    return tmp_path


def write(path: Path, masks: dict[str, np.ndarray]) -> Path:
    lines = [{"id": identity, "prediction": rle_encode(mask), "score": 0.9} for identity, mask in masks.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_given_masks_are_judged(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = LEFT.copy()
    half[:, 12:] = False
    path = write(data / "theirs.jsonl", {"1/101": LEFT, "1/102": half})
    result = score(open_dataset("refcoco:train", data), read_predictions(path), protocol("own"))
    assert result.overall["miou"] == pytest.approx((1 + 7 / 15) / 2)
    assert result.overall["oiou"] == pytest.approx((300 + 140) / 600)
    arguments = ["score", "--predictions", str(path), "--data", "refcoco:train", "--root", str(data)]
    assert main([*arguments, "--out", str(data / "out")]) == 0
    assert "oIoU 73.3" in capsys.readouterr().out
    assert read_records(data / "out")["1/101"].iou == 1.0


def test_missing_and_damaged_predictions_are_reported(data: Path) -> None:
    samples = open_dataset("refcoco:train", data)
    path = write(data / "theirs.jsonl", {"1/101": LEFT})
    with pytest.raises(DataError, match="no prediction for the sample '1/102'"):
        score(samples, read_predictions(path), protocol("own"))
    given = score(samples, read_predictions(path), protocol("own"), missing_is_empty=True)
    assert given.overall["miou"] == 0.5
    with pytest.raises(DatasetError, match=r"theirs.jsonl, line 1: the mask is \(2, 2\), the photograph \(40, 60\)"):
        score(samples, read_predictions(write(path, {"1/101": np.ones((2, 2), bool)})), protocol("own"))
    path.write_text('{"id": "1/101", "prediction": "xyz"}\n')
    with pytest.raises(DatasetError, match="line 1: the mask cannot be read"):
        score(samples, read_predictions(path), protocol("own"))
    path.write_text('{"id": "a"}\n{"id": "a"}\n')
    with pytest.raises(DatasetError, match="line 2: id is str 'a'"):
        read_predictions(path)


def test_two_runs_are_compared(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = open_dataset("refcoco:train", data)
    for name, second in (("old", np.zeros_like(LEFT)), ("new", LEFT)):
        path = write(data / f"{name}.jsonl", {"1/101": LEFT, "1/102": second})
        facts = {"data": "refcoco:train", "root": str(data)}
        write_evaluation(score(samples, read_predictions(path), protocol("own")), data / name, title=name, facts=facts)
    found = compare_records(read_records(data / "old"), read_records(data / "new"))
    assert (found.n, found.better, found.worse, found.left_out) == (2, 1, 0, 0)
    assert found.miou == pytest.approx(0.5) and found.oiou == pytest.approx(0.5)
    assert found.order == ("1/102", "1/101")
    assert found.oiou_interval == pytest.approx((0.5, 0.5))  # one image: nothing to resample
    assert main(["compare", str(data / "old"), str(data / "new")]) == 0
    assert "oIoU +50.00" in capsys.readouterr().out
    assert main(["compare", str(data / "old"), str(data / "new"), "--out", str(data / "compared")]) == 0
    assert json.loads((data / "compared" / "compare.json").read_text())["miou"] == pytest.approx(0.5)
    with Image.open(data / "compared" / "compare.png") as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(1 << 20) or []}
        assert TRUTH in colours and sheet.height < 500  # one gain, and no block of losses
    with pytest.raises(DataError, match="no sample in common"):
        compare_records(read_records(data / "old"), {})
