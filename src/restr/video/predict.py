"""A clip and sentences -> an annotated mp4, masks as lines or pictures; an interrupted run resumes where it stopped."""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from restr.inference.naming import file_stem, make_folder, slug
from restr.inference.result import Result
from restr.inference.segmenter import Segmenter
from restr.inference.tracking.track import Tracked, track_masks
from restr.video.clip import describe_clip
from restr.video.forms import Say, draw_forms, place_new
from restr.video.records import MaskRecords, mask_row
from restr.video.request import ClipRequest

_KEEP_SECONDS = 10.0  # of work are lost at most when a run is killed


@dataclass(frozen=True, kw_only=True)
class ClipReport:
    """What came of a clip."""

    frames: int
    """How many there are."""
    resumed: int
    """How many of them an earlier run had left."""
    found: dict[str, int]
    """In how many frames each text was found."""
    files: dict[str, dict[str, Path]]
    """Text -> form -> where it was written."""
    notes: list[str]
    """What could not be done as it should."""


def predict_clip(segmenter: Segmenter, request: ClipRequest, folder: Path, say: Say) -> ClipReport:
    """Segment a clip and write its forms into ``folder``, each complete or not at all.

    The masks grow in a folder beside them, whose name is the clip's with the request's key and ``.partial``; a run that
    was interrupted resumes from it, to the same bytes. Frames are never held: memory does not depend on the length.
    Raises ``VideoError``, ``ConfigError``, ``TextError`` and ``OutputError``.
    """
    info = describe_clip(request.clip)
    total = request.expected(info)
    make_folder(folder)
    records = MaskRecords(folder / f"{slug(request.clip.stem)}-{request.key()}.partial", request.texts)
    try:
        resumed = _segment(segmenter, request, records, say, total)
        drawn = [draw_forms(request, records, number, info, say) for number in range(len(request.texts))]
        files = {
            text: place_new(folder, file_stem(request.clip.stem, text), each.files)
            for text, each in zip(request.texts, drawn, strict=True)
        }
    except BaseException:
        records.close()
        raise
    records.remove()
    return ClipReport(
        frames=records.frames,
        resumed=resumed,
        found={text: each.found for text, each in zip(request.texts, drawn, strict=True)},
        files=files,
        notes=list(dict.fromkeys(note for each in drawn for note in each.notes)),
    )


def clip_rows(segmenter: Segmenter, request: ClipRequest) -> Iterator[dict[str, Any]]:
    """A line for each frame and text, as in the file of masks; writes nothing."""
    times: deque[float] = deque()

    def images() -> Iterator[np.ndarray]:
        for frame in request.frames():
            times.append(frame.time)
            yield frame.image

    with closing(_tracked(segmenter, request, images())) as found:
        for index, each in enumerate(found):
            time = times.popleft()
            yield from (mask_row(index, time, result, computed=each.computed) for result in each.results)


def _tracked(
    segmenter: Segmenter, request: ClipRequest, images: Iterator[np.ndarray], before: Sequence[Result] = ()
) -> Generator[Tracked, None, None]:
    options = {"threshold": request.threshold, "presence": request.presence}
    return track_masks(segmenter, images, request.texts, request.settings, options, request.workers, before=before)


def _segment(segmenter: Segmenter, request: ClipRequest, records: MaskRecords, say: Say, total: int) -> int:
    """Make the masks that are missing; returns how many were there."""
    if records.finished:
        return records.frames
    frames = request.frames(records.time if records.frames else None)
    if records.frames:
        first = next(frames)
        if abs(first.time - records.time) > 1e-9:  # this file cannot be entered in the middle
            records.start_over()
            frames = request.frames()
        else:
            frames = chain([first], frames)
    resumed = index = records.frames
    times: deque[float] = deque()

    def images() -> Iterator[np.ndarray]:
        for number, frame in enumerate(frames):
            if number or not resumed:
                times.append(frame.time)
            yield frame.image

    kept = clock.monotonic()
    try:
        with closing(_tracked(segmenter, request, images(), records.results)) as found:
            for each in found:
                records.add(index, times.popleft(), each.results, computed=each.computed)
                index += 1
                say("segmenting", index, total)
                if clock.monotonic() > kept + _KEEP_SECONDS:
                    records.keep()
                    kept = clock.monotonic()
    except BaseException:
        records.keep()
        raise
    records.keep(finished=True)
    return resumed
