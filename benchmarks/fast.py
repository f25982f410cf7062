"""What is promised of the default's speed: each line measured in one run.

    python benchmarks/fast.py                                   # all parts, five minutes on two cores after the exports
    python benchmarks/fast.py --parts predict,further --out runs/fast

Parts: ``predict`` (the default against PyTorch: a whole ``restr predict`` from command to mask, and a call of ``Segmenter`` on
a new photograph), ``peers`` (``restr_small`` by default and ``restr_base`` in OpenVINO int8 against CLIPSeg, all at 480 x 480 with
one expression), ``further`` (a further expression's share of a first call, and ten expressions over one). The folder is
``benchmarks/folder.py``. The default is what ``restr doctor --prepare`` chooses; the cache is $RESTR_CACHE, else OUT/cache, and is
prepared first. Sides take turns; a time is the median over the rounds, a ratio the median of each round's own. Writes fast.json and
fast.md to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from folder import TEXT, make_photographs
from latency import cpu_name, example_photograph
from peers import ClipSeg, parameters
from promises import Part, Promise, markdown
from runtimes import exports, released_base
from timing import PAUSE, WARM_UP, Times, by_turns
from workload import SIZE, TEN, WORDS, counted, inputs, ten

from restr import Segmenter
from restr.export.parity import draw_picture
from restr.files import write_atomically
from restr.inference.fastest.kept import find_choice
from restr.inference.fastest.places import CACHE_VARIABLE
from restr.inference.locate import model_folder
from restr.inference.result import Result
from restr.model.folder import folder_hash

DEFAULT, TORCH = "default", "torch fp32"
CLIPSEG = f"CLIPSeg at {SIZE}, torch fp32"


def prepare() -> str:
    """Prepare the default of the bundled model in a process of its own, if that was not done; what was chosen."""
    code = "import sys, restr; restr.prepare_runtime(say=lambda step: print(step, file=sys.stderr, flush=True))"
    subprocess.run([sys.executable, "-c", code], check=True)
    choice = find_choice(folder_hash(model_folder(None)))
    return choice.reason() if choice else "PyTorch: nothing is prepared"


def bundled() -> dict[str, Segmenter]:
    """The bundled model, by default and in PyTorch; photographs are not kept."""
    return {
        DEFAULT: Segmenter.from_pretrained(device="cpu", cache_bytes=0),
        TORCH: Segmenter.from_pretrained(device="cpu", backend="torch", cache_bytes=0),
    }


# --- the parts ---------------------------------------------------------------------------------------------------------


def predict(segmenters: dict[str, Segmenter], rounds: int) -> Part:
    """``restr predict`` from the command to the mask, and warm calls on new photographs of 640 x 480."""
    with tempfile.TemporaryDirectory() as name:
        cold = cold_starts(example_photograph(), Path(name) / "out", rounds)
        photographs = make_photographs(Path(name), WARM_UP + rounds, (640, 480))
        warm, found = warm_calls(segmenters, photographs, rounds)
    agreement = np.mean([np.mean(a.mask == b.mask) for a, b in zip(found[DEFAULT], found[TORCH], strict=True)])
    cold_names, warm_names = ([f"{kind}, {side}" for side in segmenters] for kind in ("cold", "warm"))
    return Part(
        times=dict(zip(cold_names, cold.milliseconds().values(), strict=True))
        | dict(zip(warm_names, warm.milliseconds().values(), strict=True)),
        promises=[
            Promise("cold, from command to mask", cold.median(DEFAULT), 1.2, "s", at_most=True),
            Promise(
                "warm, faster than PyTorch", warm.ratio(TORCH, DEFAULT), least_gain(cpu_name()), "x", at_most=False
            ),
        ],
        remarks=[
            f"Cold, {cold.ratio(TORCH, DEFAULT):.2f} times as fast as PyTorch. The masks agree on {agreement:.2%} of the pixels "
            f"of {len(photographs)} photographs."
        ],
    )


def cold_starts(photograph: Path, out: Path, rounds: int) -> Times:
    """Whole processes of ``restr predict``; their files are in the system's memory after the first turn."""
    command = [sys.executable, "-m", "restr", "predict", str(photograph), TEXT, "--device", "cpu", "--out", str(out)]
    options = {DEFAULT: [], TORCH: ["--backend", "torch"]}
    sides = {
        side: lambda more=more: subprocess.run([*command, *more], check=True, capture_output=True)
        for side, more in options.items()
    }
    return by_turns(sides, rounds, warm_up=1)


def warm_calls(
    segmenters: dict[str, Segmenter], photographs: list[Path], rounds: int
) -> tuple[Times, dict[str, list[Result]]]:
    """Calls with a photograph that was not seen before, the same ones for each side; times and results."""
    found: dict[str, list[Result]] = {side: [] for side in segmenters}

    def call(side: str) -> None:
        results = found[side]
        results.append(segmenters[side](photographs[len(results)], TEXT))

    times = by_turns({side: lambda side=side: call(side) for side in segmenters}, rounds, pause=PAUSE)
    return times, found


def least_gain(processor: str) -> float:
    """What was asked of the default against PyTorch: on AMD PyTorch is slower than elsewhere."""
    return 2.5 if "AMD" in processor else 1.8


