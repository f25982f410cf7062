"""Scores as probabilities, and presence as a classifier of absent things: worked by hand, and through restr eval."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oracles import Answer, Framed
from restr.config import PresenceConfig
from restr.data.generated import vocabulary
from restr.data.sample import Sample
from restr.errors import ConfigError, DataError
from restr.evaluation.calibration import draw_reliability, scores_and_outcomes
from restr.evaluation.evaluate import EvaluationResult, evaluate
from restr.evaluation.protocol import protocol
from restr.evaluation.reports.report import evaluation_table
from restr.metrics import area_under_curve, calibration_bins, expected_calibration_error
from restr.model.build import build_model
from restr.model.weights import save_pretrained
from restr.presets import restr_tiny

# text -> (what it means, what is answered, score, presence); the picture's left half is L, its right half R, nothing N.
ANSWERS = {
    "right and sure": ("L", "L", 0.9, 0.9),
    "right, less sure": ("R", "R", 0.7, 0.6),
    "wrong and sure": ("L", "R", 0.9, 0.8),
    "present, not found": ("L", "L", 0.0, 0.3),
    "absent, answered": ("N", "L", 0.7, 0.6),
    "absent, not found": ("N", "L", 0.0, 0.1),
}


def half(which: str) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[:, {"L": slice(0, 15), "R": slice(15, 30), "N": slice(0, 0)}[which]] = True
    return mask


class Doubter(Framed):
    """Answers as ``ANSWERS`` says; things with less than ``presence``, by default 0.5, are called absent."""

    def __call__(
        self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
    ) -> list[Answer]:
        least = 0.5 if presence is None else presence
        found = (ANSWERS[each] for each in text)
        return [Answer(half(mask), score, there, there >= least) for _, mask, score, there in found]


def evaluated(name: str = "own", presence: float | None = None) -> EvaluationResult:
    image = np.zeros((20, 30, 3), np.uint8)
    samples = [
        Sample(id=text, image=image, text=text, mask=half(truth), image_id="one", kind="any")
        for text, (truth, *_) in ANSWERS.items()
    ]
    return evaluate(
        Doubter(),
        samples,
        presence=PresenceConfig(kind="region"),
        protocol=replace(protocol(name), presence=presence),
    )


def test_calibration_error_by_hand() -> None:
    scores = [0.9, 0.7, 0.9, 0.0, 0.7]
    right = [True, True, False, False, False]
    assert expected_calibration_error(scores, right) == pytest.approx((2 * 0.4 + 2 * 0.2 + 0) / 5)
    bins = calibration_bins(scores, right)
    assert [(each.n, round(each.score, 6), each.correct) for each in bins] == [
        (1, 0.0, 0),
        (2, 0.7, 0.5),
        (2, 0.9, 0.5),
    ]
    assert [round(each.low * 15) for each in bins] == [0, 10, 13]
    assert expected_calibration_error([1.0, 1.0], [True, True]) == 0.0  # the last bin holds its upper edge
    assert expected_calibration_error([0.1, 0.9], [True, True], bins=1) == pytest.approx(0.5)
    assert math.isnan(expected_calibration_error([], []))
    for scores, right in (([1.2], [True]), ([math.nan], [True]), ([0.5], [])):
        with pytest.raises(DataError, match="from 0 to 1"):
            expected_calibration_error(scores, right)


def test_scores_that_are_right_as_often_as_they_say_have_no_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    right = rng.random(200_000) < scores
    assert expected_calibration_error(scores.tolist(), right.tolist()) < 0.01
    assert expected_calibration_error((scores**2).tolist(), right.tolist()) == pytest.approx(1 / 6, abs=0.01)


def test_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(1)
    present, absent = rng.integers(3, 9, 40) / 10, rng.integers(0, 7, 30) / 10
    pairs = [(a > b) + (a == b) / 2 for a in present for b in absent]
    assert area_under_curve(present.tolist(), absent.tolist()) == pytest.approx(np.mean(pairs))
    assert math.isnan(area_under_curve([], [0.5])) and math.isnan(area_under_curve([0.5], []))


def test_an_evaluation_tells_absent_from_present_and_how_surely() -> None:
    result = evaluated()
    overall = result.overall
    assert (overall["n_acc"], overall["t_acc"]) == (1 / 2, 3 / 4)
    assert overall["presence_auc"] == pytest.approx((4 + 2.5) / 8)  # of 8 pairs, 6 in order and one tie
    assert scores_and_outcomes(result.records) == ([0.9, 0.7, 0.9, 0.0, 0.7], [True, True, False, False, False])
    assert overall["ece"] == pytest.approx(0.24)
    assert [record.presence for record in result.records] == [there for *_, there in ANSWERS.values()]
    assert "empty where presence < 0.5" in result.protocol
    table = evaluation_table(result, title="t")
    assert "N-acc 50.0, T-acc 75.0, presence AUC 81.2" in table and "calibration error of the score: 0.240" in table
    assert json.dumps(result.summary()["overall"])


@pytest.mark.parametrize("name", ["own", "restr", "cris", "lisa"])
def test_the_threshold_of_presence_can_be_chosen_under_each_protocol(name: str) -> None:
    for least, accuracies in ((0.0, (0, 1)), (0.2, (1 / 2, 1)), (0.61, (1, 2 / 4)), (1.0, (1, 0))):
        result = evaluated(name, least)
        assert (result.overall["n_acc"], result.overall["t_acc"]) == accuracies
        assert f"empty where presence < {least:g}" in result.protocol
        assert result.overall["presence_auc"] == evaluated(name).overall["presence_auc"]
    with pytest.raises(ConfigError, match=r"presence is 1\.5"):
        replace(protocol(name), presence=1.5)


def test_the_reliability_plot_is_drawn_where_there_are_scores() -> None:
    pytest.importorskip("matplotlib")
    records = evaluated().records
    picture = draw_reliability(records, title="t")
    assert picture and min(Image.open(io.BytesIO(picture)).size) > 300
    silent = [replace(record, score=0.0) for record in records]  # masks of a program that gives no scores
    assert draw_reliability(silent, title="t") is None and scores_and_outcomes(silent) == ([], [])


@pytest.mark.parametrize("kind", ["region", "none"])
def test_restr_eval_reports_it_for_a_model(kind, tmp_path: Path, capsys) -> None:
    from restr.cli.verbs.measuring.eval import main

    pytest.importorskip("matplotlib")
    words = vocabulary()
    config = replace(restr_tiny(vocab=len(words)), presence=PresenceConfig(kind=kind))
    save_pretrained(build_model(config, seed=0), words, tmp_path / "model")
    absent = absent_too(tmp_path)
    arguments = ["--data", f"jsonl:{absent}", "--model", str(tmp_path / "model")]
    told = {}
    for least in ("0", "1"):
        out = tmp_path / least
        assert main([*arguments, "--presence", least, "--out", str(out)]) == 0
        told[least] = json.loads((out / "metrics.json").read_text())
        printed = capsys.readouterr().out
        assert "N-acc" in printed and ("presence AUC" in printed) == (kind == "region")
        records = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
        assert all((record["presence"] is None) == (kind == "none") for record in records)
    assert ("presence < 1" in told["1"]["protocol"]) == (kind == "region")
    if kind == "region":
        assert (told["1"]["overall"]["n_acc"], told["1"]["overall"]["t_acc"]) == (1.0, 0.0)
        assert told["0"]["overall"]["presence_auc"] == told["1"]["overall"]["presence_auc"]
    else:
        assert told["0"]["overall"] == told["1"]["overall"]


def absent_too(folder: Path) -> Path:
    """A list of one picture with a sentence for a half of it, and one that means nothing."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(folder / "a.png")
    picture = np.zeros((40, 60), np.uint8)
    Image.fromarray(picture).save(folder / "nothing.png")
    picture[:, :30] = 255
    Image.fromarray(picture).save(folder / "left.png")
    lines = [
        {"image": "a.png", "text": "the left circle", "mask": "left.png"},
        {"image": "a.png", "text": "the red square", "mask": "nothing.png"},
    ]
    path = folder / "list.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
