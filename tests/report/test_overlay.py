"""Masks on pictures: one alone, and a predicted one against the true one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from restr.report.overlay import ACCENT, FOUND, TRUTH, compare_masks, fit_side, highlight_mask


def test_a_comparison_tints_what_was_found_and_outlines_the_truth() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    nothing, left = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    left[:, :20] = True
    plain = np.asarray(compare_masks(image, nothing, nothing, 80))
    assert plain.shape == (80, 80, 3) and (plain == 200).all()  # no line along the picture's own border either
    tinted = np.asarray(compare_masks(image, left, nothing, 80))
    assert tinted[40, 20] == pytest.approx([(200 + channel) / 2 for channel in FOUND], abs=1)
    assert tinted[40, 60].tolist() == [200] * 3
    outlined = np.asarray(compare_masks(image, nothing, left, 80))
    assert tuple(outlined[40, 38]) == TRUTH and outlined[40, 20].tolist() == [200] * 3
    assert tuple(outlined[40, 0]) == tuple(outlined[0, 20]) == TRUTH  # a region that the border cuts is closed there
    assert outlined[40, 40].max() < 200 and outlined[40, 60].tolist() == [200] * 3  # shade beside the line alone


def test_a_highlight_keeps_the_thing_and_dims_the_rest() -> None:
    grey = Image.fromarray(np.full((40, 60, 3), 150, np.uint8))
    left = np.zeros((20, 30), bool)  # a mask of another size than the picture
    left[:, :15] = True
    found = np.asarray(highlight_mask(grey, left)).astype(int)
    assert found.shape == (40, 60, 3) and abs(found[20, 10] - 150).max() < 15 and found[20, 50].max() < 95
    strong = np.asarray(highlight_mask(grey, left, tint=1.0))
    assert tuple(strong[20, 10]) == ACCENT
    nothing = np.asarray(highlight_mask(grey, np.zeros((20, 30), bool)))
    assert (nothing == nothing[0, 0]).all(), "an empty mask has no contour"


def test_the_longer_side_is_fitted() -> None:
    assert fit_side(np.zeros((10, 40, 3), np.uint8), 80).size == (80, 20)
    assert fit_side(np.zeros((400, 1, 3), np.uint8), 80).size == (1, 80)