def peers(segmenters: dict[str, Segmenter], rounds: int, root: Path) -> Part:
    """One expression at 480 x 480 against CLIPSeg with random weights, in fp32."""
    base, vocabulary = released_base()
    base_image, base_ids = inputs(base.config)
    ways = exports(base, vocabulary, root, [("openvino", "int8")])
    size = parameters(base) / 1e6
    del base
    sides: dict[str, Callable[[], object]] = {}
    for side, segmenter in segmenters.items():
        image, ids = inputs(segmenter.config)
        way = segmenter.backend
        sides[f"restr_small, {side}"] = lambda way=way, image=image, ids=ids: way.segment(way.encode_image(image), ids)
    for name, way in ways.items():
        sides[f"restr_base, {name}"] = lambda way=way: way.segment(way.encode_image(base_image), base_ids)
    clip, picture, text = ClipSeg(SIZE), torch.randn(1, 3, SIZE, SIZE), torch.randint(1, 40_000, (1, WORDS + 2))
    sides[CLIPSEG] = lambda: clip(picture, text)
    times = by_turns(sides, rounds, pause=PAUSE)
    bounds = {f"restr_small, {DEFAULT}": 5.0, "restr_base, openvino int8": 4.0}
    return Part(
        times=times.milliseconds(),
        promises=[
            Promise(f"{side}, faster than CLIPSeg", times.ratio(CLIPSEG, side), bound, "x", at_most=False)
            for side, bound in bounds.items()
            if side in sides
        ],
        remarks=[
            f"restr_base and CLIPSeg have random weights, {size:.0f} and {parameters(clip) / 1e6:.0f} million parameters."
        ],
    )


def further(segmenters: dict[str, Segmenter], rounds: int) -> Part:
    """A first expression, a further one and ten: of the backend alone, and of whole calls from a picture in memory."""
    image, ids = inputs(segmenters[TORCH].config, count=TEN)
    sides: dict[str, Callable[[], object]] = {}
    for side, segmenter in segmenters.items():
        sides |= {f"{side}: {name}": call for name, call in backend_calls(segmenter, image, ids).items()}
        sides |= {f"{side}, whole call: {name}": call for name, call in whole_calls(segmenter).items()}
    times = by_turns(sides, rounds, pause=PAUSE)
    cost = counted(segmenters[TORCH].model, image, ids)
    one = cost["image"] + cost["expression"]
    share, ten_shares = cost["expression"] / one, (cost["image"] + TEN * cost["expression"]) / one
    further_share, ten_over_one = (
        times.ratio(f"{DEFAULT}: {name}", f"{DEFAULT}: first") for name in ("further", "ten")
    )
    others = [each for side in segmenters for each in (side, f"{side}, whole call") if each != DEFAULT]
    return Part(
        times=times.milliseconds(),
        promises=[
            Promise("a further expression, of a first", further_share, max(0.12, 1.2 * share), "%", at_most=True),
            Promise("ten expressions over one", ten_over_one, max(2.0, 1.2 * ten_shares), "x", at_most=True),
        ],
        remarks=[
            f"{cost['image']:.1f} GMAC an image and {cost['expression']:.2f} an expression: {share:.1%} of a first call, and ten take "
            f"{ten_shares:.2f} times those of one. "
            + " ".join(
                f"{each}: {times.ratio(f'{each}: further', f'{each}: first'):.1%}, "
                f"{times.ratio(f'{each}: ten', f'{each}: first'):.2f} x."
                for each in others
            )
        ],
    )


def backend_calls(segmenter: Segmenter, image: np.ndarray, ids: np.ndarray) -> dict[str, Callable[[], object]]:
    way = segmenter.backend
    features = way.encode_image(image)
    return {
        "first": lambda: way.segment(way.encode_image(image), ids[:1]),
        "further": lambda: way.segment(features, ids[:1]),
        "ten": lambda: ten(way, way.encode_image(image), ids),
    }


def whole_calls(segmenter: Segmenter) -> dict[str, Callable[[], object]]:
    """As a program calls a segmenter, the masks included."""
    picture = draw_picture((SIZE, SIZE), np.random.default_rng(0))
    encoded = segmenter.encode(picture)
    texts = [f"the person number {number}" for number in range(TEN)]
    return {
        "first": lambda: segmenter(picture, TEXT).mask,
        "further": lambda: segmenter.predict_encoded(encoded, [TEXT])[0].mask,
        "ten": lambda: [each.mask for each in segmenter(picture, texts)],
    }


def chosen_parts(parser: argparse.ArgumentParser, names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The parts to run. Ends the program for an unknown one, and if CLIPSeg cannot run."""
    wanted = list(names)
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"no part {', '.join(unknown)}; choose from {', '.join(known)}")
    if "peers" in wanted and not find_spec("transformers"):
        parser.error(
            "the part peers needs transformers: pip install '.[bench]', or leave it out: --parts predict,further"
        )
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="predict,peers,further")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("runs/fast"))
    chosen = parser.parse_args()
    parts: dict[str, Callable[[dict[str, Segmenter]], Part]] = {
        "predict": lambda segmenters: predict(segmenters, chosen.rounds),
        "peers": lambda segmenters: peers(segmenters, chosen.rounds, chosen.out),
        "further": lambda segmenters: further(segmenters, chosen.rounds),
    }
    wanted = chosen_parts(parser, chosen.parts.split(","), parts)
    chosen.out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(CACHE_VARIABLE, str(chosen.out.absolute() / "cache"))
    machine = {
        "cpu": cpu_name(),
        "cores": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "rounds": chosen.rounds,
        "default": prepare(),
    }
    segmenters, found = bundled(), {}
    for name in wanted:
        begun = time.perf_counter()
        found[name] = parts[name](segmenters)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    report = {"machine": machine} | {name: part.to_dict() for name, part in found.items()}
    write_atomically(chosen.out / "fast.json", json.dumps(report, indent=2) + "\n")
    write_atomically(chosen.out / "fast.md", markdown(machine, found))
    print(markdown(machine, found))


if __name__ == "__main__":
    main()
