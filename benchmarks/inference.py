"""How fast restr is, beside what else there is: one command, one run, ratios within it.

    python benchmarks/inference.py                              # all parts, about 15 minutes on two cores
    python benchmarks/inference.py --parts small,curves --out runs/inference
    python benchmarks/inference.py --photo DIR                  # photographs that int8 is fitted to

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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from latency import cpu_name, example_photograph, resident
from peers import ClipSeg, gmac, parameters, plain_rendition
from timing import by_turns, gemm_peak

from restr import Segmenter
from restr.compat import released_code
from restr.export.parity import drawn, sentences
from restr.export.run import Plan, export
from restr.files import write_whole
from restr.inference.backends.base import Backend
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.exported import FACTS
from restr.inference.sources import SUFFIXES, read_image
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.vision import VisionEncoder
from restr.nn.attention import Attention, written_out
from restr.presets import preset
from restr.text.tokenizer import fills_up
from restr.text.vocabulary import Vocabulary

SIZE, WORDS, TEN = 480, 6, 10
CLIPSEG_SIZE = 352  # its own
EXPORTS = (("onnx", "fp32"), ("onnx", "int8"), ("openvino", "fp32"), ("openvino", "int8"))
PREDICTIONS = 2000


def installed(target: str) -> bool:
    return find_spec({"onnx": "onnxruntime", "openvino": "openvino"}[target]) is not None


def exports(
    model: ReSTR,
    vocabulary: Vocabulary,
    root: Path,
    photographs: Sequence[np.ndarray],
    wanted: Sequence[tuple[str, str]],
) -> dict[str, Backend]:
    """The model in other runtimes, by name; what lies in ``root`` from an earlier run is used again."""
    found: dict[str, Backend] = {}
    for target, precision in wanted:
        folder = root / f"{model.config.name}-{target}-{precision}"
        if not installed(target):
            continue
        if not (folder / FACTS).exists():
            print(f"exporting {folder.name} ...", file=sys.stderr, flush=True)
            export(model, vocabulary, folder, Plan(target=target, precision=precision), photographs=photographs)  # type: ignore[arg-type]
        found[f"{target} {precision}"] = Segmenter.from_pretrained(folder, threads=torch.get_num_threads()).backend
    return found


def inputs(config: Any, *, size: int = SIZE, count: int = 1, words: int = WORDS) -> tuple[np.ndarray, np.ndarray]:
    """A normalised picture (1 3 H W) and so many sentences (count words)."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 3, size, size)).astype(np.float32)
    length = config.language.max_words if fills_up(config) else words
    return image, sentences(count, length, config, rng)


