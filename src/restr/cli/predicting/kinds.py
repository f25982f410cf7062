"""Tells videos from pictures, without PyAV: ``restr predict`` starts as quickly for a picture as before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from restr.cli.jobs import STDIN
from restr.errors import UsageError
from restr.inference.sources import SUFFIXES
from restr.pictures.embedded import is_data_uri

if TYPE_CHECKING:
    from restr.cli.predicting.options import PredictOptions

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".m2v", ".ts", ".mts",
                            ".m2ts", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogg", ".mxf", ".y4m",
                            ".mjpeg", ".mjpg", ".h264", ".h265", ".hevc"})  # fmt: skip
# (where, what) in files of these kinds, whatever they are called: MP4 and QuickTime, Matroska and WebM, AVI, FLV, MPEG, Ogg
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"jp2 ")
_BEGINNINGS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"OggS", b"YUV4MPEG2")


def is_video(image: str) -> bool:
    """Whether a word of the command line means a video: by its ending or, where that says nothing, by its first bytes."""
    if image == STDIN or is_data_uri(image):
        return False
    ending = Path(image).suffix.lower()
    if ending in VIDEO_SUFFIXES:
        return True
    if ending in SUFFIXES or not os.path.isfile(image):  # a pipe is read once
        return False
    try:
        with open(image, "rb") as file:
            head = file.read(12)
    except OSError:  # said when it is read
        return False
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return head[8:12] not in _PICTURE_BRANDS
    return head.startswith(_BEGINNINGS) or head[:4] == b"RIFF" and head[8:12] == b"AVI "


def split_forms(save: str) -> list[str]:
    """The forms that --save names, each once."""
    return list(dict.fromkeys(kind.strip() for kind in save.split(",") if kind.strip()))


def check_video_options(options: PredictOptions, has_video: bool) -> None:
    """Raises ``UsageError`` for an option that would do nothing with these images, and for a wrong time."""
    if has_video:
        for name in ("start", "end"):
            seconds(getattr(options, name), name)
        if options.each:
            raise UsageError("--each is for pictures; leave it out for a video")
        return
    given = {"every": options.every != 1, "smooth": bool(options.smooth), "start": options.start, "end": options.end}
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name} is for videos, and none of the images is one; leave it out, or pass a video")


def seconds(text: str | None, option: str) -> float | None:
    """A time: seconds, or minutes and seconds as 1:30, or hours, minutes and seconds as 1:02:03.5. Raises ``UsageError``."""
    if text is None:
        return None
    parts = text.strip().split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 3 or not all(0 <= value < float("inf") for value in values):
        raise UsageError(f"--{option} is {text!r}; it must be seconds, such as 90, or a time, such as 1:30")
    total = 0.0
    for value in values:
        total = 60 * total + value
    return total
