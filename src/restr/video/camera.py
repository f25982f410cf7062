"""A camera, a clip or a network stream as live pictures: a thread reads it, and the newest picture is kept."""

from __future__ import annotations

import errno
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from restr.errors import CameraError, RestrError

if TYPE_CHECKING:
    import numpy as np

    from restr.video.clip import Frame

_logger = logging.getLogger("restr")

WEBCAM = "webcam"
_FIRST_S = 20.0  # seconds until the first picture
_AGAIN_S = 2.0  # seconds until a live source that broke off is opened again
_DRIVERS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}  # platform -> FFmpeg's name of its cameras
_LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp", "mms")  # addresses that go on by themselves
_RTSP = {"rtsp_transport": "tcp", "timeout": "10000000"}  # microseconds of silence
_BROWSERS = "or take the browser's camera: --source browser"


@dataclass(frozen=True, kw_only=True)
class CameraPlace:
    """How FFmpeg opens a source."""

    file: str
    """A device, file or address, as FFmpeg names it."""

    format: str | None = None
    """FFmpeg's input format; None to find out."""

    options: dict[str, str] = field(default_factory=dict)
    """FFmpeg's options."""

    live: bool = False
    """Whether pictures come when they happen; those of a clip are held back until their time."""

    label: str
    """What people call it; without a password."""


class CameraPicture(NamedTuple):
    """A picture as it came from the camera."""

    image: np.ndarray
    """uint8 (H W 3), upright."""

    index: int
    """Counts the camera's pictures from 0."""

    taken: float
    """``time.monotonic()`` when it came."""


def camera_place(source: str, platform: str = "") -> CameraPlace:
    """How to open a source: "webcam", "webcam:1", "webcam:NAME", "/dev/video0", a file or an address.

    platform: as ``sys.platform``, this machine's if empty. Raises ``CameraError`` for a file that does not exist, and for none at all.
    """
    name, _, which = source.partition(":")
    if name == WEBCAM:
        return _webcam(which, platform or sys.platform)
    if re.fullmatch(r"/dev/video\d+", source):
        return CameraPlace(file=source, format="v4l2", live=True, label=source)
    if "://" in source:
        scheme = source.partition("://")[0].lower()
        label = re.sub(r"//[^/@]*@", "//", source).partition("?")[0]
        if scheme == "rtsp":  # a named format is decoded without delay
            return CameraPlace(file=source, format=scheme, options=dict(_RTSP), live=True, label=label)
        return CameraPlace(file=source, live=scheme in _LIVE, label=label)
    if not source or not Path(source).is_file():
        raise CameraError(
            f"the source {source!r} is no file here; give webcam, a device such as /dev/video0, a clip, an address, {_BROWSERS}"
        )
    return CameraPlace(file=source, label=Path(source).name)


def _webcam(which: str, platform: str) -> CameraPlace:
    driver = next((driver for start, driver in _DRIVERS.items() if platform.startswith(start)), None)
    if driver is None:
        raise CameraError(f"cameras of {platform} are not known here; give a file or an address, {_BROWSERS}")
    label = f"its webcam {which}" if which else "its webcam"
    if driver == "v4l2":
        which = which or "0"
        return CameraPlace(
            file=f"/dev/video{which}" if which.isdigit() else which, format=driver, live=True, label=label
        )
    if driver == "avfoundation":  # it refuses its own default rate with many cameras
        return CameraPlace(file=which or "default", format=driver, options={"framerate": "30"}, live=True, label=label)
    return CameraPlace(file=f"video={which or _first_of_windows()}", format=driver, live=True, label=label)


def _first_of_windows() -> str:
    """The name of the first camera, as DirectShow opens them by name alone. Raises ``CameraError``."""
    import av

    found = [each for each in av.enumerate_input_devices("dshow") if "video" in each.media_types]
    if not found:
        raise CameraError(f"Windows shows no camera; plug one in, {_BROWSERS}")
    return found[0].name