def shapes_of(config: Any) -> list[tuple[int, int, int]]:
    """The matrix products of the encoders, as (m k n)."""
    n = (SIZE // config.vision.patch) ** 2 + 1
    found = []
    for blocks in (config.vision.blocks, config.fusion.visual_linguistic):
        d, hidden = blocks.width, blocks.mlp
        found += [(n, d, 3 * d), (n, d, d), (n, d, hidden), (n, hidden, d)]
    return found


def counted(model: ReSTR, image: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """GMAC of an image's half and of an expression's, attention included."""
    backend = TorchBackend(model, device="cpu")
    mixes = [(module, module.mix) for module in model.modules() if isinstance(module, Attention)]
    for module, _ in mixes:
        module.mix = written_out
    try:
        features = backend.encode_image(image)
        return {
            "image": gmac(lambda: backend.encode_image(image)),
            "expression": gmac(lambda: backend.segment(features, ids[:1])),
        }
    finally:
        for module, mix in mixes:
            module.mix = mix


# --- the parts ---------------------------------------------------------------------------------------------------------


def small(rounds: int, root: Path, photographs: Sequence[np.ndarray]) -> dict[str, Any]:
    """The bundled model: an image and its first expression, another one, ten, in each runtime; against the GEMM's peak."""
    segmenter = Segmenter.from_pretrained(device="cpu", cache_bytes=0)
    model, config = segmenter.model, segmenter.config
    vocabulary = Vocabulary.from_file(
        Path(str(sys.modules["restr"].__path__[0])) / "assets" / config.name / "vocab.txt"
    )
    image, ids = inputs(config, count=TEN)
    ways: dict[str, Backend] = {
        "torch fp32": segmenter.backend,
        **exports(model, vocabulary, root, photographs, EXPORTS),
    }
    features = {name: way.encode_image(image) for name, way in ways.items()}
    sides: dict[str, Callable[[], object]] = {}
    for name, way in ways.items():
        sides[f"{name}: first"] = lambda way=way: way.segment(way.encode_image(image), ids[:1])
        sides[f"{name}: further"] = lambda way=way, name=name: way.segment(features[name], ids[:1])
        sides[f"{name}: ten"] = lambda way=way: ten(way, way.encode_image(image), ids)
    picture = drawn((SIZE, SIZE), np.random.default_rng(0))
    sides["whole call, torch fp32"] = lambda: segmenter(picture, "the dog on the left").mask
    times = by_turns(sides, rounds)
    cost, peak = counted(model, image, ids), gemm_peak(shapes_of(config))
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
            "faster_than_torch_fp32": times.ratio("torch fp32: first", f"{name}: first"),
            "gflops": flops / times.median(f"{name}: first"),
            "of_gemm_peak": flops / times.median(f"{name}: first") / peak,
        }
        for name in ways
    }
    return {
        "gmac": cost,
        "share_of_multiplications": share,
        "gemm_peak_gflops": peak,
        "whole_call_ms": 1000 * times.median("whole call, torch fp32"),
        "rows": rows,
    }


def ten(way: Backend, features: Any, ids: np.ndarray) -> None:
    """All sentences on one image, as many at once as a segmenter takes."""
    from restr.inference.segmenter import TEXTS_AT_ONCE

    for start in range(0, len(ids), TEXTS_AT_ONCE):
        way.segment(features, ids[start : start + TEXTS_AT_ONCE])


def base(rounds: int, root: Path) -> dict[str, Any]:
    """``restr_base`` in the released setting beside a plain rendition, CLIPSeg and a ViT; random weights, one expression."""
    config = released_code()
    model = build_model(config, seed=0).eval()
    plain = plain_rendition(model)
    vocabulary = Vocabulary(tuple(f"word{number}" for number in range(config.language.vocab - 2)))
    rng = np.random.default_rng(0)
    pictures = [drawn((SIZE, SIZE), rng) for _ in range(12)]
    image, ids = inputs(config)
    own = TorchBackend(model, device="cpu")
    ways: dict[str, Backend] = {"restr_base, torch fp32": own}
    wanted = [("openvino", "fp32"), ("openvino", "int8")]
    ways |= {f"restr_base, {name}": way for name, way in exports(model, vocabulary, root, pictures, wanted).items()}
    small_model = Segmenter.from_pretrained(device="cpu", cache_bytes=0)
    small_ids = inputs(small_model.config)[1]
    tensor, rows = torch.from_numpy(image), torch.from_numpy(ids)
    padding = rows == 0
    vit = VisionEncoder(config.vision).eval()
    sides: dict[str, Callable[[], object]] = {
        name: lambda way=way: way.segment(way.encode_image(image), ids) for name, way in ways.items()
    }
    sides["plain rendition of the released arithmetic"] = lambda: plain(tensor, rows, padding)
    sides["ViT-B/16 alone"] = lambda: vit(tensor)
    sides["restr_small, torch fp32"] = lambda: small_model.backend.segment(
        small_model.backend.encode_image(image), small_ids
    )
    clips = {}
    if find_spec("transformers"):
        for size in (CLIPSEG_SIZE, SIZE):
            clip, picture, text = ClipSeg(size), torch.randn(1, 3, size, size), torch.randint(1, 40_000, (1, WORDS + 2))
            clips[f"CLIPSeg at {size}"] = parameters(clip)
            sides[f"CLIPSeg at {size}"] = lambda clip=clip, picture=picture, text=text: clip(picture, text)
    times = by_turns(sides, rounds)
    with torch.inference_mode():
        difference = float((plain(tensor, rows, padding).logits - model(tensor, rows, padding).logits).abs().max())
    cost, peak = counted(model, image, ids), gemm_peak(shapes_of(config))
    flops = 2 * (cost["image"] + cost["expression"])
    plain_flops = 2 * gmac(lambda: plain(tensor, rows, padding))
    plain_name = "plain rendition of the released arithmetic"
    return {
        "gmac": sum(cost.values()),
        "plain_gmac": plain_flops / 2,
        "parameters": {"restr_base": parameters(model)} | clips,
        "largest_difference_from_plain": difference,
        "gemm_peak_gflops": peak,
        "of_gemm_peak": {
            "restr_base, torch fp32": flops / times.median("restr_base, torch fp32") / peak,
            plain_name: plain_flops / times.median(plain_name) / peak,
        },
        "times": times.milliseconds(),
        "plain_over": {side: times.ratio(plain_name, side) for side in sides if side != plain_name},
        "clipseg_over": {
            side: times.ratio(f"CLIPSeg at {SIZE}", side) for side in sides if clips and not side.startswith("CLIPSeg")
        },
    }


