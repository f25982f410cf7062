"""Train ``restr_small`` end to end on one GPU or on a CPU, within a given number of seconds or steps.

    python recipes/restr_small/train.py --data runs/packed --out runs/run --seconds 610 --compile

DATA is the output of ``pack.py``. It is decoded once and stays on the device, where views of photographs and masks are made too,
so no worker processes are needed. With ``--seconds`` the learning rate follows the clock: the run ends when its time does,
on any machine. A checkpoint is written every few minutes, and after Ctrl-C or SIGTERM; the same command resumes from it.
OUT gets ``model-*.safetensors`` (averaged weights, for ``join.py``), ``log.jsonl`` and ``report.json``.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from compiled import compile_blocks, enlarge_by_products_everywhere, same_drop_path
from draw import BORROWED_SHARE, Draw, Drawn, prefetched
from journal import Clock, Log
from learner import Learner
from measure import bench, validate
from network import Network, Rates, config_of, load_start, write_model
from objective import SCALES
from packed import Data, read_data
from views import collate

from restr.errors import ConfigError, DivergedError
from restr.files import write_atomically
from restr.model.device import keep_freed_memory
from restr.text.vocabulary import Vocabulary
from restr.training.loop.signals import caught_signals
from restr.training.loop.state import exit_code

MARKS = (1 / 3, 2 / 3)  # shares of the run after which it is validated on a few photographs
MARK_PHOTOS = 40
GRIDS = {"small": (23, 30), "tiny": (6, 8)}  # patches of a lying view
WARM_UP = 0.04  # share of the run
MOST_SKIPPED = 50  # steps in a row without a finite gradient
# what a resumed run must have in common with the one that it continues
SETTINGS = (
    "flavour",
    "photos",
    "each",
    "lr",
    "vision_lr",
    "language_lr",
    "layer_decay",
    "weight_decay",
    "fine_from",
    "borrowed",
    "no_box",
    "presence",
    "seed",
)


def arguments(argv: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="of pack.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--seconds", type=float, default=610.0, help="of training, without loading, compiling, validating"
    )
    parser.add_argument("--steps", type=int, default=0, help="so many steps instead")
    parser.add_argument("--photos", type=int, default=64, help="photographs a step")
    parser.add_argument("--each", type=int, default=8, help="sentences a photograph")
    parser.add_argument("--lr", type=float, default=5e-4, help="of what begins untrained")
    parser.add_argument(
        "--vision-lr", type=float, default=1.2e-4, help="of the vision encoder's last block; 0 freezes it"
    )
    parser.add_argument("--language-lr", type=float, default=5e-5, help="of the pre-trained language blocks")
    parser.add_argument(
        "--layer-decay", type=float, default=0.85, help="factor from a vision block to the one before it"
    )
    parser.add_argument(
        "--borrowed", type=float, default=BORROWED_SHARE, help="share of sentences of other photographs"
    )
    parser.add_argument("--no-box", action="store_true", help="leave out the box terms, for a start that is trained")
    parser.add_argument("--presence", type=float, default=SCALES["presence"], help="weight of the presence term")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 on a CPU as well (on a GPU always)")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument(
        "--fine-from", type=float, default=0.75, help="share of the run from which masks are twice as fine"
    )
    parser.add_argument("--flavour", choices=("small", "tiny"), default="small", help="tiny: for tests")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="for torch; 0 leaves the choice to it")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--checkpoint", type=Path, help="its file (default: OUT/checkpoint.pt; 0.6 GB)")
    parser.add_argument("--checkpoint-minutes", type=float, default=5.0)
    parser.add_argument("--log-every", type=int, default=50, help="steps")
    parser.add_argument("--val-photos", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bench", action="store_true", help="time inference and a matrix product at the end (GPU)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train or resume; returns 0 when finished, 128 + n when stopped by signal n. Raises ``RestrError``."""
    args, begin = arguments(argv), time.monotonic()
    if args.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda, but torch finds no GPU; use --device cpu")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    data = read_data(args.data, args.device, min(16, os.cpu_count() or 1))
    print(f"data after {time.monotonic() - begin:.1f} s: {int(data.there.sum())} photographs, {len(data.masks)} masks")
    if args.device == "cpu":
        keep_freed_memory()  # not before: what decoding frees is in pieces, and would be kept twice over
    learner = begun(args)
    print(f"{sum(v.numel() for v in learner.learnt):,} parameters learn; {time.monotonic() - begin:.1f} s")
    return Run(args, data, learner).fit()


def begun(args: Namespace) -> Learner:
    """An untrained learner with the pre-trained parts of ``pack.py``."""
    vocab = len(Vocabulary.from_file(args.data / "vocab.txt"))
    config = config_of(args.flavour, vocab)
    torch.manual_seed(args.seed)
    network = Network(config)
    load_start(network.model, args.data / "start.safetensors")
    network.to(args.device).train()
    enlarge_by_products_everywhere(network.model)
    same_drop_path(network.model, config.vision.blocks.drop_path if args.vision_lr else 0.0)
    if args.compile:
        compile_blocks(network.model)
    rates = Rates(args.lr, args.vision_lr, args.language_lr, args.layer_decay, args.weight_decay)
    settings = {name: getattr(args, name) for name in SETTINGS} | {"vocab": vocab}
    dropped = ("box", "giou") if args.no_box else ()
    scales = {name: scale for name, scale in SCALES.items() if name not in dropped} | {"presence": args.presence}
    bf16 = args.bf16 or args.device == "cuda"
    return Learner(network, rates, torch.device(args.device), settings, bf16=bf16, scales=scales)


