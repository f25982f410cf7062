"""``Segmenter.track``: which frames are computed, what the others get, and that nothing is read far ahead."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from restr import Segmenter
from restr.errors import ConfigError, ImageError
from restr.inference.tracking.smoothing import Smoother, TrackSettings
from restr.inference.tracking.track import track_masks
from small_clips import red_segmenter, square_at

OPTIONS = {"threshold": None, "presence": None}


@pytest.fixture
def segmenter() -> Segmenter:
    return red_segmenter()


def frames(count: int) -> list[np.ndarray]:
    return [square_at(number) for number in range(count)]


def test_every_frame_alone_is_what_the_segmenter_gives(segmenter) -> None:
    found = list(segmenter.track(iter(frames(5)), ["the red", "the sky"], workers=1))
    assert [len(each) for each in found] == [2] * 5
    for image, results in zip(frames(5), found, strict=True):
        for result, alone in zip(results, segmenter(image, ["the red", "the sky"]), strict=True):
            assert np.allclose(result.prob, alone.prob, atol=1e-6) and result.text == alone.text
            assert np.array_equal(result.image, image)


def test_paths_and_pil_images_are_frames_and_keep_their_names(segmenter, tmp_path) -> None:
    Image.fromarray(square_at(0)).save(tmp_path / "first.png")
    found = list(segmenter.track([tmp_path / "first.png", Image.fromarray(square_at(1))], "red", every=2))
    assert [results[0].name for results in found] == ["first", "image"]
    assert np.array_equal(found[1][0].image, square_at(1))  # its own, though it was not computed


def tracked(segmenter, given, **settings):
    return list(track_masks(segmenter, iter(given), ["red"], TrackSettings(**settings), OPTIONS, 1))


def test_every_third_frame_is_computed_and_the_last_mask_stays(segmenter) -> None:
    found = tracked(segmenter, frames(9), every=3)
    assert [each.computed for each in found] == [True, False, False] * 3
    assert found[7].results == found[8].results == found[6].results
    assert not np.array_equal(found[1].results[0].prob, found[0].results[0].prob)  # interpolated


def test_smoothing_is_that_of_the_computed_frames_by_their_distance(segmenter) -> None:
    alone = tracked(segmenter, frames(7), every=3)
    smoothed = tracked(segmenter, frames(7), every=3, smooth=0.6)
    smoother = Smoother(0.6)
    for number in (0, 3, 6):
        expected = smoother.add(alone[number].results, gap=3, new_scene=number == 0)
        assert np.array_equal(expected[0].prob, smoothed[number].results[0].prob)


def test_a_cut_is_computed_and_forgets_the_scene_before(segmenter) -> None:
    given = [*frames(5), *(255 - image for image in frames(5))]
    found = tracked(segmenter, given, every=4, smooth=0.9)
    assert [number for number, each in enumerate(found) if each.computed] == [0, 4, 5, 9]
    alone = segmenter(given[5], "red")
    assert np.allclose(found[5].results[0].prob, alone.prob, atol=1e-6)


def test_the_last_mask_of_a_scene_stays_until_the_cut(segmenter) -> None:
    found = tracked(segmenter, [*frames(3), *(255 - image for image in frames(2))], every=8)
    assert [each.computed for each in found] == [True, False, False, True, False]
    assert found[1].results == found[2].results == found[0].results


def test_going_on_behind_a_computed_frame_gives_the_same(segmenter) -> None:
    settings, given = TrackSettings(every=3, smooth=0.5), frames(9)
    whole = tracked(segmenter, given, every=3, smooth=0.5)
    rest = list(track_masks(segmenter, iter(given[3:]), ["red"], settings, OPTIONS, 1, before=whole[3].results))
    assert len(rest) == 5
    for one, other in zip(rest, whole[4:], strict=True):
        assert one.computed == other.computed
        assert np.array_equal(one.results[0].prob, other.results[0].prob)


def test_frames_are_read_as_they_are_needed(segmenter) -> None:
    taken = 0

    def endless():
        nonlocal taken
        while True:
            yield square_at(taken % 10)
            taken += 1

    found = segmenter.track(endless(), "red", every=4, workers=2)
    for _ in range(3):
        next(found)
    assert taken <= 4 * 6
    found.close()


def test_a_warning_is_said_once(segmenter, caplog) -> None:
    with caplog.at_level(logging.WARNING, "restr"):
        list(segmenter.track(frames(4), ["zebra", "unicorn"]))
        list(segmenter.track(frames(2), ["zebra"]))
    assert sum("knows none" in record.message for record in caplog.records) == 3


def test_a_frame_that_cannot_be_read_is_an_error_in_its_turn(segmenter, tmp_path) -> None:
    found = segmenter.track([square_at(0), tmp_path / "none.png"], "red", workers=1)
    with pytest.raises(ImageError, match="none.png"):
        list(found)


def test_no_text_and_bad_settings_are_said_at_once(segmenter) -> None:
    with pytest.raises(ConfigError, match="there is no text"):
        segmenter.track(frames(1), [])
    with pytest.raises(ConfigError, match="every is 0"):
        segmenter.track(frames(1), "red", every=0)
    assert list(segmenter.track([], "red")) == []
