"""The moving average against NumPy, and the scene cuts that reset it."""

from __future__ import annotations

import numpy as np
import pytest

from restr import Result
from restr.errors import ConfigError
from restr.inference.tracking.smoothing import CutDetector, Smoother, TrackSettings, blend


def results(count: int, *, size: tuple[int, int] = (9, 12)) -> list[Result]:
    rng = np.random.default_rng(0)
    return [
        Result(
            image=np.zeros((*size, 3), np.uint8),
            text="the dog",
            prob=rng.random(size, dtype=np.float32),
            presence=float(rng.random()),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("gap", [1, 3])
def test_probabilities_presence_and_score_are_exponential_averages(gap: int) -> None:
    given, smoother, weight = results(6), Smoother(0.7), 0.7**gap
    found = [smoother.add([each], gap=gap, new_scene=number == 0)[0] for number, each in enumerate(given)]
    prob = given[0].prob.astype(np.float64)
    presence, score = given[0].presence, given[0].score
    for now, smoothed in zip(given[1:], found[1:], strict=True):
        assert presence is not None and now.presence is not None
        prob = weight * prob + (1 - weight) * now.prob
        presence = weight * presence + (1 - weight) * now.presence
        score = weight * score + (1 - weight) * now.score
        assert np.allclose(smoothed.prob, prob, atol=1e-6) and smoothed.prob.dtype == np.float32
        assert smoothed.presence == pytest.approx(presence) and smoothed.score == pytest.approx(score)
        assert smoothed.image is now.image and np.array_equal(smoothed.mask, smoothed.prob >= 0.5)


def test_without_smoothing_nothing_changes() -> None:
    given, smoother = results(3), Smoother(0.0)
    assert [smoother.add([each])[0] for each in given] == given


def test_a_new_scene_and_a_new_size_forget_the_past() -> None:
    given, smoother = results(3), Smoother(0.9)
    smoother.add([given[0]])
    assert smoother.add([given[1]], new_scene=True) == [given[1]]
    other = results(1, size=(5, 5))
    assert smoother.add(other) == other


def test_without_a_presence_head_there_is_none() -> None:
    import dataclasses

    first, second = (dataclasses.replace(each, presence=None) for each in results(2))
    assert blend(first, second, 0.5).presence is None


def test_an_empty_mask_has_score_0_whatever_the_past() -> None:
    first, second = results(2)
    low = Result(image=second.image, text="the dog", prob=second.prob * 0.1)
    assert blend(first, low, 0.99).score == 0.0


def test_cuts_are_told_from_motion() -> None:
    rng = np.random.default_rng(0)
    scene, other = (rng.integers(0, 256, (6, 8, 3)).repeat(10, 0).repeat(10, 1).astype(np.uint8) for _ in range(2))
    cuts = CutDetector()
    assert cuts.begins_scene(scene)  # the first frame
    assert not cuts.begins_scene(np.roll(scene, 1, axis=1)) and not cuts.begins_scene(scene // 10 * 9)
    assert cuts.begins_scene(other) and cuts.difference > 0.1
    assert not cuts.begins_scene(other) and cuts.difference == 0
    assert cuts.begins_scene(other[:, :-1])  # another size


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"every": 0}, "every is 0; it must be a whole number of at least 1"),
        ({"every": 1.5}, "every is 1.5"),
        ({"smooth": 1}, "smooth is 1; it must be from 0, no smoothing, to below 1"),
        ({"smooth": -0.1}, "smooth is -0.1"),
        ({"smooth": "much"}, "smooth is 'much'"),
    ],
)
def test_settings_that_cannot_work_are_named(values, words) -> None:
    with pytest.raises(ConfigError, match=words):
        TrackSettings(**values)