class Run:
    """A learner's training within its time; resumes from the checkpoint if it exists."""

    def __init__(self, args: Namespace, data: Data, learner: Learner) -> None:
        self.args, self.data, self.learner = args, data, learner
        self.model = learner.network.model
        self.checkpoint: Path = args.checkpoint or args.out / "checkpoint.pt"
        seconds = learner.load(self.checkpoint) if self.checkpoint.exists() else 0.0
        if learner.step:
            print(f"resumes after step {learner.step}, {seconds:.0f} s ({self.checkpoint})")
        self.log = Log(args.out / "log.jsonl", args.log_every, learner.step)
        torch.manual_seed(args.seed + learner.step)
        patch, grid = self.model.config.vision.patch, GRIDS[args.flavour]
        shape = grid[0] * patch, grid[1] * patch
        self.draw = Draw(data, args.photos, args.each, (args.seed, learner.step), shape, args.borrowed)
        self.clock = Clock(seconds)
        self.marks = [mark for mark in MARKS if mark >= self.done()]

    def done(self) -> float:
        """The share of the run that is over."""
        args = self.args
        return self.learner.step / args.steps if args.steps else self.clock.seconds() / args.seconds

    def fit(self) -> int:
        """Train to the end, or until a signal; a checkpoint is written in both cases."""
        learner, clock, before = self.learner, self.clock, self.clock.seconds()
        first, saved = True, time.monotonic()
        with caught_signals() as caught, contextlib.closing(prefetched(self.draw)) as draws:
            while (done := self.done()) < 1 and not caught:
                self.advance(next(draws), done)
                if first:  # it compiles, which does not count as training
                    if self.args.device == "cuda":
                        torch.cuda.synchronize()
                        clock.restart(before)
                    first = False
                if self.marks and done > self.marks[0]:
                    self.marks.pop(0)
                    with clock.paused():
                        self.look()
                if time.monotonic() - saved >= 60 * self.args.checkpoint_minutes:
                    with clock.paused():
                        learner.save(self.checkpoint, clock.seconds())
                    saved = time.monotonic()
            seconds = clock.seconds()
            learner.save(self.checkpoint, seconds)
        if caught:
            print(f"stopped by {caught[-1]} after step {learner.step}; the same command resumes from {self.checkpoint}")
            return exit_code(caught[-1])
        self.finish(seconds)
        return 0

    def advance(self, drawn: Drawn, done: float) -> None:
        """One step. Raises ``DivergedError`` if too many in a row had no finite gradient."""
        learner, decoder = self.learner, self.model.decoder
        decoder.coarse = 2 if done < self.args.fine_from else 1
        batch = collate(drawn, self.data, 1 << decoder.coarse, self.model.config.preprocess, train=True)
        found, norm = learner.update(batch, self.args.each, self.factor(done))
        if not self.log.due(learner.step):
            return
        line: dict[str, Any] = {name: round(value.item(), 4) for name, value in found.items()}
        line |= {"step": learner.step, "seconds": round(self.clock.seconds(), 1), "done": round(done, 3)}
        line |= {"norm": round(float(norm), 3), "skipped": int(learner.skipped)}
        line |= {"used": round(float(batch.weight.mean()), 3), "present": round(float(batch.present.mean()), 3)}
        if self.args.device == "cuda":
            line["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        self.log.write(line)
        if learner.skipped_in_a_row >= MOST_SKIPPED:
            raise DivergedError(
                f"{int(learner.skipped_in_a_row)} steps in a row had no finite gradient, up to step {learner.step}; "
                "use a lower --lr, from the last checkpoint or from the beginning"
            )

    def look(self) -> None:
        """Measure and write the averaged model as it is so far."""
        with self.finished():
            scores = validate(self.model, self.data, MARK_PHOTOS)
            print(f"step {self.learner.step}", json.dumps(scores), flush=True)
            write_model(self.model, self.args.out)

    def factor(self, done: float) -> float:
        """The factor of the learning rates: a linear warm-up, then half a cosine."""
        steps = self.args.steps
        warm = (self.learner.step + 1) / (WARM_UP * steps + 1) if steps else done / WARM_UP
        return max(min(1.0, warm), 1e-3) * 0.5 * (1 + math.cos(math.pi * done))

    @contextlib.contextmanager
    def finished(self) -> Iterator[None]:
        """Inside the block, the model is the averaged one, uncompiled: photographs have many shapes."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.learner.averaged())
            if self.args.compile:
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            yield

    def finish(self, seconds: float) -> None:
        """Write the model, measure it, and report."""
        args, step = self.args, self.learner.step
        report: dict[str, Any] = {"steps": step, "seconds": seconds, "sentences": step * args.photos * args.each}
        report["skipped"] = int(self.learner.skipped)
        report["sentences_a_second"] = report["sentences"] / seconds
        report["images_a_second"] = step * args.photos / seconds
        report["arguments"] = {name: str(value) for name, value in vars(args).items()}
        report["device"] = torch.cuda.get_device_name() if args.device == "cuda" else "cpu"
        with self.finished():
            write_model(self.model, args.out)
            report["val"] = validate(self.model, self.data, args.val_photos)
            write_atomically(args.out / "report.json", json.dumps(report, indent=1))
            if args.bench and args.device == "cuda":
                report["bench"] = bench(self.model)
                write_atomically(args.out / "report.json", json.dumps(report, indent=1))
        print(json.dumps(report))
        if report["skipped"]:
            print(f"{report['skipped']} of {step} steps had no finite gradient and were left out")


if __name__ == "__main__":
    sys.exit(main())
