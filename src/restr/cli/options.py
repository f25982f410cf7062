"""Options that verbs share, as groups to inherit, and the parser, which reports a wrong option in one line.

A verb's dataclass inherits the groups that it needs, so that an option has one name, one default and one text
everywhere. ``--help`` shows the options of the last base first.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from importlib.util import LazyLoader, find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from restr.errors import RestrError
from restr.fields import at_least


def _tyro_later() -> ModuleType:
    """tyro, which is loaded at its first use: the options of an ordinary ``restr predict`` are read without it.

    In annotations of this package tyro is only named, as they are strings until ``parse_options``.
    """
    spec = None if "tyro" in sys.modules else find_spec("tyro")
    if spec is None or spec.loader is None:
        return import_module("tyro")
    spec.loader = LazyLoader(spec.loader)
    module = sys.modules["tyro"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import tyro

    from restr.data.dataset import IndexedSamples
    from restr.data.sample import SampleSource
else:
    tyro = _tyro_later()

_Options = TypeVar("_Options")
ProtocolName = Literal["own", "restr", "lavt", "cris", "rela", "lisa"]  # of restr.evaluation.protocol.PROTOCOLS
BackendName = Literal[
    "auto", "own", "torch", "onnx", "openvino", "torch-export", "aoti"
]  # of restr.inference.backends.opening

# The smallest value of options that several verbs share. PyTorch's and NumPy's own errors would not name the option.
_LEAST = {"seed": 0, "threads": 0, "workers": 0, "processes": 1, "n": 1, "batch": 1, "validation_samples": 0}


@dataclass(frozen=True, kw_only=True)
class RootOptions:
    """Where datasets are."""

    root: Path = Path(".")
    """The folder that holds the dataset."""


@dataclass(frozen=True, kw_only=True)
class DatasetOptions(RootOptions):
    """A dataset with all its splits."""

    data: Annotated[str, tyro.conf.Positional]
    """The dataset, as for restr eval but without a split: NAME[:SPLITTER] or FORM:PATH."""

    def open(self) -> IndexedSamples:
        """The samples of all splits. Raises ``DatasetError``."""
        from restr.formats.catalog import open_all_splits

        return open_all_splits(self.data, self.root)


@dataclass(frozen=True, kw_only=True)
class DataOptions(RootOptions):
    """Samples of any kind."""

    data: str
    """A published dataset, NAME[:SPLITTER]:SPLIT ("refcoco:unc:testA"), or your own, FORM:PATH[:SPLIT]
    ("jsonl:mine.jsonl"), both below --root; "shards:PATTERN" of tar or parquet files, here or behind an address;
    "photos:DIR" (images/ and instances.json; sentences are generated); "everyday:DIR" (photos/, photos_more/,
    photos_boxes/ and expressions/); "generated" (drawn scenes)."""

    split: str = "val"
    """Which photographs (photos and everyday; of everyday: train, val or all)."""

    n: int = 600
    """How many sentences to generate (photos and generated)."""

    seed: int = 0
    """Seed of everything random: sentences, the control's pairs, changes; state it with the numbers."""

    def open(self, *, size: int = 64) -> SampleSource:
        """The samples, announced. size: of drawn scenes, in pixels. Raises ``DatasetError``."""
        from restr.cli.notices import announce
        from restr.evaluation.samples import open_samples

        samples = open_samples(self.data, self.root, split=self.split, n=self.n, seed=self.seed, size=size)
        return announce(samples, self.data)


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """How to measure."""

    protocol: ProtocolName = "own"
    """How to measure: "own" is the model's own preprocessing, at the photographs' size; the others are those of the
    named projects."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model runs."""

    model: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="(default: the bundled model)")] = (
        None
    )
    """A model folder, an exported one, a file in either, a training run or one of its checkpoints (RUN/best.pt, RUN/last),
    or hf:USER/MODEL of the Hugging Face hub."""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Where the model runs."""

    device: Annotated[Literal["auto", "cpu", "cuda"], tyro.conf.arg(help_behavior_hint="(default: auto)")] = "auto"
    """Where to compute; auto takes a GPU if there is one."""


@dataclass(frozen=True, kw_only=True)
class RuntimeOptions:
    """Which runtime computes."""

    backend: Annotated[BackendName, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: auto)")] = "auto"
    """The runtime: auto is the fastest that restr doctor shows for this processor; torch is PyTorch, as the model was
    trained; own is PyTorch for a model folder and an export's own; or onnx, openvino, torch-export, aoti."""

    precision: Annotated[
        Literal["auto", "fp32", "int8", "bf16"],
        tyro.conf.arg(help_behavior_hint="(default: the fastest that is proven)"),
    ] = "auto"
    """Number format of the matrix products; fp32 is exact; an export has its own."""


@dataclass(frozen=True, kw_only=True)
class ThreadOptions:
    """How many processor threads compute."""

    threads: int = 0
    """Processor threads, in all; 0 leaves the choice to the runtime."""

    def limit_torch(self) -> None:
        """Make torch use no more threads."""
        if self.threads:
            import torch

            torch.set_num_threads(self.threads)


@dataclass(frozen=True, kw_only=True)
class ComputeOptions(ThreadOptions, DeviceOptions):
    """Device and threads."""


@dataclass(frozen=True, kw_only=True)
class SettingOptions:
    """Changes of the model's config."""

    set: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE")] = ()
    """A field of the model's config, by its dotted path: fusion.variant=ime, preprocess.size=320; repeat it for more. In
    a settings file: a table [set]. docs/variants.md has the fields."""


def parse_options(options: type[_Options], prog: str, arguments: Sequence[str]) -> _Options:
    """The options of a verb's words. Wrong ones end the program, with the reason on standard error."""
    held = _HeldStderr()
    try:
        with redirect_stderr(held):
            found = tyro.cli(options, prog=prog, args=list(arguments))
        for field in dataclasses.fields(found):  # type: ignore[arg-type]
            if field.name in _LEAST:
                at_least(found, field.name, _LEAST[field.name])
    except RestrError as error:
        raise _wrong(prog, error) from error
    except SystemExit as error:
        refused = _reason(error)
        if refused is not None:  # printed as it is, without tyro's frame
            raise _wrong(prog, refused) from error
        sys.stderr.write(held.getvalue())
        raise
    return found


class _HeldStderr(io.StringIO):
    """Standard error, held back until we know whether to print it; coloured as for the terminal it may go to."""

    def isatty(self) -> bool:
        return sys.__stderr__ is not None and sys.__stderr__.isatty()


def _wrong(prog: str, error: RestrError) -> SystemExit:
    print(f"{prog}: {error}", file=sys.stderr)
    return SystemExit(2)


def _reason(error: BaseException) -> RestrError | None:
    """The ``RestrError`` that caused another error, if one did."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RestrError):
        cause = cause.__cause__ or cause.__context__
    return cause
