"""Fit a trained model to smaller patches, with windowed attention: the start of ``train.py``, and usable as it is.

    python recipes/restr_p8/start.py --data photos:DATA/photos --out runs/p8/start

Patch embedding and positions are resampled (``restr.model.resampling``); the decoder needs a block less, and its head is
fitted to the block that goes, on a few pictures of the training split. OUT is a model folder, which every verb reads.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from restr.data.sample import SampleSource
from restr.evaluation.samples import open_samples
from restr.inference.locate import model_folder
from restr.model.resampling import config_with_patch, fit_head, resample_patches
from restr.model.weights import load_pretrained, save_pretrained
from restr.preprocess import Framing
from restr.text.tokenizer import Tokenizer


def arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of the trained model; default: the bundled restr_small")
    parser.add_argument("--patch", type=int, default=8, help="the new patch, in pixels")
    parser.add_argument("--vision", choices=("full", "windowed"), default="windowed", help="attention there")
    parser.add_argument("--fusion", choices=("full", "windowed"), default="windowed", help="attention there")
    parser.add_argument("--rule", choices=("enlarged", "flexivit"), default="enlarged", help="of the patch embedding")
    parser.add_argument("--data", help="what to fit the decoder's head on, as for restr eval; default: do not fit it")
    parser.add_argument("--split", default="train", help="of photos: and everyday:")
    parser.add_argument("--fit", type=int, default=8, help="pictures for the fit")
    parser.add_argument("--out", type=Path, required=True, help="the new model folder")
    return parser.parse_args(argv)


def pictures(
    samples: SampleSource, framing: Framing, tokenizer: Tokenizer, most: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Up to ``most`` pictures from all over the samples, each with up to three of its sentences: image and ids."""
    groups = samples.image_groups()
    for group in groups[:: max(1, len(groups) // most)][:most]:
        some = [samples[number] for number in group[:3]]
        image = torch.from_numpy(framing.prepare(some[0].image))[None]
        yield image, torch.from_numpy(tokenizer([sample.text for sample in some]))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the model folder."""
    options = arguments(argv)
    model, words = load_pretrained(model_folder(options.model))
    config = config_with_patch(model.config, options.patch, vision=options.vision, fusion=options.fusion)
    resampled = resample_patches(model, config, rule=options.rule)
    if options.data:
        samples = open_samples(options.data, split=options.split, n=4 * options.fit)
        some = pictures(samples, config.framing, Tokenizer.of(words, config), options.fit)
        print(f"head fitted: {100 * fit_head(model, resampled, some):.1f}% of the weighted variance")
    save_pretrained(resampled, words, options.out)
    print(f"{sum(p.numel() for p in resampled.parameters()):,} weights in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
