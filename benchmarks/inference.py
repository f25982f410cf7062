"""The speed of restr and of comparable models: one command, one run, ratios within it.

    python benchmarks/inference.py                              # all parts, about 15 minutes on two cores
    python benchmarks/inference.py --parts small,curves --out runs/inference

Parts: ``small`` (the bundled model in every runtime that is installed, and what further expressions cost), ``base`` (the
paper's size with random weights in the released program's setting, beside a plain rendition of that program's arithmetic,
CLIPSeg and a bare ViT), ``curves`` (cost against size, patch, expressions, words and batch), ``start`` (cold start), ``leak``
(memory over 2,000 predictions). Batch 1, 480 x 480, two threads. A side's time is the median over the rounds; a ratio is
the median of each round's own. Writes inference.json, inference.md and curves.png to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from growth import alone, curves, start
from inference_report import draw, markdown
from latency import cpu_name
from peak import measure_peak
from peers import ClipSeg, gmac, parameters, plain_rendition
from runtimes import EXPORTS, exports, released_base
from timing import PAUSE, by_turns
from workload import SIZE, TEN, WORDS, counted, inputs, shapes_of, ten

from restr import Segmenter
from restr.export.parity import draw_picture
from restr.files import write_atomically
from restr.inference.backends.base import Backend
from restr.inference.backends.torch_backend import TorchBackend
from restr.model.vision import VisionEncoder

CLIPSEG_SIZE = 352  # its own
# --- the parts ---------------------------------------------------------------------------------------------------------


def small(rounds: int, root: Path) -> dict[str, Any]:
    """The bundled model: an image and its first expression, another one, ten, in each runtime; against the products' peak."""
    segmenter = Segmenter.from_pretrained(device="cpu", backend="own", cache_bytes=0)
    model, config = segmenter.model, segmenter.config
    vocabulary = segmenter.tokenizer.vocabulary
    image, ids = inputs(config, count=TEN)
    ways: dict[str, Backend] = {
        "torch fp32": segmenter.backend,
        **exports(model, vocabulary, root, EXPORTS),
    }
    features = {name: way.encode_image(image) for name, way in ways.items()}
    sides: dict[str, Callable[[], object]] = {}
    for name, way in ways.items():
        sides[f"{name}: first"] = lambda way=way: way.segment(way.encode_image(image), ids[:1])
        sides[f"{name}: further"] = lambda way=way, name=name: way.segment(features[name], ids[:1])
        sides[f"{name}: ten"] = lambda way=way: ten(way, way.encode_image(image), ids)
    picture = draw_picture((SIZE, SIZE), np.random.default_rng(0))
    sides["whole call, torch fp32"] = lambda: segmenter(picture, "the dog on the left").mask
    times = by_turns(sides, rounds, pause=PAUSE)
    cost, peak = counted(model, image, ids), measure_peak(shapes_of(config))
    flops = 2 * (cost["image"] + cost["expression"])
    share = cost["expression"] / (cost["image"] + cost["expression"])
    rows = {
        name: {
            "first_ms": 1000 * times.median(f"{name}: first"),
            "first_p95_ms": 1000 * times.p95(f"{name}: first"),
            "further_ms": 1000 * times.median(f"{name}: further"),
            "ten_ms": 1000 * times.median(f"{name}: ten"),
            "further_share": times.ratio(f"{name}: further", f"{name}: first"),
            "ten_over_one": times.ratio(f"{name}: ten", f"{name}: first"),
            "together_share": (times.ratio(f"{name}: ten", f"{name}: first") - 1) / (TEN - 1),
            "faster_than_torch_fp32": times.ratio("torch fp32: first", f"{name}: first"),
            "gflops": flops / times.median(f"{name}: first"),
            "of_peak": peak.share(flops / times.median(f"{name}: first"), way.precision),
        }
        for name, way in ways.items()
    }
    return {
        "gmac": cost,
        "share_of_multiplications": share,
        "peak": peak.to_dict(),
        "peak_in_words": peak.sentences(),
        "whole_call_ms": 1000 * times.median("whole call, torch fp32"),
        "rows": rows,
    }


