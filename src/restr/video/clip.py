"""Reads a video: upright RGB frames with their times, one after the other."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from restr.errors import ConfigError, VideoError

try:
    import av
    from av import VideoFrame
    from av.container import InputContainer
    from av.error import InvalidDataError
except ImportError as error:
    raise ConfigError("PyAV is not installed, which reads videos; run: pip install 'restr[video]'") from error

_logger = logging.getLogger("restr")
# Seconds before the start at which reading begins: an index goes by the times of decoding, and so may lead too far.
_EARLIER = (0.0, 1.0, 10.0)
_PROBE = 12  # frames by which mixed up times are noticed
_UNSPECIFIED = 2  # FFmpeg's number of a colour space that is not noted
_MICROSECONDS = 1_000_000  # seconds times this: the unit in which a container seeks


class Frame(NamedTuple):
    """One picture of a video."""

    image: np.ndarray
    """uint8 (H W 3), upright, with square pixels: as a player shows it."""

    time: float
    """When it is shown, in seconds on the video's own clock, whose 0 is the start of the file."""

    index: int
    """The number of the frame among those read, from 0."""


@dataclass(frozen=True, kw_only=True)
class ClipInfo:
    """What a video says about itself."""

    width: int
    """Of the upright picture, in square pixels."""

    height: int
    """Of the upright picture, in square pixels."""

    rate: float
    """Frames a second, on average."""

    duration: float
    """In seconds; 0 if it is not known, as from a pipe."""

    frames: int
    """How many there are, or about how many; 0 if it is not known."""

    tick: Fraction
    """The unit of the times, in seconds."""


