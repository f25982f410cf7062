"""``restr doctor``: which runtime computes here, why, and where that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import arg

from restr.cli.options import ModelOptions, parse_options
from restr.errors import ConfigError

if TYPE_CHECKING:
    from restr.inference.fastest.choice import RuntimeChoice

_FLAG = (tyro.conf.FlagCreatePairsOff, arg(help_behavior_hint=""))


@dataclass(frozen=True, kw_only=True)
class Doctor(ModelOptions):
    """Show the processor, the versions, and how fast each runtime is with a model; say which one restr takes.

    Example: restr doctor --prepare
    """

    prepare: Annotated[bool, *_FLAG] = False
    """Export the model for the runtimes that are installed and measure them, also where that was done before. Takes about a
    minute for each export that the cache does not have."""

    every: Annotated[bool, *_FLAG] = False
    """With --prepare: try all runtimes, also those that are expected to be slower than one that was measured."""

    clear: Annotated[bool, *_FLAG] = False
    """Delete all exports and measurements from the cache, of every model."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    settings = parse_options(Doctor, "restr doctor", arguments)
    if settings.clear and settings.prepare:
        raise ConfigError("both --clear and --prepare; choose one of them")
    if settings.every and not settings.prepare:
        raise ConfigError("--every says how much to prepare; give --prepare too")
    if settings.clear:
        from restr.inference.fastest.kept import clear_caches

        print(f"{clear_caches() / 1e6:.0f} MB deleted")
        return 0
    if settings.prepare:
        from restr.cli.preparing import progress_line
        from restr.export.prepare import prepare_runtime  # torch loads here

        with progress_line("preparing") as say:
            prepare_runtime(settings.model, again=True, every=settings.every, say=say)
    for line in _report(settings):
        print(line)
    return 0


def _report(settings: Doctor) -> list[str]:
    """All lines."""
    from restr.inference.exported import FACTS
    from restr.inference.fastest.kept import cache_bytes_in, find_choice
    from restr.inference.fastest.machine import machine_facts
    from restr.inference.fastest.places import cache_folders, writable_cache
    from restr.inference.locate import describe_model, model_folder

    machine = machine_facts()
    versions = ", ".join(f"{name} {each or 'not installed'}" for name, each in machine["versions"].items())
    folder = model_folder(settings.model)
    model = describe_model(folder)
    lines = [
        f"processor  {machine['processor']}, {machine['cores']} usable cores",
        f"versions   {versions}",
        f"model      {model.config.name}, {folder}",
    ]
    writable = writable_cache()
    for cache in cache_folders():
        size = cache_bytes_in(cache) if cache.is_dir() else 0
        if cache == writable or size:
            note = "" if cache == writable else ", only read"
            lines.append(f"cache      {cache}, {size / 1e6:.0f} MB{note} (restr doctor --clear empties it)")
    if writable is None:
        lines.append("cache      no folder can be written to; name one in $RESTR_CACHE")
    if (folder / FACTS).is_file():
        return [*lines, "", "This is an export, which runs in its own runtime; restr doctor measures model folders."]
    return [*lines, "", *_table(find_choice(model.hash))]


def _table(choice: RuntimeChoice | None) -> list[str]:
    """The measured runtimes, and the line that says which one is taken."""
    from restr.inference.fastest.kept import find_export
    from restr.inference.loading import BACKEND_VARIABLE, default_backend

    forced = default_backend()
    taken = f"{BACKEND_VARIABLE} is set: {forced}" if forced != "auto" else ""
    if choice is None:
        return [taken or "PyTorch computes: nothing was measured here with this model; restr doctor --prepare does it"]
    lines = ["runtime         a first expression"]
    for row in choice.rows:
        lines.append(f"{row.title:<16}{row.why if row.ms is None else f'{row.ms:.0f} ms'}")
    best = choice.best()
    gone = (
        best is not None and best.target != "torch" and find_export(choice.weights, best.target, best.precision) is None
    )
    if gone and not taken:
        taken = "PyTorch computes: the export of the fastest is gone; restr doctor --prepare makes it again"
    return [*lines, "", taken or f"restr takes {choice.reason()}"]
