"""The videos of ``restr predict``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from restr.cli.jobs import PredictJob
from restr.cli.predicting.kinds import seconds, split_forms
from restr.cli.preparing import is_watched
from restr.cli.progress import progress_bar
from restr.cli.streams import json_text, say
from restr.errors import RestrError
from restr.inference.locate import describe_model, model_folder
from restr.inference.segmenter import Segmenter
from restr.inference.tracking.smoothing import TrackSettings

if TYPE_CHECKING:
    from rich.progress import TaskID

    from restr.cli.predicting.options import PredictOptions
    from restr.video.request import ClipRequest

_LINE_EVERY = 30.0  # seconds, where no terminal shows a bar


def predict_clips(options: PredictOptions, jobs: Sequence[PredictJob]) -> int:
    """Segment the videos, one after the other; 0 if all went well, 1 if any failed. Raises ``RestrError``."""
    from restr.video.request import ClipRequest  # needs the extra

    kinds = _video_kinds(options)
    settings = TrackSettings(every=options.every, smooth=options.smooth)
    start, end = seconds(options.start, "start"), seconds(options.end, "end")
    model = f"{describe_model(model_folder(options.model)).hash} {options.backend} {options.precision}"
    requests = [
        ClipRequest(
            clip=Path(job.image),
            texts=tuple(dict.fromkeys(job.texts)),
            kinds=kinds,
            settings=settings,
            start=start,
            end=end,
            threshold=options.threshold,
            presence=options.presence,
            workers=options.workers,
            model=model,
        )
        for job in jobs
    ]
    segmenter = Segmenter.from_pretrained(
        options.model, device=options.device, backend=options.backend, precision=options.precision
    )
    failed = 0
    for request in requests:
        try:
            if options.json and options.out is None and options.save is None:
                _print_rows(segmenter, request)
            else:
                _write_forms(segmenter, request, options)
        except BrokenPipeError:
            raise
        except (RestrError, OSError) as error:
            failed += 1
            print(f"restr predict: {request.clip}: {error}", file=sys.stderr)
    return 1 if failed else 0


def _video_kinds(options: PredictOptions) -> tuple[str, ...]:
    """The forms to write."""
    if options.save is None:
        return ("overlay", "rle")
    return tuple(split_forms(options.save))


def _print_rows(segmenter: Segmenter, request: ClipRequest) -> None:
    """A line of JSON for each frame and text; no files."""
    from restr.video.predict import clip_rows

    for row in clip_rows(segmenter, request):
        say(json_text({"image": str(request.clip), **row}), carry_on=False)


def _write_forms(segmenter: Segmenter, request: ClipRequest, options: PredictOptions) -> None:
    """Write the files of a clip, and say what was found."""
    from restr.video.predict import predict_clip

    with _frame_progress() as track:
        report = predict_clip(segmenter, request, options.out or Path("out"), track)
    for note in report.notes:
        print(f"{request.clip}: {note}", file=sys.stderr)
    for text, files in report.files.items():
        found = report.found[text]
        paths = {form: str(path) for form, path in files.items()}
        if options.json:
            line = {"image": str(request.clip), "text": text, "frames": report.frames, "found": found, "files": paths}
            say(json_text(line), carry_on=True)
        else:
            share = f"found in {found} of {report.frames} frames" if found else f"not found in {report.frames} frames"
            say(
                "\n".join([f"{request.clip}: {text!r} {share}", *(f"  {path}" for path in paths.values())]),
                carry_on=True,
            )


@contextmanager
def _frame_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Takes what is being done, how many frames are done, and how many there are; shows a bar, or a line now and then."""
    if not is_watched():
        yield _Lines()
        return
    with progress_bar(rate=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total or None, completed=done - 1)
            bar.update(tasks[step], completed=done)

        yield show


class _Lines:
    """Progress without a terminal: a line every half minute."""

    def __init__(self) -> None:
        self._step, self._began, self._first, self._said = "", 0.0, 0, 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step != self._step or done < self._first:
            self._step, self._began, self._first, self._said = step, now, done, now
        if now < self._said + _LINE_EVERY:
            return
        self._said = now
        rate = (done - self._first) / (now - self._began)
        left = f", {(total - done) / rate / 60:.0f} min left" if total > done and rate else ""
        of = f" of {total}" if total else ""
        print(f"{step}: frame {done}{of}, {rate:.3g}/s{left}", file=sys.stderr, flush=True)
