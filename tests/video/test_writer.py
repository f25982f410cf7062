"""Written videos: times and sound as in the clip they come from, colours as given, one's own encoder or the next best."""

from __future__ import annotations

import av
import numpy as np
import pytest

from restr.errors import OutputError, VideoError
from restr.video import writer
from restr.video.clip import describe_clip, read_frames
from restr.video.writer import Mp4Writer, find_encoder
from small_clips import UNEVEN, sound_of, times_of, write_clip


def copy(clip, path, *, start=None, end=None, sound=True) -> list[str]:
    """The clip written anew."""
    with Mp4Writer(path, describe_clip(clip), sound=clip if sound else None, start=start, end=end) as out:
        for frame in read_frames(clip, start=start, end=end):
            out.write(frame.image, frame.time)
    return out.notes


def test_uneven_times_stay(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", UNEVEN)
    assert copy(clip, tmp_path / "b.mp4") == []
    assert times_of(tmp_path / "b.mp4") == pytest.approx([each / 1000 for each in UNEVEN], abs=1e-4)
    with av.open(str(tmp_path / "b.mp4")) as out:
        assert out.streams.video[0].codec_context.name == "h264" and not out.streams.audio


def test_colours_stay(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=[np.full((48, 64, 3), (200, 40, 90), np.uint8)] * 12)
    copy(clip, tmp_path / "b.mp4")
    image = next(read_frames(tmp_path / "b.mp4")).image
    assert np.abs(image.reshape(-1, 3).mean(0) - (200, 40, 90)).max() < 4


def test_the_sound_is_copied_byte_by_byte(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", sound="aac")
    assert copy(clip, tmp_path / "b.mp4") == []
    assert sound_of(clip) and sound_of(tmp_path / "b.mp4") == sound_of(clip)


def test_of_a_part_the_sound_is_that_part(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", sound="aac")
    copy(clip, tmp_path / "b.mp4", start=0.4, end=0.8)
    assert times_of(tmp_path / "b.mp4") == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-3)
    whole, part = sound_of(clip), sound_of(tmp_path / "b.mp4")
    first = next(number for number, (_, packet) in enumerate(whole) if packet == part[0][1])
    assert [packet for _, packet in part] == [packet for _, packet in whole[first : first + len(part)]]
    for (before, _), (after, _) in zip(whole[first:], part, strict=False):
        assert after == pytest.approx(before - 0.4, abs=0.002)
    assert 0.3 < part[-1][0] + 0.128 < 0.55 and part[0][0] <= 0.0  # packets of 0.128 s


def test_sound_that_an_mp4_cannot_hold_is_left_out_and_said(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mkv", sound="tta")
    (note,) = copy(clip, tmp_path / "b.mp4")
    assert "tta" in note and "silent" in note
    assert sound_of(tmp_path / "b.mp4") == [] and len(times_of(tmp_path / "b.mp4")) == 12


def test_without_h264_the_next_best_is_taken_and_said(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(writer, "ENCODERS", {"no such encoder": {}, "mpeg4": writer.ENCODERS["mpeg4"]})
    clip = write_clip(tmp_path / "a.mp4", UNEVEN)
    (note,) = copy(clip, tmp_path / "b.mp4")
    assert "no encoder for H.264" in note
    assert times_of(tmp_path / "b.mp4") == pytest.approx([each / 1000 for each in UNEVEN], abs=1e-3)
    monkeypatch.setattr(writer, "ENCODERS", {"no such encoder": {}})
    with pytest.raises(VideoError, match="no such encoder"):
        find_encoder()


def test_a_place_that_takes_no_file_is_named(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(OutputError, match=r"none.b.mp4 cannot be written \(No such file"):
        copy(clip, tmp_path / "none" / "b.mp4")
