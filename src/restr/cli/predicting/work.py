"""The work of ``restr predict``: masks, pictures and numbers for many images, none of which can stop the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from restr.cli.jobs import STDIN, PredictJob, list_jobs, split_arguments
from restr.cli.predicting.kinds import check_video_options, is_video, split_forms
from restr.cli.preparing import is_watched, prepare_once
from restr.cli.streams import json_text, say
from restr.errors import ImageError, RestrError, UsageError
from restr.inference.forms import check_file_forms, coco_document, coco_part
from restr.pictures.embedded import abbreviate

if TYPE_CHECKING:
    from restr.cli.predicting.options import PredictOptions
    from restr.inference.instances import MaskInstances
    from restr.inference.result import Result

_T = TypeVar("_T")


@dataclass
class PredictReport:
    """Results and failures of a run so far."""

    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # only if a COCO file is wanted
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """A result without its image and its probabilities: what is written and printed."""

    text: str
    files: dict[str, bytes]
    """The files' contents, by kind."""
    line: str
    """For people."""
    json: dict[str, Any]
    """For ``--json``."""
    coco: list[dict[str, Any]]
    """The parts of a COCO document."""


def predict_jobs(options: PredictOptions) -> int:
    """Do what the options ask for; returns the exit code. Raises ``RestrError`` if none of it can be done."""
    try:
        images, texts = split_arguments(options.words, options.text)
        jobs = list_jobs(images, texts)
        pictures: list[PredictJob] = []
        clips: list[PredictJob] = []
        for job in jobs:
            (clips if job.error is None and is_video(job.image) else pictures).append(job)
        check_video_options(options, bool(clips))
    except UsageError as error:
        print(f"restr predict: {error}", file=sys.stderr)
        return 2
    code = _predict(options, pictures) if pictures or not clips else 0
    if clips:
        from restr.cli.predicting.video import predict_clips

        code = max(code, predict_clips(options, clips))
    if code == 0:  # the masks come first, then what makes the next ones faster
        sys.stdout.flush()
        prepare_once(options.model, device=options.device, backend=options.backend, precision=options.precision)
    return code


def _predict(options: PredictOptions, jobs: Sequence[PredictJob]) -> int:
    """Do the jobs; 0 if all went well, 1 if any failed. Raises ``RestrError`` if none can be done."""
    from restr.inference.naming import make_folder, write_new
    from restr.inference.segmenter import Segmenter  # torch loads here

    kinds = _file_forms(options)
    check_file_forms(kinds)
    folder = options.out or Path("out")
    if kinds:
        make_folder(folder)  # a wrong --out fails before any work
    segmenter = Segmenter.from_pretrained(
        options.model, device=options.device, backend=options.backend, precision=options.precision
    )
    if len(jobs) == 1:  # several have a copy of the backend, whose graphs are opened with other threads
        segmenter.backend.open_ahead()  # while the picture is read
    report = PredictReport()
    found = segmenter.predict_many(
        ((_source(job), list(job.texts)) for job in jobs),
        threshold=options.threshold,
        presence=options.presence,
        attention="attention" in kinds,
        then=lambda results: [_pack(result, kinds, options) for result in results],
        workers=options.workers,
    )
    with closing(found), _progress(len(jobs)) as track:  # closing: the threads end with the loop, however it ends
        for job, each in track(zip(jobs, found, strict=True)):
            try:
                if each.error is not None:
                    raise each.error
                _write(job, each.made, kinds, options, folder, report)
            except BrokenPipeError:  # nobody reads the output, and no files are wanted
                raise
            except (RestrError, OSError) as error:
                report.failures.append((abbreviate(job.image), str(error)))
                if options.json:
                    say(json_text({"image": abbreviate(job.image), "error": str(error)}), carry_on=bool(kinds))
    if "coco" in kinds and report.results:
        content = json.dumps(coco_document(report.results)).encode() + b"\n"
        path = write_new(folder, "results", {"coco": content})["coco"]
        if options.json:
            print(path, file=sys.stderr)
        else:
            say(str(path), carry_on=True)
    if report.failures:
        print(f"restr predict: {len(report.failures)} of {len(jobs)} failed:", file=sys.stderr)
        for image, problem in report.failures:
            print(f"  {image}: {problem}", file=sys.stderr)
    return 1 if report.failures else 0


