"""Runtimes that may be faster than PyTorch: exported, checked and timed, one after another."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np

from restr.errors import ConfigError
from restr.export.parity import draw_picture, mask_agreement, sentence_length, sentences
from restr.export.run import Plan, export
from restr.inference.backends.base import Backend
from restr.inference.backends.opening import open_exported
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.exported import ExportManifest, Precision, Target
from restr.inference.fastest.choice import TimedRuntime
from restr.inference.fastest.kept import EXPORTS, PACKAGES, PARTIAL, kept_folder, mark_complete, read_complete
from restr.inference.fastest.machine import restr_version
from restr.model.restr import ReSTR
from restr.text.vocabulary import Vocabulary

LEAST_AGREEMENT = 0.95  # of masks in int8 or bf16 with PyTorch's in fp32, on a drawn picture and random words
_EXPORTERS = ("onnx", "onnxscript")  # what every export is made with
_PICTURE, _WORDS = (480, 640), 6  # what is timed
_ROUNDS, _SECONDS = (3, 9), 1.5  # at least and at most so many rounds; no further one after so many seconds
_STALE_S = 3600


def missing_packages(target: str) -> list[str]:
    """What must be installed to make and run such an export."""
    needed = [PACKAGES[target], *_EXPORTERS]
    return [name for name in needed if find_spec(name) is None]


def time_first_expression(backend: Backend) -> float:
    """Milliseconds from an image to the mask of one expression; the median of a few rounds after a first one."""
    config = backend.config
    rng = np.random.default_rng(0)
    image = config.framing.prepare(draw_picture(_PICTURE, rng))[None]
    ids = sentences(1, sentence_length(config, _WORDS), config, rng)
    backend.segment(backend.encode_image(image), ids)
    seconds: list[float] = []
    while len(seconds) < _ROUNDS[0] or (sum(seconds) < _SECONDS and len(seconds) < _ROUNDS[1]):
        start = time.perf_counter()
        backend.segment(backend.encode_image(image), ids)
        seconds.append(time.perf_counter() - start)
    return round(1000 * statistics.median(seconds), 2)


def try_candidate(
    model: ReSTR,
    vocabulary: Vocabulary,
    *,
    cache: Path,
    weights: str,
    target: str,
    precision: str,
    say: Callable[[str], None],
) -> TimedRuntime:
    """Export a model into the cache, unless it is there, and time it; a row without ``ms`` says why it is left out.

    target "torch" is PyTorch in bfloat16, without an export. weights: the hash of the model's files. Raises ``OSError`` if
    the cache cannot be written to.
    """
    if target == "torch":
        return _try_bf16(model, say=say)
    row = TimedRuntime(target=target, precision=precision)
    if missing := missing_packages(target):
        return _left_out(row, f"{missing[0]} is not installed: pip install 'restr[fast]'")
    folder = kept_folder(cache, weights, target, precision)
    facts = read_complete(folder)
    try:
        if facts is None:
            say(f"{row.title}: exporting, about a minute")
            plan = Plan(target=cast("Target", target), precision=cast("Precision", precision))
            facts = _make(model, vocabulary, folder, weights, plan)
        say(f"{row.title}: measuring")
        return replace(row, ms=time_first_expression(open_exported(facts, device="cpu")))
    except OSError:
        raise
    except Exception as error:  # of an exporter or a runtime, which have no common class: another candidate may do
        return _left_out(row, str(error).partition("\n")[0][:300] or type(error).__name__)


def _try_bf16(model: ReSTR, *, say: Callable[[str], None]) -> TimedRuntime:
    """Time a model in PyTorch with matrix products in bfloat16; a row without ``ms`` says why it is left out."""
    say("torch bf16: measuring")
    row = TimedRuntime(target="torch", precision="bf16")
    rounded = TorchBackend(model, device="cpu", precision="bf16")
    agreement = mask_agreement(TorchBackend(model, device="cpu"), rounded)
    if agreement < LEAST_AGREEMENT:
        return _left_out(row, f"masks agree with fp32's on only {agreement:.1%} of the pixels")
    return replace(row, ms=time_first_expression(rounded))


def _left_out(row: TimedRuntime, why: str) -> TimedRuntime:
    return replace(row, why=why)


def _make(
    model: ReSTR,
    vocabulary: Vocabulary,
    folder: Path,
    weights: str,
    plan: Plan,
) -> ExportManifest:
    """Export beside ``folder`` and rename; of two processes the first one wins, and the other takes its export.

    Raises ``ConfigError`` for an export that is too far from the model, and what exporters raise.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=PARTIAL))
    try:
        source = {"name": model.config.name, "restr": restr_version(), "hash": weights}
        report = export(model, vocabulary, partial, plan, source=source, quick=True)
        if (plan.precision == "fp32" and not report.holds) or report.agreement < LEAST_AGREEMENT:
            raise ConfigError(f"masks agree with PyTorch's on only {report.agreement:.1%} of the pixels")
        mark_complete(partial)
        with suppress(OSError):
            os.rename(partial, folder)
        if read_complete(folder) is None:  # something else has that name: a damaged export
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                folder.unlink(missing_ok=True)
            os.rename(partial, folder)
        facts = read_complete(folder)
        if facts is None:
            raise OSError(f"{folder} could not be written")
        return facts
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_leftovers(cache: Path) -> None:
    """Remove what processes that were killed left half written, and exports by other versions in development."""
    for path in (cache / EXPORTS).glob("*") if (cache / EXPORTS).is_dir() else ():
        with suppress(OSError):
            killed = path.name.startswith(PARTIAL) and time.time() - path.stat().st_mtime > _STALE_S
            outdated = ".dev" in path.name and not path.name.endswith(restr_version())
            if killed or (outdated and not path.name.startswith(PARTIAL)):
                shutil.rmtree(path, ignore_errors=True)
