"""The cost of a call as one cause at a time changes; the time of a start; the growth of memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from latency import example_photograph, resident
from peers import gmac
from timing import by_turns
from workload import SIZE, inputs, ten

from restr import Segmenter
from restr.inference.backends.torch_backend import TorchBackend
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.presets import preset

PREDICTIONS = 2000


def curves(rounds: int) -> dict[str, Any]:
    """Milliseconds and GMAC of the bundled architecture against one cause of cost at a time."""
    model = Segmenter.from_pretrained(device="cpu", backend="own").model
    own = TorchBackend(model, device="cpu")
    found: dict[str, Any] = {}

    def line(name: str, unit: str, points: Sequence[int], calls: Sequence[Callable[[], object]]) -> None:
        times = by_turns({str(point): call for point, call in zip(points, calls, strict=True)}, rounds, warm_up=1)
        counts = [gmac(call, *models) for call in calls]
        found[name] = {
            "unit": unit, "points": list(points), "ms": [1000 * times.median(str(p)) for p in points], "gmac": counts,
        }  # fmt: skip

    def whole(backend: TorchBackend, size: int) -> Callable[[], object]:
        image, ids = inputs(backend.config, size=size)
        return lambda: backend.segment(backend.encode_image(image), ids)

    models: list[ReSTR] = [model]
    sizes = (160, 240, 320, 480, 640, 960)
    line("image size", "pixels a side", sizes, [whole(own, size) for size in sizes])
    patched = {patch: build_model(with_patch(patch), seed=0).eval() for patch in (32, 16, 8)}
    models += patched.values()
    line("patch size", "P", list(patched), [whole(TorchBackend(each, device="cpu"), SIZE) for each in patched.values()])
    image, ids = inputs(model.config, count=20)
    features = own.encode_image(image)
    counts = (1, 2, 5, 10, 20)
    line("expressions on one image", "expressions", counts, [
        lambda n=n: ten(own, own.encode_image(image), ids[:n]) for n in counts
    ])  # fmt: skip
    words = (1, 2, 5, 10, 20)
    line("words of a further expression", "words", words, [
        lambda n=n: own.segment(features, inputs(model.config, words=n)[1]) for n in words
    ])  # fmt: skip
    batches = (1, 2, 4, 8)
    line("images at once", "images", batches, [
        lambda n=n: model(torch.randn(n, 3, 240, 240), torch.from_numpy(ids[:n])) for n in batches
    ])  # fmt: skip
    return found


def with_patch(patch: int) -> Any:
    config = preset("restr_small")
    return replace(config, vision=replace(config.vision, patch=patch, grid=SIZE // patch))


def start(rounds: int) -> dict[str, Any]:
    """Seconds from the command to the prompt, in processes of their own; the files are in the system's cache after the first."""
    photograph = str(example_photograph())
    with tempfile.TemporaryDirectory() as out:
        commands = {
            "restr --help": ["--help"],
            "restr predict, cold to mask": ["predict", photograph, "the cup", "--out", out],
        }
        sides = {
            name: lambda arguments=arguments: subprocess.run(
                [sys.executable, "-m", "restr", *arguments], check=True, capture_output=True
            )
            for name, arguments in commands.items()
        }
        return {side: ms["p50"] / 1000 for side, ms in by_turns(sides, rounds, warm_up=1).milliseconds().items()}


def alone(part: str) -> dict[str, Any]:
    """The numbers of a function of this module, from a fresh process."""
    code = f"import json, growth; print(json.dumps(growth.{part}()))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def leak() -> dict[str, Any]:
    """MiB of the process over many predictions: a new picture every time, many shapes, with the cache of features."""
    segmenter = Segmenter.from_pretrained(device="cpu", backend="own")
    segmenter = segmenter.with_framing(replace(segmenter.framing, size=160))
    rng = np.random.default_rng(0)
    seen = []
    for number in range(PREDICTIONS):
        shape = (int(rng.integers(60, 400)), int(rng.integers(60, 400)), 3)
        segmenter(rng.integers(0, 256, shape, dtype=np.uint8), f"the dog number {number}")
        if (number + 1) % 100 == 0:
            seen.append(round(resident() / 2**20, 1))
    half = len(seen) // 2
    return {"every": 100, "mib": seen, "growth_in_the_second_half_mib": round(seen[-1] - seen[half - 1], 1)}
