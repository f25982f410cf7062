"""The options of ``restr predict``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from restr.cli.options import DeviceOptions, ModelOptions, RuntimeOptions

if TYPE_CHECKING:
    import tyro
else:
    from restr.cli.options import tyro


def _save_help() -> str:
    """The text of --save, when it is asked for."""
    from restr.inference.forms import FILE_FORMS

    return (
        f"What to write, with commas: {', '.join(FILE_FORMS)}; of a video overlay (mp4), rle (lines of JSON), mask (a folder "
        "of PNGs), overlay and rle by default. "
        "With --json nothing is written unless --out or --save is given."
    )


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RuntimeOptions, DeviceOptions, ModelOptions):
    """Segment what a sentence names in photographs and videos.

    The last word is the sentence, unless --text is given. An image may be a file, a folder, a glob, a pipe, a data:
    URI, "-" (an image's bytes on standard input), or a .jsonl file with a line {"image": ..., "text": ...} each. An
    image that fails is reported at the end, with exit code 1, and never stops the rest. A video (extra video) becomes an
    annotated mp4 and a file of masks; if it is interrupted, the same command resumes it.

    Example: restr predict beach.jpg "the dog on the left"
    """

    words: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE... TEXT", help_behavior_hint="")
    ] = ()
    """Images, then what to segment (in quotes)."""

    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="TEXT")] = ()
    """A sentence; give it several times to ask several things of each image, which is encoded once."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: out)")] = None
    """Folder for the files."""

    save: Annotated[
        str | None, tyro.conf.arg(metavar="KINDS", help_behavior_hint="(default: overlay,mask)", help=_save_help())
    ] = None
    """The forms to write, with commas."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Print a line of JSON for each result, and nothing else, to standard output."""

    each: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")] = False
    """Also save and print each separate region of the mask, the largest first: for "the people". Regions that touch
    are one."""

    threshold: Annotated[
        float | None, tyro.conf.arg(metavar="P", help_behavior_hint="(default: the model's own, 0.5)")
    ] = None
    """The least probability of a pixel of the mask."""

    presence: Annotated[float | None, tyro.conf.arg(metavar="P", help_behavior_hint="(default: the model's own)")] = (
        None
    )
    """The least probability that the picture shows what is named; below it the answer is "not found"; 0 always draws
    a mask."""

    workers: Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each core)")] = 0
    """Pictures in work at once, which share the cores; 1 takes one picture after the other."""

    every: Annotated[int, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 1)")] = 1
    """Videos: compute every n-th frame; between two of them the mask is interpolated."""

    smooth: Annotated[float, tyro.conf.arg(metavar="S", help_behavior_hint="(default: 0)")] = 0.0
    """Videos: the weight of the past in a moving average, from 0 to below 1: 0.6 flickers less and lags a little."""

    start: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="(default: the beginning)")] = None
    """Videos: where to begin, in seconds or as 1:30."""

    end: Annotated[str | None, tyro.conf.arg(metavar="TIME", help_behavior_hint="(default: the end)")] = None
    """Videos: where to stop, in seconds or as 1:30."""


_FLAGS = ("--json", "--each")
# options that are read without tyro, whose import and use take a tenth of a second
_PLAIN: dict[str, Callable[[str], Any]] = {"--model": Path, "--out": Path, "--save": str}


def plain_options(arguments: Sequence[str]) -> PredictOptions | None:
    """The options of an ordinary call: images and a text, then some of ``_PLAIN``. None for all else, which needs tyro."""
    count = next((place for place, word in enumerate(arguments) if word.startswith("-")), len(arguments))
    rest = iter(arguments[count:])
    found: dict[str, Any] = {}
    for option in rest:
        value = True if option in _FLAGS else next(rest, "-")
        name = option.removeprefix("--")
        if option not in (*_FLAGS, *_PLAIN) or name in found or (isinstance(value, str) and value.startswith("-")):
            return None
        found[name] = _PLAIN[option](value) if isinstance(value, str) else value
    return PredictOptions(words=tuple(arguments[:count]), **found) if count else None