def read_frames(
    source: str | os.PathLike[str],
    *,
    start: float | None = None,
    end: float | None = None,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Iterator[Frame]:
    """The frames of a video in the order in which they are shown, decoded as they are asked for.

    source: a path, or an address that PyAV opens. start, end: seconds; frames with start <= time < end are read. Times may
    be unevenly spaced. The rotation that a phone notes is applied, and pixels that are not square are stretched. format,
    options: of FFmpeg, for a device such as a camera. Damaged parts are skipped with a warning. Raises ``VideoError``
    for what is not a video, or has no frame in this range.
    """
    if start is not None and end is not None and end <= start:
        raise ConfigError(f"the end is {end:g} s and the start {start:g} s; the end must come later")
    name = os.fspath(source)
    with open_video(name, format=format, options=options) as container:
        if format is None:  # several frames at once: quick, but a camera's would come late
            container.streams.video[0].thread_type = "AUTO"
        count = 0
        for image, time in _decoded(container, name, start, probed=format is None):
            if end is not None and time >= end:
                break
            yield Frame(image, time, count)
            count += 1
        if not count:
            wanted = "" if start is None and end is None else f" between {start or 0:g} s and {_until(end)}"
            raise VideoError(f"{name} has no frame{wanted} that can be read; {_advice(container)}")


def open_video(source: str, *, format: str | None = None, options: Mapping[str, str] | None = None) -> InputContainer:
    """Open what PyAV can read. Raises ``VideoError`` if it cannot, or if there is no picture in it."""
    try:
        container = av.open(source, format=format, options=dict(options or {}))
    except FileNotFoundError as error:
        raise VideoError(f"there is no file {source}; check the path") from error
    except InvalidDataError as error:
        raise VideoError(f"{source} is no video, is damaged, or was cut short: its beginning cannot be read") from error
    except (OSError, ValueError) as error:  # FFmpeg's errors are among them
        reason = getattr(error, "strerror", None) or error
        raise VideoError(f"{source} cannot be opened: {reason}; check the path and who may read it") from error
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing that can be read"
        container.close()
        raise VideoError(f"{source} has no pictures, only {kinds}; pass a video")
    return container


def describe_clip(source: str | os.PathLike[str]) -> ClipInfo:
    """Size, rate and length of a video; decodes its first frame. Raises ``VideoError``."""
    name = os.fspath(source)
    first = next(iter(read_frames(name)))
    with open_video(name) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        duration = _duration(container)
        height, width = first.image.shape[:2]
        return ClipInfo(
            width=width,
            height=height,
            rate=rate,
            duration=duration,
            frames=stream.frames or round(duration * rate),
            tick=stream.time_base or Fraction(1, 90_000),
        )


def start_of(container: InputContainer) -> Fraction:
    """The time that counts as 0: when the first picture or sound begins, in seconds on the file's clock."""
    streams = [*container.streams.video, *container.streams.audio]
    starts = [each.start_time * each.time_base for each in streams if each.start_time is not None and each.time_base]
    return min(starts, default=Fraction(0))


def _decoded(
    container: InputContainer, name: str, start: float | None, *, probed: bool
) -> Iterator[tuple[np.ndarray, float]]:
    """(image, time) from ``start`` on."""
    origin = start_of(container)
    for earlier in _EARLIER:
        if not start:
            break
        if not _seek(container, origin, max(0.0, start - earlier)):
            break
        frames = _pictures(container, name, origin, probed)
        first = next(frames, None)
        if first is not None and first[1] <= start:
            yield from _shown(container, chain([first], frames), start)
            return
    if start:
        container.seek(0)
    yield from _shown(container, _pictures(container, name, origin, probed), start)


def _seek(container: InputContainer, origin: Fraction, time: float) -> bool:
    """Go to a key frame at or before a time, if the file can."""
    try:
        container.seek(int((origin + Fraction(time)) * _MICROSECONDS), backward=True)
    except (OSError, ValueError):
        return False
    return True


def _pictures(
    container: InputContainer, name: str, origin: Fraction, probed: bool
) -> Iterator[tuple[VideoFrame, float]]:
    """The frames with their times; a frame without a time follows the one before it."""
    stream = container.streams.video[0]
    frames = _decoded_packets(container, name)
    probe = list(islice(frames, _PROBE)) if probed else []
    shift = _delay(probe)
    gap = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    last = -gap
    for frame in chain(probe, frames):
        stamp = frame.pts if shift is None else None if frame.dts is None else frame.dts - shift
        tick = frame.time_base
        time = last + gap if stamp is None or tick is None else float(stamp * tick - origin)
        if time > last:  # a second picture for one moment is never seen
            yield frame, time
            last = time


def _delay(probe: Sequence[VideoFrame]) -> int | None:
    """None if the first frames' times grow, as they should.

    Some programs write the times of decoding as those of showing: then the frames, which come in the right order, have mixed
    up times. The times of decoding are right but for a delay, which is returned.
    """
    times = [frame.pts for frame in probe if frame.pts is not None]
    if all(before < after for before, after in pairwise(times)):
        return None
    first = probe[0]
    return first.dts - first.pts if first.dts is not None and first.pts is not None else 0


def _decoded_packets(container: InputContainer, name: str) -> Iterator[VideoFrame]:
    damaged = 0
    try:
        for packet in container.demux(container.streams.video[0]):
            try:
                yield from packet.decode()
            except InvalidDataError:
                damaged += 1
    except InvalidDataError:
        damaged += 1
    except OSError as error:
        raise VideoError(f"{name} cannot be read any further: {error.strerror or error}") from error
    if damaged:
        _logger.warning("%s: %d damaged parts were skipped; the masks of their frames are missing", name, damaged)


def _shown(
    container: InputContainer, frames: Iterable[tuple[VideoFrame, float]], start: float | None
) -> Iterator[tuple[np.ndarray, float]]:
    """The pictures from ``start`` on, as players show them."""
    stream = container.streams.video[0]
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1
    for frame, time in frames:
        if start is not None and time < start:
            continue
        width = max(1, round(frame.width * ratio))
        unsaid = frame.colorspace == _UNSPECIFIED and frame.height >= 720  # then players take HD's colours
        source = "ITU709" if unsaid else None
        image = frame.to_ndarray(format="rgb24", width=width, height=frame.height, src_colorspace=source)
        yield np.ascontiguousarray(_upright(image, _display_matrix(frame))), time


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """How the picture is to be turned and mirrored: the signs of x' = a x + c y, y' = b x + d y."""
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return 1, 0, 0, 1
    values = np.frombuffer(bytes(found), np.int32)
    a, b, c, d = (int(value) for value in np.rint(values[[0, 1, 3, 4]] / 65536).clip(-1, 1))
    return (a, b, c, d) if a * d - b * c else (1, 0, 0, 1)  # a free angle is not turned


def _upright(image: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    a, b, c, d = matrix
    if a * d:  # each axis stays
        return image[:: d or 1, :: a or 1]
    return image.transpose(1, 0, 2)[::b, ::c]


def _duration(container: InputContainer) -> float:
    if container.duration:
        return container.duration / _MICROSECONDS
    stream = container.streams.video[0]
    return float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0


def _until(end: float | None) -> str:
    return "its end" if end is None else f"{end:g} s"


def _advice(container: InputContainer) -> str:
    duration = _duration(container)
    return f"it is {duration:.3g} s long" if duration else "it is empty or damaged"
