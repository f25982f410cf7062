"""``restr predict IMAGE... "TEXT"``: masks, pictures and numbers for many images, none of which can stop the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import arg

from restr.cli.jobs import STDIN, PredictJob, list_jobs, split_arguments
from restr.cli.options import DeviceOptions, ModelOptions, RuntimeOptions, parse_options
from restr.cli.preparing import prepare_once
from restr.cli.progress import progress_bar
from restr.cli.streams import json_text, say
from restr.errors import ImageError, RestrError, UsageError
from restr.inference.forms import FILE_FORMS, check_file_forms, coco_document
from restr.pictures.embedded import abbreviate

if TYPE_CHECKING:
    from restr.inference.result import Result
    from restr.inference.segmenter import Segmenter


_SAVE_HELP = (
    f"What to write, with commas: {', '.join(FILE_FORMS)}. "
    "With --json nothing is written unless --out or --save is given."
)


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RuntimeOptions, DeviceOptions, ModelOptions):
    """Segment what a sentence names in photographs.

    The last word is the sentence, unless --text is given. An image may be a file, a folder, a glob, a pipe, a data:
    URI, "-" (an image's bytes on standard input), or a .jsonl file with a line {"image": ..., "text": ...} each. An
    image that fails is reported at the end, with exit code 1, and never stops the rest.

    Example: restr predict beach.jpg "the dog on the left"
    """

    words: Annotated[tuple[str, ...], tyro.conf.Positional, arg(metavar="IMAGE... TEXT", help_behavior_hint="")] = ()
    """Images, then what to segment (in quotes)."""

    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(metavar="TEXT")] = ()
    """A sentence; give it several times to ask several things of each image, which is encoded once."""

    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: out)")] = None
    """Folder for the files."""

    save: Annotated[str | None, arg(metavar="KINDS", help_behavior_hint="(default: overlay,mask)", help=_SAVE_HELP)] = (
        None
    )
    """The forms to write, with commas."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Print a line of JSON for each result, and nothing else, to standard output."""

    threshold: Annotated[float | None, arg(metavar="P", help_behavior_hint="(default: the model's own, 0.5)")] = None
    """The least probability of a pixel of the mask."""

    presence: Annotated[float | None, arg(metavar="P", help_behavior_hint="(default: the model's own)")] = None
    """The least probability that the picture shows what is named; below it the answer is "not found"; 0 always draws
    a mask."""


@dataclass
class PredictReport:
    """Results and failures of a run so far."""

    results: list[tuple[str, Result]] = field(default_factory=list)  # only if a COCO file is wanted
    failures: list[tuple[str, str]] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    options = parse_options(PredictOptions, "restr predict", arguments)
    try:
        images, texts = split_arguments(options.words, options.text)
    except UsageError as error:
        print(f"restr predict: {error}", file=sys.stderr)
        return 2
    code = _predict(options, list(list_jobs(images, texts)))
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
    report = PredictReport()
    with progress_bar() as progress:
        for job in progress.track(jobs, description="segmenting"):
            try:
                _run(job, segmenter, options, kinds, folder, report)
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


def _file_forms(options: PredictOptions) -> list[str]:
    """The forms to write."""
    if options.save is not None:
        return list(dict.fromkeys(kind.strip() for kind in options.save.split(",") if kind.strip()))
    return [] if options.json and options.out is None else ["overlay", "mask"]


def _run(
    job: PredictJob,
    segmenter: Segmenter,
    options: PredictOptions,
    kinds: Sequence[str],
    folder: Path,
    report: PredictReport,
) -> None:
    from restr.inference.sources import image_name

    if job.error is not None:
        raise ImageError(job.error)
    source = _stdin() if job.image == STDIN else job.image
    image = abbreviate(job.image)
    name = "stdin" if job.image == STDIN else image_name(job.image)
    results = segmenter(
        source,
        list(job.texts),
        threshold=options.threshold,
        presence=options.presence,
        attention="attention" in kinds,
    )
    own = [kind for kind in kinds if kind != "coco"]  # COCO is one file for the whole run
    lines = []
    for result in results:
        files = result.save(folder, own, name=name) if own else {}
        if "coco" in kinds:
            report.results.append((image, result))
        if options.json:
            paths = {kind: str(path) for kind, path in files.items()}
            lines.append(json_text({"image": image, **result.to_dict(), "files": paths}))
        else:
            lines.append(_line(image, result, files))
    for line in lines:  # after all files are written, as printing may fail
        say(line, carry_on=bool(kinds))


def _line(image: str, result: Result, files: dict[str, Path]) -> str:
    """A result for people, and a line for each of its files."""
    if result.found:
        share = result.area / result.mask.size
        found = f"found, score {result.score:.2f}, {share:.1%} of the picture, box {result.box}"
    elif not result.present:
        below = f"presence {result.presence:.2f}, below {result.least_presence:g}"
        found = f"not found ({below}; --presence 0 draws a mask anyway)"
    else:
        found = f"not found (highest probability of a pixel {result.prob.max():.2f}, threshold {result.threshold:g})"
    return "\n".join([f"{image}: {result.text!r} {found}", *(f"  {path}" for path in files.values())])


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise ImageError("'-' reads an image from standard input, which is closed: restr predict - < photo.jpg")
    if sys.stdin.isatty():
        raise ImageError("'-' reads an image from standard input, but nothing is piped in: restr predict - < photo.jpg")
    return sys.stdin.buffer.read()