class Camera:
    """Reads a source in a thread of its own, and keeps the newest picture alone. Used with ``with``.

    A clip plays at its own speed. A live source that breaks off is opened again until it works.
    """

    def __init__(self, source: str, *, loop: bool = False, read: Callable[..., Iterator[Frame]] | None = None) -> None:
        """Waits for the first picture. loop: begin a clip again at its end. read: in place of ``clip.read_frames``.

        Raises ``CameraError`` if no picture comes.
        """
        self.place, self.loop = camera_place(source), loop
        if read is None:
            from restr.video.clip import read_frames as read
        self.failure: str | None = None
        self._read, self._picture, self._count = read, None, 0
        self._news, self._stop = threading.Condition(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="restr-camera", daemon=True)
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._picture is not None or self.failure is not None, _FIRST_S)
        if self._picture is None:
            self.close()
            raise CameraError(
                self.failure or f"{self.label} gave no picture in {_FIRST_S:g} seconds; is it switched on?"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def label(self) -> str:
        """What people call the source."""
        return self.place.label

    def newest(self, after: int, seconds: float) -> CameraPicture | None:
        """The newest picture if its index is above ``after``; waits at most ``seconds`` for one, then None."""
        with self._news:
            self._news.wait_for(lambda: self._is_news(after) or self.failure is not None, seconds)
            return self._picture if self._is_news(after) else None

    def close(self) -> None:
        """Stop reading; a device that is silent right now is left to its thread."""
        self._stop.set()
        self._thread.join(2.0)

    def _is_news(self, after: int) -> bool:
        return self._picture is not None and self._picture.index > after

    def _run(self) -> None:
        while not self._stop.is_set():
            before = self._count
            try:
                self._play()
                reason = None if self.loop and self._count > before else self._ended()
            except Exception as error:  # whatever a driver does, the pages are to say why
                _logger.debug("the camera failed", exc_info=True)
                reason = camera_trouble(error, self.place)
            if reason is None:
                continue
            self._fail(reason)
            if not self.place.live or self._picture is None:
                return
            self._stop.wait(_AGAIN_S)

    def _play(self) -> None:
        """Read the source once, from its start to its end."""
        began, first = None, 0.0
        for frame in self._read(self.place.file, format=self.place.format, options=dict(self.place.options)):
            if began is None:
                began, first = time.monotonic(), frame.time
            elif not self.place.live:
                self._stop.wait(max(0.0, began + frame.time - first - time.monotonic()))
            if self._stop.is_set():
                return
            with self._news:
                self._picture = CameraPicture(frame.image, self._count, time.monotonic())
                self._count += 1
                self.failure = None
                self._news.notify_all()

    def _ended(self) -> str:
        return (
            f"{self.label} has stopped sending" if self.place.live else f"{self.label} is at its end; --loop repeats it"
        )

    def _fail(self, reason: str) -> None:
        with self._news:
            self.failure = reason
            self._news.notify_all()


def camera_trouble(error: BaseException, place: CameraPlace) -> str:
    """Why a source gives no picture, and what to do about it."""
    label, device = place.label, place.file
    causes = [error, *(cause for cause in (error.__cause__, error.__context__) if cause is not None)]
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    is_device = place.format in _DRIVERS.values()
    if is_device and numbers & {errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO}:
        shown = "ls /dev/video* shows those there are" if place.format == "v4l2" else "webcam:1 is the second one"
        return f"there is no camera {device}; plug it in ({shown}), {_BROWSERS}"
    if is_device and errno.EBUSY in numbers:
        return f"another program uses the camera {device}; close it, choose another camera, {_BROWSERS}"
    if is_device and numbers & {errno.EACCES, errno.EPERM}:
        how = {
            "v4l2": "let your user into the group video (sudo usermod -aG video $USER) and log in again",
            "avfoundation": "allow the terminal to use it (System Settings, Privacy & Security, Camera)",
        }.get(place.format or "", "allow it (Settings, Privacy & security, Camera)")
        return f"the camera {device} may not be used; {how}, {_BROWSERS}"
    if any("no container format" in str(cause) for cause in causes):
        return f"this build of PyAV reads no cameras of this machine ({place.format}); install PyAV's own wheel, {_BROWSERS}"
    if numbers & {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}:
        return f"nothing answers at {label}; look at the address and whether the camera is on"
    if isinstance(error, RestrError):
        return str(error).replace(device, label)  # an address may hold a password
    said = getattr(error, "strerror", None) or type(error).__name__  # str() would repeat the address, with its password
    return f"{label} cannot be read: {said}; it must be something that FFmpeg opens"
