"""``restr predict IMAGE... "TEXT"``: masks, pictures and numbers for many images, none of which can stop the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import arg

from restr.cli.jobs import STDIN, PredictJob, UsageError, list_jobs, split_arguments
from restr.cli.options import parsed
from restr.cli.progress import progress_bar
from restr.cli.streams import json_text, say
from restr.embedded import abbreviate
from restr.errors import ImageError, RestrError

if TYPE_CHECKING:
    from restr.inference.result import Result
    from restr.inference.segmenter import Segmenter


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Segment what a sentence names in photographs.

    The last word is the sentence, unless --text is given. An image may be a file, a folder, a glob, a pipe, a data: URI, "-" (the bytes
    of one on standard input), or a .jsonl file with a line {"image": ..., "text": ...} each. An image that fails is
    reported at the end, with exit code 1, and never stops the rest.

    Example: restr predict beach.jpg "the dog on the left"
    """

    words: Annotated[tuple[str, ...], tyro.conf.Positional, arg(metavar="IMAGE... TEXT", help_behavior_hint="")] = ()
    """Images, then what to segment (in quotes)."""

    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(metavar="TEXT")] = ()
    """A sentence; give it several times to ask several things of each image, which is looked at once."""

    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: out)")] = None
    """Folder for the files."""

    save: Annotated[str | None, arg(metavar="KINDS", help_behavior_hint="(default: overlay,mask)")] = None
    """What to write, with commas: overlay, mask, cutout, heatmap, attention, rle, polygon, coco. With --json nothing is written
    unless --out or --save is given."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff, arg(help_behavior_hint="")] = False
    """Print a line of JSON for each result, and nothing else, to standard output."""

    model: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: the bundled model)")] = None
    """A model folder, or the model.safetensors in one."""

    threshold: Annotated[float | None, arg(metavar="P", help_behavior_hint="(default: the model's own, 0.5)")] = None
    """The least probability of a pixel of the mask."""

    presence: Annotated[float | None, arg(metavar="P", help_behavior_hint="(default: the model's own)")] = None
    """The least probability that the picture shows what is meant at all; below it the answer is "not found". 0 always draws
    a mask."""

    device: Annotated[Literal["auto", "cpu", "cuda"], arg(help_behavior_hint="(default: auto)")] = "auto"
    """Where to compute; auto takes a GPU if there is one."""


@dataclass
class PredictReport:
    """What a run has found so far, and what went wrong."""

    results: list[tuple[str, Result]] = field(default_factory=list)  # kept for the COCO file only
    failures: list[tuple[str, str]] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    options = parsed(PredictOptions, "restr predict", arguments)
    try:
        images, texts = split_arguments(options.words, options.text)
    except UsageError as error:
        print(f"restr predict: {error}", file=sys.stderr)
        return 2
    return _predict(options, list(list_jobs(images, texts)))


def _predict(options: PredictOptions, jobs: Sequence[PredictJob]) -> int:
    """Work through the jobs; 0 if all went well, 1 if any failed. Raises ``RestrError`` if nothing can be done."""
    from restr.inference.naming import make_folder, write_new
    from restr.inference.result import check_kinds, coco_document  # torch and PIL load here
    from restr.inference.segmenter import Segmenter

    kinds = chosen_kinds(options)
    check_kinds(kinds)
    folder = options.out or Path("out")
    if kinds:
        make_folder(folder)  # a wrong --out is said before any work
    segmenter = Segmenter.from_pretrained(options.model, device=options.device)
    report = PredictReport()
    with progress_bar() as progress:
        for job in progress.track(jobs, description="segmenting"):
            try:
                _run(job, segmenter, options, kinds, folder, report)
            except BrokenPipeError:  # nobody reads on, and nothing is written to files
                raise
            except (RestrError, OSError) as error:
                report.failures.append((abbreviate(job.image), str(error)))
                if options.json:
                    say(json_text({"image": abbreviate(job.image), "error": str(error)}), go_on=bool(kinds))
    if "coco" in kinds and report.results:
        content = json.dumps(coco_document(report.results)).encode() + b"\n"
        path = write_new(folder, "results", {"coco": content})["coco"]
        if options.json:
            print(path, file=sys.stderr)
        else:
            say(str(path), go_on=True)
    if report.failures:
        print(f"restr predict: {len(report.failures)} of {len(jobs)} failed:", file=sys.stderr)
        for image, problem in report.failures:
            print(f"  {image}: {problem}", file=sys.stderr)
    return 1 if report.failures else 0


def chosen_kinds(options: PredictOptions) -> list[str]:
    """The kinds of files to write."""
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
    for line in lines:  # once all files are there: they do not depend on whether anybody reads this
        say(line, go_on=bool(kinds))


def _line(image: str, result: Result, files: dict[str, Path]) -> str:
    """A result for people, and a line for each of its files."""
    if result.found:
        share = result.area / result.mask.size
        found = f"found, score {result.score:.2f}, {share:.1%} of the picture, box {result.box}"
    elif not result.present:
        found = f"not found (presence {result.presence:.2f}, below {result.least_presence:g}; --presence 0 draws a mask anyway)"
    else:
        found = f"not found (highest probability of a pixel {result.prob.max():.2f}, threshold {result.threshold:g})"
    return "\n".join([f"{image}: {result.text!r} {found}", *(f"  {path}" for path in files.values())])


def _stdin() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise ImageError("'-' reads an image from standard input, which is closed: restr predict - < photo.jpg")
    if sys.stdin.isatty():
        raise ImageError("'-' reads an image from standard input, but nothing is piped in: restr predict - < photo.jpg")
    return sys.stdin.buffer.read()
