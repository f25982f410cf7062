"""``benchmarks/fast.py``: its parts with a tiny model, and its report."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import fast
import timing
from fast import DEFAULT, TORCH
from folder import make_photographs
from promises import Part, Promise, markdown
from workload import inputs

from restr import Segmenter
from restr.model.build import build_model
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary


@pytest.fixture
def segmenters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Segmenter]:
    for module in (fast, timing):
        monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(fast, "inputs", partial(inputs, size=64))
    vocabulary = Vocabulary(["the", "person", "left"])
    config = restr_tiny(vocab=len(vocabulary))
    return {side: Segmenter(build_model(config, seed=0), vocabulary, device="cpu") for side in (DEFAULT, TORCH)}


def test_a_further_expression_and_ten_are_compared_with_a_first(segmenters: dict[str, Segmenter]) -> None:
    part = fast.further(segmenters, 1)
    assert len(part.times) == 2 * 2 * 3
    further, ten = part.promises
    assert further.at_most and further.bound >= 0.12 and ten.at_most and ten.bound >= 2.0
    assert further.value > 0 and ten.value > further.value
    json.dumps(part.to_dict())


def test_every_warm_call_has_a_new_photograph_and_both_sides_have_the_same(
    segmenters: dict[str, Segmenter], tmp_path: Path
) -> None:
    paths = make_photographs(tmp_path, timing.WARM_UP + 1, (60, 40))
    times, found = fast.warm_calls(segmenters, paths, 1)
    assert {side: len(seconds) for side, seconds in times.seconds.items()} == {DEFAULT: 1, TORCH: 1}
    names = [[result.name for result in results] for results in found.values()]
    assert names[0] == names[1] and len(set(names[0])) == len(paths)


def test_what_was_asked_depends_on_the_processor() -> None:
    assert fast.least_gain("AMD EPYC") == 2.5
    assert fast.least_gain("Intel(R) Xeon(R) Processor") == 1.8


def test_the_report_says_what_holds() -> None:
    promises = [
        Promise("cold", 1.3, 1.2, "s", at_most=True),
        Promise("warm", 2.6, 2.5, "x", at_most=False),
        Promise("further", 0.12, 0.12, "%", at_most=True),
    ]
    part = Part({"default": {"p50": 90.4, "p95": 95.6}}, promises, ["A remark."])
    assert [each["holds"] for each in part.to_dict()["promises"]] == [False, True, True]
    machine = {"cpu": "a processor", "cores": 2, "torch": "2.13", "rounds": 9, "default": "openvino int8"}
    text = markdown(machine, {"predict": part})
    assert "| cold | 1.30 s | at most 1.20 s | no |" in text
    assert "| further | 12.0% | at most 12.0% | yes |" in text
    assert "| default | 90 | 96 |" in text and text.endswith("A remark.\n")


def test_an_unknown_part_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fast.chosen_parts(argparse.ArgumentParser(), ["predict", "speed"], ["predict", "peers"])
    assert "no part speed; choose from predict, peers" in capsys.readouterr().err
