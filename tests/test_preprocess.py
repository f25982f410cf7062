"""The way into the model and back keeps every pixel where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from restr.config import IMAGENET_MEAN, IMAGENET_STD
from restr.errors import ConfigError, ImageError
from restr.preprocess import Framing, resize

LONGEST = Framing(size=480, fit="longest", mean=IMAGENET_MEAN, std=IMAGENET_STD, threshold=0.5, patch=16)
LETTERBOX = replace(LONGEST, fit="letterbox", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
CENTRED = replace(LETTERBOX, place="centre")
SIZES = [(480, 480), (427, 640), (640, 427), (33, 1000), (2000, 3), (1, 1), (375, 500)]


@pytest.mark.parametrize("framing", [LONGEST, LETTERBOX, CENTRED], ids=["longest", "letterbox", "centred"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_input_size_is_whole_patches_with_the_longest_side_at_size(size, framing):
    height, width = framing.input_size(size)
    assert height % 16 == width % 16 == 0
    assert max(height, width) == 480 and min(height, width) >= 16
    inner = framing.content_size(size)
    assert inner[0] <= height and inner[1] <= width and max(inner) == 480
    image = np.full((*size, 3), 77, np.uint8)
    prepared = framing.prepare(image)
    assert prepared.shape == (3, height, width) and prepared.dtype == np.float32 and prepared.flags.c_contiguous
    assert framing.restore(prepared[0], size).shape == size


def test_longest_rounds_to_the_nearest_patch():
    assert LONGEST.input_size((427, 640)) == (320, 480)  # 320.25
    assert LONGEST.input_size((375, 500)) == (368, 480)  # 360 = 22.5 patches: halves go up
    assert LONGEST.input_size((3, 2000)) == (16, 480)


def test_letterbox_pads_right_and_bottom_with_the_mean():
    image = np.zeros((240, 480, 3), np.uint8)
    fitted = LETTERBOX.fit_image(image)
    assert fitted.shape == (480, 480, 3)
    assert (fitted[:240] == 0).all() and (fitted[240:] == 128).all()
    assert abs(LETTERBOX.prepare(image)[:, 240:]).max() < 0.005, "padding is what the model reads as nothing"


@pytest.mark.parametrize(
    ("size", "inner", "before"),
    [
        ((427, 640), (320, 480), (80, 0)),
        ((640, 428), (480, 321), (0, 79)),  # 159 columns are left: one more after the photograph
        ((430, 640), (322, 480), (79, 0)),  # 322.5: halves to even, as the released program rounds
        ((426, 640), (320, 480), (80, 0)),  # 319.5
        ((240, 240), (480, 480), (0, 0)),
        ((3, 2000), (1, 480), (239, 0)),
    ],
)
def test_a_centred_letterbox_pads_both_sides(size, inner, before):
    assert CENTRED.content_size(size) == inner
    fitted = CENTRED.fit_image(np.zeros((*size, 3), np.uint8))
    assert fitted.shape == (480, 480, 3)
    rows, columns = (slice(start, start + side) for start, side in zip(before, inner, strict=True))
    assert CENTRED.content(size) == (rows, columns)
    assert (fitted[rows, columns] == 0).all()
    assert (fitted == 128).sum() == 3 * (480 * 480 - inner[0] * inner[1]), "the rest is the mean"
    assert (CENTRED.fit_mask(np.ones(size, bool)) == (fitted[..., 0] == 0)).all()


def test_only_a_letterbox_has_a_place():
    image = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    for fit in ("longest", "square"):
        one, two = (replace(LETTERBOX, fit=fit, place=place).fit_image(image) for place in ("corner", "centre"))
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ConfigError, match="place is 'middle'; choose one of corner, centre"):
        replace(LETTERBOX, place="middle")


def test_normalisation():
    image = np.zeros((480, 480, 3), np.uint8)
    image[..., 1] = 255
    prepared = LONGEST.prepare(image)
    for channel, value in enumerate((0.0, 1.0, 0.0)):
        expected = (value - LONGEST.mean[channel]) / LONGEST.std[channel]
        np.testing.assert_allclose(prepared[channel], expected, rtol=1e-5)


@pytest.mark.parametrize("framing", [LONGEST, LETTERBOX, CENTRED], ids=["longest", "letterbox", "centred"])
@pytest.mark.parametrize("size", [(427, 640), (900, 601), (300, 200)], ids=str)
def test_a_mask_fitted_and_restored_lies_where_it_was(size, framing):
    mask = np.zeros(size, bool)
    mask[size[0] // 5 : size[0] // 2, size[1] // 3 : size[1] // 2] = True
    back = framing.restore(framing.fit_mask(mask), size) >= 0.5
    union = np.logical_or(mask, back).sum()
    assert np.logical_and(mask, back).sum() / union > 0.96
    rows, columns = np.nonzero(mask)
    back_rows, back_columns = np.nonzero(back)
    assert abs(rows.mean() - back_rows.mean()) < 0.5 and abs(columns.mean() - back_columns.mean()) < 0.5


def test_fit_mask_keeps_the_area_share():
    mask = np.zeros((100, 200), bool)
    mask[:50, :50] = True
    assert LONGEST.fit_mask(mask).mean() == pytest.approx(0.125, abs=0.003)
    assert LETTERBOX.fit_mask(mask).mean() == pytest.approx(0.0625, abs=0.003)


def test_resize_is_a_copy_and_centred():
    values = np.array([[0.0, 1.0]], np.float32)
    same = resize(values, (1, 2))
    same[0, 0] = 5
    assert values[0, 0] == 0
    np.testing.assert_allclose(resize(values, (1, 4)), [[0, 0.25, 0.75, 1]], atol=1e-6)


def test_refusals_name_the_value():
    with pytest.raises(ImageError, match="0 x 5"):
        LONGEST.input_size((5, 0))
    with pytest.raises(ImageError, match="float32"):
        LONGEST.prepare(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ImageError, match="320, 480"):
        LONGEST.restore(np.zeros((480, 480), np.float32), (427, 640))
    with pytest.raises(ConfigError, match="multiple of patch 7"):
        replace(LONGEST, patch=7)