def curves(rounds: int) -> dict[str, Any]:
    """Milliseconds and GMAC of the bundled architecture against what makes it dearer, one thing at a time."""
    model = Segmenter.from_pretrained(device="cpu").model
    own = TorchBackend(model, device="cpu")
    found: dict[str, Any] = {}

    def line(name: str, unit: str, points: Sequence[int], calls: Sequence[Callable[[], object]]) -> None:
        times = by_turns({str(point): call for point, call in zip(points, calls, strict=True)}, rounds, warm_up=1)
        mixes = {module: module.mix for each in models for module in each.modules() if isinstance(module, Attention)}
        for module in mixes:
            module.mix = written_out
        counts = [gmac(call) for call in calls]
        for module, mix in mixes.items():
            module.mix = mix
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
        lambda n=n: model(torch.randn(n, 3, 240, 240), torch.from_numpy(ids[:n]), torch.from_numpy(ids[:n] == 0)) for n in batches
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


def leak() -> dict[str, Any]:
    """MiB of the process over many predictions: new pictures every time, many shapes, the cache of features in use."""
    segmenter = Segmenter.from_pretrained(device="cpu")
    segmenter = segmenter.with_preprocess(replace(segmenter.config.preprocess, size=160))
    rng = np.random.default_rng(0)
    seen = []
    for number in range(PREDICTIONS):
        shape = (int(rng.integers(60, 400)), int(rng.integers(60, 400)), 3)
        segmenter(rng.integers(0, 256, shape, dtype=np.uint8), f"the dog number {number}")
        if (number + 1) % 100 == 0:
            seen.append(round(resident() / 2**20, 1))
    half = len(seen) // 2
    return {"every": 100, "mib": seen, "growth_in_the_second_half_mib": round(seen[-1] - seen[half - 1], 1)}


# --- output ------------------------------------------------------------------------------------------------------------


