"""What is made of a clip's masks: an annotated mp4, a file of lines, a folder of pictures."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from PIL import Image

from restr.errors import OutputError, VideoError
from restr.inference.many.crew import in_order
from restr.masks import rle_decode
from restr.video.clip import ClipInfo, Frame
from restr.video.drawing import FrameDrawer
from restr.video.records import MaskRecords
from restr.video.request import ClipRequest
from restr.video.writer import Mp4Writer

Say = Callable[[str, int, int], None]
"""Is told of each frame: what is being done, how many frames are done, how many there are (0: unknown)."""
_DRAWERS = 2  # threads


@dataclass(kw_only=True)
class DrawnForms:
    """What was made for one text."""

    files: dict[str, Path] = field(default_factory=dict)
    """Form -> the file or folder, not yet in its place."""
    found: int = 0
    """In how many frames the thing was found."""
    notes: list[str] = field(default_factory=list)
    """What could not be done as it should."""


def draw_forms(request: ClipRequest, records: MaskRecords, number: int, info: ClipInfo, say: Say) -> DrawnForms:
    """Make the wanted forms of a text, whose number is given, from the records; the clip is decoded once more."""
    made = DrawnForms()
    if "rle" in request.kinds:
        made.files["rle"] = records.paths[number]
    if not {"overlay", "mask"} & set(request.kinds):
        made.found = sum(row["found"] for row in records.rows(number))
        return made
    drawer = FrameDrawer(request.texts[number]) if "overlay" in request.kinds else None

    def work(given: tuple[Frame, dict[str, Any]]) -> tuple[Frame, np.ndarray, np.ndarray | None, bool]:
        frame, row = given
        mask = rle_decode(row["rle"])
        if mask.shape != frame.image.shape[:2]:
            raise VideoError(f"{request.clip} changed while it was read; run the command again")
        return frame, mask, drawer and drawer.draw(frame.image, mask, row), row["found"]

    def pairs() -> Iterator[tuple[Frame, dict[str, Any]]]:
        frames = request.frames()
        for row in records.rows(number):
            frame = next(frames, None)
            if frame is None:
                raise VideoError(f"{request.clip} changed while it was read; run the command again")
            yield frame, row

    with ExitStack() as stack:
        drawn = stack.enter_context(
            closing(in_order(work, pairs(), threads=_DRAWERS, window=2 * _DRAWERS, stopped=Event()))
        )
        if "mask" in request.kinds:
            made.files["mask"] = records.folder / f"mask-{number}"
            shutil.rmtree(made.files["mask"], ignore_errors=True)
            made.files["mask"].mkdir()
        writer = None
        if drawer is not None:
            made.files["overlay"] = records.folder / f"overlay-{number}.mp4"
            writer = stack.enter_context(
                Mp4Writer(made.files["overlay"], info, sound=request.clip, start=request.start, end=request.end)
            )
        for done, (frame, mask, picture, found) in enumerate(drawn, 1):
            made.found += found
            if writer is not None and picture is not None:
                writer.write(picture, frame.time)
            if "mask" in made.files:
                Image.fromarray(mask.astype(np.uint8) * 255).save(made.files["mask"] / f"{frame.index:06d}.png")
            say("drawing", done, records.frames)
        if writer is not None:
            made.notes = writer.notes
    return made


def place_new(folder: Path, stem: str, made: Mapping[str, Path]) -> dict[str, Path]:
    """Move files and folders to ``<stem>.<form>.<ending>`` in ``folder``, and return where they are.

    If others have one of the names, all get the first free number: ``<stem>-2.<form>.mp4``. What is there already with the
    same content is not written twice.
    """
    for number in count(1):
        numbered = stem if number == 1 else f"{stem}-{number}"
        paths = {form: folder / f"{numbered}.{form}{path.suffix}" for form, path in made.items()}
        if all(not path.exists() or _is_same(made[form], path) for form, path in paths.items()):
            break
    try:
        for form, path in paths.items():
            if not path.exists():
                os.rename(made[form], path)
    except OSError as error:
        raise OutputError(f"{folder} takes no files ({error.strerror}); choose another folder with --out") from error
    return paths


def _is_same(left: Path, right: Path) -> bool:
    """Whether two files, or two folders of files, have the same content."""
    if left.is_dir() and right.is_dir():
        names = sorted(path.name for path in left.iterdir())
        return names == sorted(path.name for path in right.iterdir()) and not any(
            filecmp.cmpfiles(left, right, names, shallow=False)[1:]
        )
    return left.is_file() and right.is_file() and filecmp.cmp(left, right, shallow=False)
