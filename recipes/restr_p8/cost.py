"""The cost of models: multiplications, time of one thread, and the growth of the process's memory.

    python recipes/restr_p8/cost.py --model runs/p8/start

Without ``--model``: the bundled model. One square input of the model's size and one sentence of full length, float32. Run it
once for each model, so that one's memory does not count for the other.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import torch

from restr.ablation.cost import example_inputs, gmac_of
from restr.inference.locate import model_folder
from restr.model.device import keep_freed_memory
from restr.model.weights import load_pretrained


def memory(name: str) -> float:
    """A number of Linux's about this process, in MiB: VmRSS is the memory in use, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def main(argv: Sequence[str] | None = None) -> int:
    """Print one line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model folder; default: the bundled restr_small")
    parser.add_argument("--rounds", type=int, default=5, help="passes after the first one; the quickest counts")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    model, _ = load_pretrained(model_folder(options.model))
    keep_freed_memory()
    inputs = example_inputs(model.config)
    taken = []
    with torch.inference_mode():
        model.segment(model.encode_image(inputs[0][..., :64, :64]), inputs[1])  # the first pass loads code
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of loading
        before = memory("VmRSS")
        for _ in range(1 + options.rounds):
            start = time.process_time()  # of the processor: other programs on the machine do not count
            model(*inputs)
            taken.append(time.process_time() - start)
    grown = memory("VmHWM") - before
    weights = sum(value.numel() for value in model.parameters())
    print(f"{weights:,} weights, {gmac_of(model.config):.1f} GMAC, {min(taken):.2f} s of one thread, {grown:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
