"""The cost of attention as the number of patches grows: full attention written out, PyTorch's kernels, and windowed.

    python benchmarks/attention.py                       # restr_base: P = 32, 16, 8 at 480 and P = 16 at 960
    python benchmarks/attention.py --preset restr_small --json attention.json

One untrained model, one square image, one sentence of 20 words, float32, two threads, a process for each line so that its
memory is its own. Time is the median of the rounds after one to warm up. Memory is the process' high-water mark less
what it held before the first pass. GMAC are counted, not timed. The last lines compare P = 8 with P = 16.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from restr.ablation.cost import example_inputs, gmac_of
from restr.config import ModelConfig
from restr.export.rewriting import matmul_attention
from restr.files import write_atomically
from restr.inference.backends.torch_backend import KEPT
from restr.model.build import build_model
from restr.model.device import keep_freed_memory
from restr.nn.attention import Attention
from restr.presets import preset

SIZES = ((32, 480), (16, 480), (8, 480), (16, 960))  # patch, input
KINDS = ("written out", "kernel", "windowed")


def config_of(name: str, patch: int, size: int, kind: str) -> ModelConfig:
    """The preset at another patch and input size, with windows in the vision and visual-linguistic encoders or not."""
    config = preset(name)
    attention = "windowed" if kind == "windowed" else "full"
    seeing = replace(config.fusion.visual_linguistic, attention=attention)
    return replace(
        config,
        vision=replace(
            config.vision, patch=patch, grid=size // patch, blocks=replace(config.vision.blocks, attention=attention)
        ),
        fusion=replace(config.fusion, visual_linguistic=seeing),
        preprocess=replace(config.preprocess, size=size),
    )


def measure(name: str, patch: int, size: int, kind: str, rounds: int) -> dict[str, Any]:
    """One line, in this process, whose memory is managed as ``Segmenter`` does it on a CPU."""
    keep_freed_memory(KEPT)
    config = config_of(name, patch, size, kind)
    model = build_model(config, seed=0).eval()
    if kind == "written out":
        for module in model.modules():
            if isinstance(module, Attention):
                module.sdpa = matmul_attention
    inputs = example_inputs(config)
    before, taken = high_water(), []
    with torch.inference_mode():
        for _ in range(1 + rounds):
            start = time.perf_counter()
            model(*inputs)
            taken.append(time.perf_counter() - start)
    return {
        "patch": patch,
        "size": size,
        "patches": (size // patch) ** 2,
        "kind": kind,
        "gmac": gmac_of(config),
        "seconds": statistics.median(taken[1:]),
        "mib": high_water() - before,
    }


def high_water() -> float:
    """The most memory that this process has held so far, MiB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def markdown(lines: list[dict[str, Any]], name: str) -> str:
    """A row a size, a group of columns a kind; then the ratios."""
    sizes = list(dict.fromkeys((line["patch"], line["size"]) for line in lines))
    found = {(line["patch"], line["size"], line["kind"]): line for line in lines}
    text = [f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}", ""]
    text.append("| P, input | patches | " + " | ".join(f"{kind}: GMAC | s | MiB" for kind in KINDS) + " |")
    text.append("|---|---:|" + "---:|" * (3 * len(KINDS)))
    for patch, size in sizes:
        cells = [found[patch, size, kind] for kind in KINDS]
        row = " | ".join(f"{c['gmac']:.1f} | {c['seconds']:.2f} | {c['mib']:.0f}" for c in cells)
        text.append(f"| {patch}, {size} | {cells[0]['patches']} | {row} |")
    text.append("")
    for kind in KINDS:
        fine, coarse = found.get((8, 480, kind)), found.get((16, 480, kind))
        if fine and coarse:
            ratios = ", ".join(f"{what} {fine[what] / coarse[what]:.2f}" for what in ("gmac", "seconds", "mib"))
            text.append(f"{kind}: P = 8 over P = 16 at 480: {ratios}")
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="restr_base")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="also write the lines there")
    parser.add_argument("--one", nargs=3, metavar=("PATCH", "SIZE", "KIND"), help="measure one line and print it")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.one:
        patch, size, kind = chosen.one
        print(json.dumps(measure(chosen.preset, int(patch), int(size), kind, chosen.rounds)))
        return
    lines = []
    for patch, size in SIZES:
        for kind in KINDS:
            command = [sys.executable, __file__, "--preset", chosen.preset, "--rounds", str(chosen.rounds)]
            command += ["--threads", str(chosen.threads), "--one", str(patch), str(size), kind]
            lines.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(f"P = {patch} at {size}, {kind}: {lines[-1]['seconds']:.2f} s", file=sys.stderr)
    print(markdown(lines, chosen.preset))
    if chosen.json:
        write_atomically(chosen.json, json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