def base(rounds: int, root: Path) -> dict[str, Any]:
    """``restr_base`` in the released setting beside a plain rendition, CLIPSeg and a ViT; random weights, one expression."""
    model, vocabulary = released_base()
    config = model.config
    plain = plain_rendition(model)
    image, ids = inputs(config)
    own = TorchBackend(model, device="cpu")
    ways: dict[str, Backend] = {"restr_base, torch fp32": own}
    wanted = [("openvino", "fp32"), ("openvino", "int8")]
    ways |= {f"restr_base, {name}": way for name, way in exports(model, vocabulary, root, wanted).items()}
    small_model = Segmenter.from_pretrained(device="cpu", backend="own", cache_bytes=0)
    small_ids = inputs(small_model.config)[1]
    tensor, rows = torch.from_numpy(image), torch.from_numpy(ids)
    vit = VisionEncoder(config.vision).eval()
    sides: dict[str, Callable[[], object]] = {
        name: lambda way=way: way.segment(way.encode_image(image), ids) for name, way in ways.items()
    }
    sides["plain rendition of the released arithmetic"] = lambda: plain(tensor, rows)
    sides["ViT-B/16 alone"] = lambda: vit(tensor)
    small_vocabulary = small_model.tokenizer.vocabulary
    small_ways: dict[str, Backend] = {
        "restr_small, torch fp32": small_model.backend,
        **{
            f"restr_small, {name}": way
            for name, way in exports(small_model.model, small_vocabulary, root, [("openvino", "fp32")]).items()
        },
    }
    for name, way in small_ways.items():
        sides[name] = lambda way=way: way.segment(way.encode_image(image), small_ids)
    clips = {}
    if find_spec("transformers"):
        for size in (CLIPSEG_SIZE, SIZE):
            clip, picture, text = ClipSeg(size), torch.randn(1, 3, size, size), torch.randint(1, 40_000, (1, WORDS + 2))
            clips[f"CLIPSeg at {size}"] = parameters(clip)
            sides[f"CLIPSeg at {size}"] = lambda clip=clip, picture=picture, text=text: clip(picture, text)
    times = by_turns(sides, rounds, pause=PAUSE)
    with torch.inference_mode():
        difference = float((plain(tensor, rows).logits - model(tensor, rows).logits).abs().max())
    cost, peak = counted(model, image, ids), measure_peak(shapes_of(config))
    flops = dict.fromkeys(ways, 2 * (cost["image"] + cost["expression"]))
    plain_flops = 2 * gmac(lambda: plain(tensor, rows))
    plain_name = "plain rendition of the released arithmetic"
    return {
        "gmac": sum(cost.values()),
        "plain_gmac": plain_flops / 2,
        "parameters": {"restr_base": parameters(model)} | clips,
        "largest_difference_from_plain": difference,
        "peak": peak.to_dict(),
        "peak_in_words": peak.sentences(),
        "of_peak": {
            name: peak.share(work / times.median(name), ways[name].precision if name in ways else "fp32")
            for name, work in (flops | {plain_name: plain_flops}).items()
        },
        "times": times.milliseconds(),
        "plain_over": {side: times.ratio(plain_name, side) for side in sides if side != plain_name},
        "clipseg_over": {
            side: times.ratio(f"CLIPSeg at {SIZE}", side) for side in sides if clips and not side.startswith("CLIPSeg")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="small,base,curves,start,leak")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/inference"))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "small": lambda: small(chosen.rounds, chosen.out),
        "base": lambda: base(chosen.rounds, chosen.out),
        "curves": lambda: curves(max(3, chosen.rounds // 2)),
        "start": lambda: start(chosen.rounds),
        "leak": lambda: alone("leak"),
    }
    wanted = chosen.parts.split(",")
    if unknown := set(wanted) - parts.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; choose from {', '.join(parts)}")
    machine = {
        "cpu": cpu_name(),
        "threads": chosen.threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    report: dict[str, Any] = {"machine": machine, "rounds": chosen.rounds}
    for part in wanted:
        begun = time.perf_counter()
        report[part] = parts[part]()
        print(f"{part}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    report["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if "curves" in report:
        draw(report["curves"], chosen.out / "curves.png")
    write_atomically(chosen.out / "inference.json", json.dumps(report, indent=2) + "\n")
    write_atomically(chosen.out / "inference.md", markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
