"""Which words are videos, and how times are written."""

from __future__ import annotations

import pytest
from PIL import Image

from restr.cli.predicting.kinds import is_video, seconds
from restr.errors import UsageError
from small_clips import write_clip


@pytest.mark.parametrize("name", ["a.mp4", "A.MOV", "a.webm", "somewhere/a.mkv", "a.y4m"])
def test_an_ending_says_it(name: str) -> None:
    assert is_video(name)


@pytest.mark.parametrize("name", ["a.jpg", "a.gif", "-", "data:image/png;base64,AAAA", "a", "none.bin"])
def test_pictures_and_what_is_not_there_are_none(name: str) -> None:
    assert not is_video(name)


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4"), ("flv", "flv1"),
                                               ("mpg", "mpeg1video"), ("mov", "mpeg4")])  # fmt: skip
def test_without_an_ending_the_first_bytes_say_it(tmp_path, ending: str, codec: str) -> None:
    if codec in ("flv1", "mpeg1video"):
        heads = {"flv": b"FLV\x01\x05\0\0\0\t\0\0\0\0", "mpg": b"\0\0\x01\xba!\0\x01\0\x01\x80\0\0\0"}
        (tmp_path / "clip").write_bytes(heads[ending])
    else:
        (tmp_path / "clip").write_bytes(write_clip(tmp_path / f"a.{ending}", codec=codec).read_bytes())
    assert is_video(str(tmp_path / "clip"))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "JPEG2000", "TIFF"])
def test_a_picture_without_an_ending_is_none(tmp_path, form: str) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "picture", form)
    assert not is_video(str(tmp_path / "picture"))


@pytest.mark.parametrize(
    ("text", "value"), [(None, None), ("0", 0), ("12.5", 12.5), ("1:30", 90), ("1:02:03.5", 3723.5), (" 90 ", 90)]
)
def test_times(text, value) -> None:
    assert seconds(text, "start") == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "1:2:3:4", "1:", "inf", "nan", "1:-3"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="--end is .*; it must be seconds, such as 90, or a time, such as 1:30"):
        seconds(text, "end")
