"""Reading a video: every frame upright, at its time; clear words for what is no video."""

from __future__ import annotations

import logging
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from restr.errors import ConfigError, VideoError
from restr.video.clip import describe_clip, read_frames
from small_clips import UNEVEN, mix_up_times, square_at, times_of, write_clip


def corner_of(image: np.ndarray) -> tuple[int, int]:
    """Where the middle of the red square lies: (y, x), in sixteenths of the picture."""
    red = (image[..., 0] > 150) & (image[..., 1] < 100)
    rows, columns = np.nonzero(red)
    return round(rows.mean() * 16 / image.shape[0]), round(columns.mean() * 16 / image.shape[1])


def test_uneven_times_and_pictures_are_those_that_were_written(tmp_path) -> None:
    frames = list(read_frames(write_clip(tmp_path / "a.mp4", UNEVEN)))
    assert [frame.time for frame in frames] == pytest.approx([each / 1000 for each in UNEVEN], abs=1e-9)
    assert [frame.index for frame in frames] == list(range(12))
    for frame in frames:
        assert frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - square_at(frame.index)).mean() < 4


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_a_turned_clip_is_read_upright(tmp_path, turn: int) -> None:
    """The square begins in the upper left corner; a player turns it anticlockwise by so many degrees."""
    frame = next(read_frames(write_clip(tmp_path / "a.mp4", rotation=turn)))
    expected = np.rot90(square_at(0), turn // 90)
    assert frame.image.shape == expected.shape
    assert corner_of(frame.image) == corner_of(expected)
    assert np.abs(frame.image.astype(int) - expected).mean() < 4


def test_a_mirrored_clip_is_read_upright(tmp_path) -> None:
    from restr.video.clip import _upright

    image = square_at(0)
    assert np.array_equal(_upright(image, (-1, 0, 0, 1)), image[:, ::-1])
    assert np.array_equal(_upright(image, (1, 0, 0, -1)), image[::-1])
    assert np.array_equal(_upright(image, (0, 1, 1, 0)), image.transpose(1, 0, 2))


def test_pixels_become_square(tmp_path) -> None:
    path = write_clip(tmp_path / "a.mp4", ratio=Fraction(3, 2))
    frame = next(read_frames(path))
    assert frame.image.shape == (48, 96, 3)
    assert (describe_clip(path).height, describe_clip(path).width) == (48, 96)


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(None, None, UNEVEN), (0.433, None, UNEVEN[4:]), (0.43, 0.91, UNEVEN[4:7]), (None, 0.1, UNEVEN[:1])],
)
def test_start_and_end(tmp_path, start, end, wanted) -> None:
    frames = list(read_frames(write_clip(tmp_path / "a.mp4", UNEVEN), start=start, end=end))
    assert [round(frame.time * 1000) for frame in frames] == list(wanted)
    assert [frame.index for frame in frames] == list(range(len(wanted)))
    first = square_at(UNEVEN.index(wanted[0]))
    assert np.abs(frames[0].image.astype(int) - first).mean() < 4


def test_a_clip_says_what_it_is(tmp_path) -> None:
    info = describe_clip(write_clip(tmp_path / "a.mp4"))
    assert (info.width, info.height, info.frames) == (64, 48, 12)
    assert info.rate == pytest.approx(10, rel=0.01) and info.duration == pytest.approx(1.2, abs=0.11)


def test_mixed_up_times_are_put_in_order(tmp_path) -> None:
    path = mix_up_times(tmp_path / "b.mp4", write_clip(tmp_path / "a.mp4"))
    times = times_of(path)
    assert times != sorted(times)  # as PyAV reads them
    frames = list(read_frames(path))
    assert len(frames) == 12
    assert [frame.time for frame in frames] == pytest.approx([number / 10 for number in range(12)], abs=0.011)
    for frame in frames:
        assert np.abs(frame.image.astype(int) - square_at(frame.index)).mean() < 4


def test_frames_are_decoded_as_they_are_asked_for(tmp_path) -> None:
    frames = read_frames(write_clip(tmp_path / "a.mp4"))
    assert next(frames).index == 0 and next(frames).index == 1
    frames.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
        (b"", "no video"),
        (b"hello " * 300, "no video"),
        ("cut", "damaged, or was cut short"),
    ],
)
def test_what_is_no_video_is_said(tmp_path, content, words) -> None:
    path = tmp_path / "a.mp4"
    if content == "cut":
        whole = write_clip(tmp_path / "whole.mp4").read_bytes()
        content = whole[: len(whole) // 2]  # without the index at its end
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=words) as caught:
        list(read_frames(path))
    assert "a.mp4" in str(caught.value)


def test_sound_alone_is_no_video(tmp_path) -> None:
    import av

    with av.open(str(tmp_path / "a.wav"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no pictures, only audio"):
        list(read_frames(tmp_path / "a.wav"))


def test_a_range_without_frames_names_the_length(tmp_path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"between 5 s and its end.*long"):
        list(read_frames(path, start=5))
    with pytest.raises(ConfigError, match="the end must come later"):
        list(read_frames(path, start=5, end=5))


def test_a_damaged_part_costs_its_frames_alone(tmp_path, caplog) -> None:
    path = write_clip(tmp_path / "a.avi", codec="mpeg4")
    content = bytearray(path.read_bytes())
    middle = content.index(b"movi") + (content.rindex(b"idx1") - content.index(b"movi")) // 2
    content[middle : middle + 150] = bytes(150)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "restr"):
        times = [frame.time for frame in read_frames(path)]
    assert 0.0 in times and times[-1] >= 1.0 and times == sorted(times)


def test_without_pyav_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from restr.errors import ConfigError\n"
        "try: import restr.video.clip\n"
        "except ConfigError as error: print(error)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "pip install 'restr[video]'" in done.stdout, done.stderr
