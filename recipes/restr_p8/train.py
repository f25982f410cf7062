"""Train a model for a short time on crops and whole pictures: a P = 8 start, or the P = 16 model beside it as a control.

    python recipes/restr_p8/train.py --model runs/p8/start --data photos:DATA/photos --out runs/p8/run

Every batch is one picture with up to four of its sentences, so the picture is encoded once. The same command resumes; OUT
gets the log, checkpoints and ``model/``. With the same ``--seed``, ``--steps`` and data, models of every patch size see the
same pixels and sentences.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from crops import Views

from restr.evaluation.samples import open_samples
from restr.inference.locate import model_folder
from restr.losses import segmentation_loss
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, load_state, save_pretrained
from restr.text.tokenizer import Tokenizer
from restr.training.config import TrainConfig
from restr.training.loop.state import exit_code
from restr.training.loop.task import Task
from restr.training.loop.trainer import Trainer


def arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="model folder to start from; default: the bundled restr_small")
    parser.add_argument("--data", required=True, help="what to train on, as for restr eval")
    parser.add_argument("--split", default="train", help="of photos: and everyday:")
    parser.add_argument("--sentences", type=int, default=8000, help="generated sentences to choose from (photos:)")
    parser.add_argument("--steps", type=int, default=240, help="steps")
    parser.add_argument("--pictures", type=int, default=4, help="pictures in a step")
    parser.add_argument("--lr", type=float, default=1e-5, help="highest learning rate")
    parser.add_argument("--vision-scale", type=float, default=1.0, help="of the learning rate, for the vision encoder")
    parser.add_argument("--sizes", default="256,320,480", help="sides of crops, small and large whole pictures")
    parser.add_argument("--autocast", choices=("off", "bf16"), default="bf16", help="precision of the passes")
    parser.add_argument("--minutes", type=float, default=0, help="stop this call after so long; 0: no limit")
    parser.add_argument("--seed", type=int, default=0, help="of the order, the crops and the sentences")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    return parser.parse_args(argv)


def trainable(model: ReSTR) -> ReSTR:
    """The same model with a vision encoder that learns, without stochastic depth, and with frozen words and presence."""
    vision = model.config.vision
    learning = dataclasses.replace(vision, frozen=False, blocks=dataclasses.replace(vision.blocks, drop_path=0.0))
    again = build_model(dataclasses.replace(model.config, vision=learning), seed=0)
    load_state(again, model.state_dict())
    again.language.requires_grad_(False)
    again.decoder.coarse = 1  # masks of half the side: four times fewer pixels
    return again


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and write ``model/`` when all steps are done."""
    options = arguments(argv)
    start, words = load_pretrained(model_folder(options.model))
    model = trainable(start)
    samples = open_samples(options.data, split=options.split, n=options.sentences, seed=1)
    sizes = tuple(int(size) for size in options.sizes.split(","))
    batches = Views(samples, Tokenizer.of(words, model.config), model.config.framing, sizes=sizes, seed=options.seed)
    task = Task(
        model=model,
        words=words,
        batches=batches,
        loss=functools.partial(segmentation_loss, dice_weight=1.0, patch_weight=0.5, patch_share=None),
    )
    config = TrainConfig(
        steps=options.steps,
        lr=options.lr,
        vision_lr_scale=options.vision_scale,
        weight_decay=0.05,
        warmup=0.1,
        schedule="cosine",
        ema=0.98,
        accumulate=options.pictures,
        autocast=options.autocast,
        seed=options.seed,
        log_every=5,
        save_every=5,
        keep=1,
        max_minutes=options.minutes,
    )
    trainer = Trainer(task, config, options.out, resume=True)
    result = trainer.fit()
    averaged = trainer.load_averaged()
    averaged.decoder.coarse = 0
    save_pretrained(_as_before(averaged, start), words, options.out / "model")
    print(f"step {result.step} of {options.steps}; {options.out / 'model'}")
    return exit_code(result.stopped)


def _as_before(model: ReSTR, start: ReSTR) -> ReSTR:
    """The model's weights with the config that it started with."""
    same = build_model(start.config, seed=0)
    load_state(same, model.state_dict())
    return same.eval()


if __name__ == "__main__":
    sys.exit(main())
