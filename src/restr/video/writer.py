"""Writes an mp4: drawn frames at their own times, and the sound of the clip that they come from."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av import Packet, VideoFrame
from av.codec import Codec
from av.container import InputContainer
from av.video.stream import VideoStream

from restr.errors import OutputError, VideoError
from restr.video.clip import ClipInfo, open_video, start_of

# Best first. What every build has comes last, and is larger and coarser.
ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "20", "preset": "veryfast"},
    "libopenh264": {"rc_mode": "quality"},
    "mpeg4": {"qscale": "4"},
}
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers of HD's colours, and of brightness from 16 to 235
_COARSEST = 65_535  # ticks a second that mpeg4 can count


class Mp4Writer:
    """An mp4 in the making. Use it as a context manager; only after its end is the file whole.

    The sound is copied, not encoded anew. ``notes`` says what could not be done as it should.
    """

    def __init__(
        self,
        path: Path,
        info: ClipInfo,
        *,
        sound: str | os.PathLike[str] | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> None:
        """info: of the clip whose frames come. sound: the clip whose sound is copied, from start to end in seconds.

        Without a start the file keeps the clip's clock, else its first frame comes at 0.
        """
        self.notes: list[str] = []
        self._codec = find_encoder()
        if self._codec == "mpeg4":
            self.notes.append(
                "this PyAV has no encoder for H.264; the video is MPEG-4 part 2, which browsers do not play"
            )
        self._rate = Fraction(info.rate).limit_denominator(60_000)
        coarse = self._codec == "mpeg4" and info.tick.denominator > _COARSEST
        self._tick = Fraction(1, _COARSEST) if coarse else info.tick
        self._zero: float | None = None if start else 0.0  # the clip's time at which the file begins
        self._end = end
        self._last = -1
        self._path = path
        self._out = av.open(os.fspath(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._video: VideoStream | None = None
        self._source = open_video(os.fspath(sound)) if sound is not None else None
        self._sound: Iterator[tuple[float, Packet]] = iter(())
        self._waiting: tuple[float, Packet] | None = None

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._video is not None:
                self._copy_sound(math.inf)
                self._mux(self._video.encode(None))
        finally:
            with self._saying():
                self._out.close()
            if self._source is not None:
                self._source.close()

    def write(self, image: np.ndarray, time: float) -> None:
        """Add a frame: uint8 (H W 3), sides even, all frames of one size. time: increasing, in seconds of the clip's clock."""
        if self._zero is None:
            self._zero = time
        if self._video is None:
            self._begin(*image.shape[:2])
            assert self._video is not None
        frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        self._last = max(self._last + 1, round(Fraction(time - self._zero) / self._tick))
        frame.pts, frame.time_base = self._last, self._tick
        self._copy_sound(time)
        self._mux(self._video.encode(frame))

    def _mux(self, packets: Packet | list[Packet]) -> None:
        with self._saying():
            self._out.mux(packets)

    @contextmanager
    def _saying(self) -> Iterator[None]:
        """Let the errors of the file system say which file it is."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(
                f"{self._path} cannot be written ({reason}); make space, or choose another folder"
            ) from error

    def _begin(self, height: int, width: int) -> None:
        """Open the streams; all are known before the first packet is written."""
        video = self._out.add_stream(self._codec, rate=self._rate, options=dict(ENCODERS[self._codec]))
        assert isinstance(video, VideoStream)  # by its codec
        self._video, context = video, video.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._source is not None and self._source.streams.audio:
            self._sound = self._sound_packets(self._source)
            self._waiting = next(self._sound, None)

    def _sound_packets(self, source: InputContainer) -> Iterator[tuple[float, Packet]]:
        """(time on the clip's clock, packet), ready to be written."""
        stream = source.streams.audio[0]
        codec = stream.codec_context.name
        if codec not in self._out.supported_codecs:
            self.notes.append(f"the sound is {codec}, which an mp4 cannot hold; the video is silent")
            return
        copy = self._out.add_stream_from_template(stream)
        origin, tick, zero = start_of(source), stream.time_base or Fraction(1, 90_000), self._zero or 0.0
        shift = round((origin + Fraction(zero)) / tick)
        if zero:
            source.seek(int((origin + Fraction(zero)) * 1_000_000), backward=True)
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            time = float(packet.pts * tick - origin)
            if self._end is not None and time >= self._end:
                return
            if time + float((packet.duration or 0) * tick) <= zero and zero:
                continue
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copy
            yield time, packet

    def _copy_sound(self, until: float) -> None:
        """Write the sound up to a time of the clip, so that sound and pictures lie together in the file."""
        while self._waiting is not None and self._waiting[0] <= until:
            self._mux(self._waiting[1])
            self._waiting = next(self._sound, None)


def find_encoder() -> str:
    """The first of ``ENCODERS`` that this PyAV has. Raises ``VideoError`` if it has none."""
    for name in ENCODERS:
        with suppress(ValueError):
            if Codec(name, "w").is_encoder:
                return name
    raise VideoError(f"this PyAV has none of the encoders {', '.join(ENCODERS)}; run: pip install --upgrade av")