def markdown(report: dict[str, Any]) -> str:
    """The report as people read it."""
    machine = report["machine"]
    lines = [
        f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}, {report['rounds']} rounds.",
        "",
    ]
    if found := report.get("small"):
        lines += [
            f"## restr_small, {SIZE} x {SIZE}, one expression",
            "",
            f"{found['gmac']['image']:.1f} GMAC an image, {found['gmac']['expression']:.2f} an expression "
            f"({found['share_of_multiplications']:.1%} of a first call). fp32 GEMM peak {found['gemm_peak_gflops']:.0f} GFLOP/s. "
            f"A whole call of Segmenter on an array: {found['whole_call_ms']:.0f} ms.",
            "",
            "| | first, ms | p95 | further, ms | of a first | ten, ms | over one | of GEMM peak | faster than torch fp32 |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {name} | {row['first_ms']:.0f} | {row['first_p95_ms']:.0f} | {row['further_ms']:.0f} | {row['further_share']:.1%} | "
            f"{row['ten_ms']:.0f} | {row['ten_over_one']:.2f} | {row['of_gemm_peak']:.0%} | {row['faster_than_torch_fp32']:.2f} |"
            for name, row in found["rows"].items()
        ]
    if found := report.get("base"):
        lines += [
            "",
            f"## restr_base, released setting, random weights, {SIZE} x {SIZE}",
            "",
            f"{found['gmac']:.1f} GMAC, the plain rendition {found['plain_gmac']:.1f}; logits differ by at most "
            f"{found['largest_difference_from_plain']:.1g}. fp32 GEMM peak {found['gemm_peak_gflops']:.0f} GFLOP/s: "
            + ", ".join(f"{name} {share:.0%} of it" for name, share in found["of_gemm_peak"].items())
            + ".",
            "",
            f"| | ms | p95 | plain rendition takes | CLIPSeg at {SIZE} takes |",
            "|---|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {side} | {ms['p50']:.0f} | {ms['p95']:.0f} | {times_as_long(found['plain_over'].get(side))} | "
            f"{times_as_long(found['clipseg_over'].get(side))} |"
            for side, ms in found["times"].items()
        ]
    for name, line in report.get("curves", {}).items():
        lines += ["", f"## Cost against {name}", "", f"| {line['unit']} | ms | GMAC |", "|---:|---:|---:|"]
        lines += [
            f"| {p} | {ms:.0f} | {g:.2f} |" for p, ms, g in zip(line["points"], line["ms"], line["gmac"], strict=True)
        ]
    if found := report.get("start"):
        lines += ["", "## Start", ""] + [f"- {name}: {seconds:.2f} s" for name, seconds in found.items()]
    if found := report.get("leak"):
        lines += [
            "",
            f"## Memory over {PREDICTIONS:,} predictions",
            "",
            f"MiB after every {found['every']}: {', '.join(f'{each:.0f}' for each in found['mib'])}; "
            f"{found['growth_in_the_second_half_mib']:+.1f} in the second half.",
        ]
    return "\n".join(lines) + "\n"


def times_as_long(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} x"


def draw(found: dict[str, Any], path: Path) -> None:
    """Each curve beside the one that its multiplications would give."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(found), figsize=(3.4 * len(found), 3.2), layout="constrained")
    for panel, (name, line) in zip(np.atleast_1d(panels), found.items(), strict=True):
        scale = line["ms"][0] / line["gmac"][0]
        panel.plot(line["points"], line["ms"], "o-", label="measured")
        panel.plot(line["points"], [scale * each for each in line["gmac"]], "--", color="0.6", label="as the GMAC grow")
        panel.set(title=name, xlabel=line["unit"], ylim=(0, None))
        panel.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(panels)[0].set_ylabel("ms")
    np.atleast_1d(panels)[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="small,base,curves,start,leak")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--photo", type=Path, default=None, help="a folder of photographs for int8 (default: drawn pictures)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/inference"))
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    photographs = [drawn((SIZE, SIZE), np.random.default_rng(number)) for number in range(24)]
    if chosen.photo:
        photographs = [read_image(path) for path in sorted(chosen.photo.iterdir()) if path.suffix.lower() in SUFFIXES]
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "small": lambda: small(chosen.rounds, chosen.out, photographs),
        "base": lambda: base(chosen.rounds, chosen.out),
        "curves": lambda: curves(max(3, chosen.rounds // 2)),
        "start": lambda: start(chosen.rounds),
        "leak": leak,
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
    write_whole(chosen.out / "inference.json", json.dumps(report, indent=2) + "\n")
    write_whole(chosen.out / "inference.md", markdown(report))
    print(markdown(report))


if __name__ == "__main__":
    main()
