"""``Segmenter.track``: the same sentences for every frame of a video."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from restr.errors import ConfigError
from restr.inference.result import Result
from restr.inference.sources import ImageSource, image_name, read_image
from restr.inference.tracking.between import Interpolation
from restr.inference.tracking.smoothing import CutDetector, Smoother, TrackSettings

_logger = logging.getLogger("restr")
_Segmenter = Any  # ``Segmenter``, whose module imports this one


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracked:
    """What is known of one frame."""

    results: list[Result]
    """A result for each text. Of a frame that was not computed, ``image`` is a computed neighbour's."""

    computed: bool
    """Whether the model saw this frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Planned:
    """A frame that has been read and is not yet yielded."""

    computed: bool
    new_scene: bool


def track(
    segmenter: _Segmenter,
    frames: Iterable[ImageSource],
    texts: Sequence[str],
    settings: TrackSettings,
    options: dict[str, Any],
    workers: int = 0,
) -> Generator[list[Result], None, None]:
    """As ``Segmenter.track``. options: of each call of the segmenter."""
    pictures: deque[tuple[np.ndarray, str]] = deque()

    def remembered() -> Iterator[np.ndarray]:
        for frame in frames:
            pixels = read_image(frame)
            pictures.append((pixels, image_name(frame)))
            yield pixels

    with closing(track_masks(segmenter, remembered(), texts, settings, options, workers)) as found:
        for each in found:
            pixels, name = pictures.popleft()
            yield [replace(result, image=pixels, name=name) for result in each.results]


def track_masks(
    segmenter: _Segmenter,
    frames: Iterable[np.ndarray],
    texts: Sequence[str],
    settings: TrackSettings,
    options: dict[str, Any],
    workers: int = 0,
    *,
    before: Sequence[Result] = (),
) -> Generator[Tracked, None, None]:
    """The results of every frame, uint8 (H W 3), of which only those that are being computed are held.

    A frame between two computed ones of a scene is interpolated (``Interpolation``); behind the last computed one of a
    scene, that one's results stay. before: the smoothed results of the first frame, to resume where
    another run stopped behind it: that frame is then neither computed nor yielded.
    """
    plan: deque[_Planned] = deque()
    smoother = Smoother(settings.smooth)
    smoother.last = list(before)

    def chosen() -> Iterator[tuple[np.ndarray, Sequence[str]]]:
        cuts, since = CutDetector(), 0
        for number, image in enumerate(frames):
            new_scene = cuts.begins_scene(image)
            if number == 0 and before:
                continue
            since += 1
            computed = new_scene or since >= settings.every
            plan.append(_Planned(computed=computed, new_scene=new_scene))
            if computed:
                since = 0
                yield image, texts

    many = segmenter.predict_many(chosen(), on_error="raise", workers=workers, **options)
    with _each_warning_once(), closing(many):
        for each in many:
            waiting = _until_computed(plan)
            last, gap = list(smoother.last), len(waiting)
            new_scene = waiting[-1].new_scene
            results = smoother.add(each.results, gap=gap, new_scene=new_scene)
            steps = Interpolation(last, results) if gap > 1 and not new_scene else None
            for place in range(1, gap):
                yield Tracked(results=last if steps is None else steps.at(place / gap), computed=False)
            yield Tracked(results=results, computed=True)
    for _ in plan:  # behind the last computed frame
        yield Tracked(results=smoother.last, computed=False)


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Drop what the log has said of an earlier frame."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        known = message in said
        said.add(message)
        return not known

    _logger.addFilter(is_new)
    try:
        yield
    finally:
        _logger.removeFilter(is_new)


def _until_computed(plan: deque[_Planned]) -> list[_Planned]:
    """Take the frames up to the next computed one off the plan."""
    taken = []
    while True:
        taken.append(plan.popleft())
        if taken[-1].computed:
            return taken


def checked_texts(texts: str | Sequence[str]) -> list[str]:
    """The texts of a video as a list. Raises ``ConfigError`` if there is none."""
    found = [texts] if isinstance(texts, str) else list(texts)
    if not found:
        raise ConfigError("there is no text; pass what to segment, such as 'the dog on the left'")
    return found
