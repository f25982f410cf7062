"""What can be asked of a clip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from restr.errors import ConfigError
from restr.inference.tracking.smoothing import TrackSettings
from restr.video.clip import ClipInfo, Frame, read_frames

VIDEO_FORMS = {
    "overlay": "mp4 with the thing in colour, and the clip's sound",
    "rle": "a line of JSON for each frame, with COCO's compressed run lengths",
    "mask": "a folder with a PNG for each frame, 255 inside",
}


@dataclass(frozen=True, kw_only=True)
class ClipRequest:
    """What is asked of a clip."""

    clip: Path
    """The video."""
    texts: tuple[str, ...]
    """The sentences."""
    kinds: tuple[str, ...] = ("overlay", "rle")
    """Of ``VIDEO_FORMS``."""
    settings: TrackSettings = field(default_factory=TrackSettings)
    """Which frames are computed, and the smoothing."""
    start: float | None = None
    """In seconds; frames before it are left out."""
    end: float | None = None
    """In seconds; this frame and later ones are left out."""
    threshold: float | None = None
    """As in ``Segmenter``."""
    presence: float | None = None
    """As in ``Segmenter``."""
    workers: int = 0
    """As in ``Segmenter.predict_many``."""
    model: str = ""
    """What names the model: a run resumes only with the same one."""

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in VIDEO_FORMS:
                raise ConfigError(f"cannot save {kind!r} of a video; choose from {', '.join(VIDEO_FORMS)}")
        if self.start is not None and self.start < 0:
            raise ConfigError(f"the start is {self.start:g} s; it must be at least 0")
        if self.end is not None and self.end <= (self.start or 0):
            raise ConfigError(f"the end is {self.end:g} s; it must be later than the start, {self.start or 0:g} s")

    def frames(self, start: float | None = None) -> Iterator[Frame]:
        """The frames that are asked for; start: from a later time on."""
        return read_frames(self.clip, start=self.start if start is None else start, end=self.end)

    def expected(self, info: ClipInfo) -> int:
        """About how many frames there are; 0 if it is not known."""
        if self.start is None and self.end is None or not info.duration:
            return info.frames
        length = min(self.end or info.duration, info.duration) - (self.start or 0)
        return max(1, min(info.frames, round(length * info.rate)))

    def key(self) -> str:
        """8 hexadecimal digits that differ where the masks may."""
        state = self.clip.stat()
        facts = [str(self.clip.absolute()), state.st_size, state.st_mtime_ns, self.texts, self.settings.every,
                 self.settings.smooth, self.start, self.end, self.threshold, self.presence, self.model]  # fmt: skip
        return hashlib.blake2b(json.dumps(facts).encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
