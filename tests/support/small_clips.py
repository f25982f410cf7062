"""Small videos: a red square that moves over grey, with the times, turns and sounds that a test wants; and a segmenter that
finds what is red, in a millisecond."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from restr import Segmenter, presets
from restr.inference.backends.base import Backend, Segmentation
from restr.text.vocabulary import Vocabulary

WORDS = ("the", "red", "square", "sky")
SIZE = (48, 64)  # height, width
UNEVEN = (0, 100, 150, 400, 433, 500, 900, 910, 1000, 1250, 1300, 1333)  # milliseconds, as a phone's camera


class RedBackend(Backend):
    """Finds red pixels, whatever the sentence, and counts the pictures it sees."""

    name, precision, device, concurrent = "red", "fp32", "cpu", True

    def __init__(self) -> None:
        self.config = presets.restr_tiny(vocab=len(Vocabulary(WORDS)))
        self.seen = 0

    def encode_image(self, image: np.ndarray) -> np.ndarray:
        """The redness of each pixel."""
        self.seen += 1
        return 2 * (image[0, 0] - image[0, 1:].mean(axis=0)) - 2

    def segment(self, features: np.ndarray, ids: np.ndarray) -> Segmentation:
        """One answer for all sentences."""
        return Segmentation(np.broadcast_to(features, (len(ids), 1, *features.shape)).copy())


def red_segmenter() -> Segmenter:
    """A segmenter that finds the square."""
    return Segmenter(RedBackend(), Vocabulary(WORDS))


def square_at(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frame ``number``: the square moves to the right, from the upper left corner."""
    image = np.full((*size, 3), 90, np.uint8)
    image[4:20, 4 * number : 4 * number + 16] = (220, 30, 30)
    return image


def mix_up_times(path: Path, clip: Path) -> Path:
    """The clip with the times of decoding as those of showing, as some programs write it."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(source.streams.video[0])
        first: int | None = None
        for packet in source.demux(video=0):
            if packet.dts is not None:
                first = packet.dts if first is None else first
                packet.pts = packet.dts = packet.dts - first
                packet.stream = copy
                out.mux(packet)
    return path


def write_clip(
    path: Path,
    milliseconds: Sequence[int] = tuple(range(0, 1200, 100)),
    *,
    frames: Sequence[np.ndarray] | None = None,
    size: tuple[int, int] = SIZE,
    codec: str = "libx264",
    rotation: int = 0,
    sound: str | None = None,
    ratio: Fraction | None = None,
) -> Path:
    """A video with a frame at each of the times. sound: a codec; a tone as long as the pictures."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10)
        assert isinstance(stream, VideoStream)
        # yuv444p keeps the colours of single pixels, and takes odd sizes
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv444p" if codec == "libx264" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            stream.options = {"crf": "5", "g": "5"}
        if ratio:
            stream.codec_context.sample_aspect_ratio = ratio
        if rotation:
            stream.set_display_rotation(rotation)
        audio = out.add_stream(sound, rate=8000, layout="mono") if sound else None
        for number, time in enumerate(milliseconds):
            image = frames[number] if frames is not None else square_at(number, size)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if isinstance(audio, AudioStream):
            for tone in _tone(milliseconds[-1] / 1000):
                out.mux(audio.encode(tone))
            out.mux(audio.encode(None))
    return path


def times_of(path: Path) -> list[float]:
    """The times of a video's frames in seconds, as PyAV alone reads them."""
    with av.open(str(path)) as clip:
        return [frame.time for frame in clip.decode(video=0) if frame.time is not None]


def sound_of(path: Path) -> list[tuple[float, bytes]]:
    """(time, bytes) of each packet of sound."""
    with av.open(str(path)) as clip:
        if not clip.streams.audio:
            return []
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in clip.demux(audio=0)
            if packet.pts is not None and packet.size
        ]


def _tone(seconds: float) -> Iterator[av.AudioFrame]:
    for start in range(0, int(8000 * seconds), 1024):
        wave = np.sin(np.arange(start, start + 1024) * 440 * 2 * np.pi / 8000)
        frame = av.AudioFrame.from_ndarray((wave * 9000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
        yield frame
