"""Masks between two computed frames: what moves is moved, what does not fit is blended."""

from __future__ import annotations

import numpy as np
import pytest

from restr import Result
from restr.inference.tracking.between import Interpolation, shifted


def square(top: int, left: int, side: int, *, presence: float = 0.8) -> Result:
    prob = np.full((60, 80), 0.1, np.float32)
    prob[top : top + side, left : left + side] = 0.9
    return Result(image=np.zeros((60, 80, 3), np.uint8), text="it", prob=prob, presence=presence)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_thing_that_moves_is_on_its_way(share: float) -> None:
    (found,) = Interpolation([square(10, 10, 12)], [square(14, 30, 12)]).at(share)
    assert found.box == (10 + 20 * share, 10 + 4 * share, 22 + 20 * share, 22 + 4 * share)
    assert found.area == 144


def test_a_still_thing_stays() -> None:
    still = square(10, 10, 12)
    (found,) = Interpolation([still], [still]).at(0.3)
    assert np.allclose(found.prob, still.prob) and found.score == pytest.approx(still.score)


@pytest.mark.parametrize("other", [square(40, 66, 12), square(20, 20, 20)], ids=["too far", "too large"])
def test_another_thing_is_blended_in_place(other: Result) -> None:
    first = square(10, 10, 12, presence=0.4)
    (found,) = Interpolation([first], [other]).at(0.25)
    assert np.allclose(found.prob, 0.75 * first.prob + 0.25 * other.prob)
    assert found.presence == pytest.approx(0.75 * 0.4 + 0.25 * 0.8)


def test_an_empty_mask_is_blended_in_place() -> None:
    empty = Result(image=np.zeros((60, 80, 3), np.uint8), text="it", prob=np.zeros((60, 80), np.float32))
    (found,) = Interpolation([empty], [square(10, 10, 12)]).at(0.5)
    assert not found.found
    assert np.allclose(found.prob, square(10, 10, 12).prob / 2)


def test_shifting_is_numpys_roll_without_what_comes_round() -> None:
    values = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(shifted(values, np.array([1.2, -2.0])), [[0, 0, 0, 0], [3, 4, 0, 0], [7, 8, 0, 0]])
    assert np.array_equal(shifted(values, np.array([0.4, 0.0])), values)
