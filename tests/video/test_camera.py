"""Cameras, clips and addresses as live pictures, with readers in place of devices."""

from __future__ import annotations

import errno
import itertools
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import pytest

from restr.errors import CameraError, ImageError, VideoError
from restr.video import camera as camera_module
from restr.video.camera import Camera, CameraPicture, camera_place, camera_trouble

PICTURE = np.zeros((4, 6, 3), np.uint8)


class Shot(NamedTuple):
    """A frame, as ``restr.video.clip`` reads it."""

    image: np.ndarray
    time: float
    index: int


def reader(*parts: Any, every: float = 0.0) -> Any:
    """A reader that gives, each time it is called, the next of ``parts``: so many pictures, then an error or the end."""
    calls = iter(parts)

    def read(file: str, **_: Any):
        count, error = next(calls)
        for number in itertools.count() if count is None else range(count):
            if every:
                time.sleep(every)
            yield Shot(PICTURE, 0.04 * number, number)
        if error is not None:
            raise error

    return read


def newest(camera: Camera, after: int, seconds: float) -> CameraPicture:
    """The newest picture, which must be there."""
    found = camera.newest(after, seconds)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("source", "platform", "file", "driver"),
    [
        ("webcam", "linux", "/dev/video0", "v4l2"),
        ("webcam:2", "linux", "/dev/video2", "v4l2"),
        ("/dev/video1", "linux", "/dev/video1", "v4l2"),
        ("webcam", "darwin", "default", "avfoundation"),
        ("webcam:1", "darwin", "1", "avfoundation"),
        ("webcam:HD Camera", "win32", "video=HD Camera", "dshow"),
        ("rtsp://door.local/1", "linux", "rtsp://door.local/1", "rtsp"),
    ],
)
def test_a_source_is_opened_as_its_platform_does(source, platform, file, driver):
    place = camera_place(source, platform)
    assert (place.file, place.format, place.live) == (file, driver, True)


def test_clips_and_web_addresses_play_at_their_own_speed(tmp_path):
    clip = tmp_path / "dogs.mp4"
    clip.touch()
    assert (camera_place(str(clip)).live, camera_place(str(clip)).label) == (False, "dogs.mp4")
    assert not camera_place("https://example.org/dogs.mp4").live


@pytest.mark.parametrize(("source", "platform"), [("nowhere.mp4", "linux"), ("", "linux"), ("webcam", "sunos5")])
def test_what_cannot_be_opened_is_refused_with_another_way(source, platform):
    with pytest.raises(CameraError, match="--source browser"):
        camera_place(source, platform)


def test_a_password_is_never_shown():
    place = camera_place("rtsp://me:secret@door.local/1?token=secret")
    error = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused", place.file)
    odd = OSError(5, "Input/output error", place.file)
    ours = VideoError(f"{place.file} cannot be opened; check the path")
    for shown in (place.label, *(camera_trouble(each, place) for each in (error, odd, ours))):
        assert "secret" not in shown and "door.local/1" in shown


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("webcam", FileNotFoundError(errno.ENOENT, "No such file"), "ls /dev/video"),
        ("webcam", OSError(errno.EBUSY, "Device or resource busy"), "another program uses"),
        ("webcam", PermissionError(errno.EACCES, "Permission denied"), "group video"),
        ("webcam", ValueError("no container format 'v4l2'"), "PyAV's own wheel"),
        (
            "rtsp://door.local/1",
            ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
            "nothing answers at rtsp://door.local",
        ),
        ("rtsp://door.local/1", ValueError("Invalid data found"), "something that FFmpeg opens"),
        ("rtsp://door.local/1", ImageError("a reader's own words"), "a reader's own words"),
    ],
)
def test_a_source_that_does_not_open_says_why_and_what_to_do(monkeypatch, source, error, says):
    monkeypatch.setattr(camera_module.sys, "platform", "linux")
    with pytest.raises(CameraError, match=says):
        Camera(source, read=reader((0, error)))


def test_permission_is_given_differently_by_each_system():
    denied = PermissionError(errno.EACCES, "no")
    assert "Privacy & Security" in camera_trouble(denied, camera_place("webcam", "darwin"))
    assert "Settings, Privacy" in camera_trouble(denied, camera_place("webcam:0", "win32"))


def test_only_the_newest_picture_is_kept():
    made: list[int] = []

    def counted(file: str, **_: Any):
        for shot in reader((None, None), every=0.005)(file):
            made.append(shot.index)
            yield shot

    with Camera("/dev/video0", read=counted) as camera:
        first = newest(camera, -1, 1.0)
        while made[-1] <= first.index + 8:
            time.sleep(0.005)
        latest = made[-1]
        second = newest(camera, first.index, 1.0)
        assert second.index > first.index + 5  # those between are gone
        assert second.index >= latest - 1  # the latest itself may be on its way
        assert camera.newest(10**9, 0.01) is None


def test_a_clip_plays_at_its_own_speed_and_ends(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    started = time.monotonic()
    with Camera(str(clip), read=reader((6, None))) as camera:
        while camera.failure is None:
            time.sleep(0.01)
        assert 0.2 <= time.monotonic() - started < 1.0  # six pictures, 0.04 s from one to the next
        assert "--loop" in camera.failure and newest(camera, 4, 0.0).index == 5
        assert camera.newest(5, 5.0) is None  # at once


def test_a_clip_begins_again(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    with Camera(str(clip), loop=True, read=reader((2, None), (None, None))) as camera:
        assert newest(camera, 4, 2.0).index > 4
        assert camera.failure is None


def test_an_empty_clip_does_not_begin_again_for_ever(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    with pytest.raises(CameraError, match="at its end"):
        Camera(str(clip), loop=True, read=reader((0, None)))


def test_a_camera_that_breaks_off_is_opened_again(monkeypatch):
    monkeypatch.setattr(camera_module, "_AGAIN_S", 0.1)
    gone = OSError(errno.ENODEV, "No such device")
    with Camera("/dev/video0", read=reader((3, gone), (0, gone), (None, None), every=0.005)) as camera:
        while camera.failure is None:
            time.sleep(0.005)
        assert "plug it in" in camera.failure
        until = time.monotonic() + 5
        while camera.failure is not None and time.monotonic() < until:
            time.sleep(0.02)
        assert newest(camera, 2, 1.0).index > 2
        assert camera.failure is None


def test_closing_ends_the_thread():
    camera = Camera("/dev/video0", read=reader((None, None), every=0.005))
    camera.close()
    assert not any(thread.name == "restr-camera" for thread in threading.enumerate())


def test_a_real_clip_plays_and_begins_again(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuvj420p")))
        container.mux(stream.encode())
    with Camera(str(path), loop=True) as camera:
        seen = [newest(camera, index, 5.0) for index in (-1, 3, 7)]
    assert [each.index >= least for each, least in zip(seen, (0, 4, 8), strict=True)] == [True] * 3
    assert all(each.image.shape == (48, 64, 3) for each in seen)
    path.write_bytes(b"no clip")
    with pytest.raises(CameraError, match="clip.avi"):
        Camera(str(path))