@contextmanager
def _progress(count: int) -> Iterator[Callable[[Iterable[_T]], Iterable[_T]]]:
    """What a loop over so many pictures goes through: a bar for a person who waits for several, else nothing."""
    if count < 2 or not is_watched():
        yield lambda items: items
        return
    from restr.cli.progress import progress_bar

    with progress_bar(rate=True) as bar:
        yield lambda items: bar.track(items, total=count, description="segmenting")


def _file_forms(options: PredictOptions) -> list[str]:
    """The forms to write."""
    if options.save is not None:
        return split_forms(options.save)
    return [] if options.json and options.out is None else ["overlay", "mask"]


def _source(job: PredictJob) -> str | bytes | ImageError:
    """The image of a job, or why it cannot be had. Standard input is read when it is its turn."""
    if job.error is not None:
        return ImageError(job.error)
    try:
        return _stdin() if job.image == STDIN else job.image
    except ImageError as error:
        return error


def _pack(result: Result, kinds: Sequence[str], options: PredictOptions) -> _Packed:
    """All that takes time, in a worker's thread."""
    found = result.instances() if options.each else None
    facts = result.to_dict() | (found.to_dict() if found is not None else {}) if options.json else {}
    own = [kind for kind in kinds if kind != "coco"]  # COCO is one file for the whole run
    return _Packed(
        text=result.text,
        files=result.file_contents(own, each=options.each),
        line="" if options.json else "\n  ".join([_finding(result), *_regions(result, found)]),
        json=facts,
        coco=[coco_part(result, instance) for instance in found or [None]] if "coco" in kinds else [],
    )


def _write(
    job: PredictJob,
    packed: Sequence[_Packed],
    kinds: Sequence[str],
    options: PredictOptions,
    folder: Path,
    report: PredictReport,
) -> None:
    """Write a job's files, then print its lines. In the main thread and in order, so that names depend on nothing else."""
    from restr.inference.naming import file_stem, write_new
    from restr.inference.sources import image_name

    image = abbreviate(job.image)
    name = "stdin" if job.image == STDIN else image_name(job.image)
    lines = []
    for result in packed:
        files = write_new(folder, file_stem(name, result.text), result.files) if result.files else {}
        if "coco" in kinds:
            report.results.extend((image, part) for part in result.coco)
        paths = {kind: str(path) for kind, path in files.items()}
        if options.json:
            lines.append(json_text({"image": image, **result.json, "files": paths}))
        else:
            lines.append("\n".join([f"{image}: {result.line}", *(f"  {path}" for path in paths.values())]))
    for line in lines:  # after all files are written, as printing may fail
        say(line, carry_on=bool(kinds))


def _finding(result: Result) -> str:
    """A result for people."""
    if result.found:
        share = result.area / result.mask.size
        found = f"found, score {result.score:.2f}, {share:.1%} of the picture, box {result.box}"
    elif not result.present:
        below = f"presence {result.presence:.2f}, below {result.least_presence:g}"
        found = f"not found ({below}; --presence 0 draws a mask anyway)"
    else:
        found = f"not found (highest probability of a pixel {result.prob.max():.2f}, threshold {result.threshold:g})"
    return f"{result.text!r} {found}"


def _regions(result: Result, found: MaskInstances | None) -> Iterator[str]:
    """A line for each instance, and one for what is in none of them."""
    for number, instance in enumerate(found or [], 1):
        share = instance.area / result.mask.size
        yield f"{number}: score {instance.score:.2f}, {share:.1%} of the picture, box {instance.box}"
    if found and found.specks.count:
        yield f"left out: {found.specks}, too small to count"


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise ImageError("'-' reads an image from standard input, which is closed: restr predict - < photo.jpg")
    if sys.stdin.isatty():
        raise ImageError("'-' reads an image from standard input, but nothing is piped in: restr predict - < photo.jpg")
    return sys.stdin.buffer.read()
