"""Train ``restr_small`` on cached patch features: fusion, language encoder and decoder; the ViT stays as it is.

    python recipes/restr_small/train.py --sentences runs/sentences.jsonl --features runs/features --out runs/small

Resumes by itself. The model folder to ship is written at the end, or from the last checkpoint at any time: the same
command with ``--export DIR``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import tyro

from restr.data.features import FeatureStore, fingerprint_of
from restr.data.loader import CachedBatches, read_photographs
from restr.errors import CheckpointError, DataError, WeightsError
from restr.losses import segmentation_loss
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.model.weights import dequantise, load_pretrained, load_state, read_tensors, save_pretrained
from restr.nn.attention import Attention, written_out
from restr.presets import restr_small
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training import checkpoint
from restr.training.config import TrainConfig
from restr.training.curves import plot_curves
from restr.training.trainer import Trainer
from restr.training.validate import measure_cached

FROM_PARTS = ("vision.", "language.vectors.")  # weights that a run never changes


@dataclass(frozen=True)
class Recipe:
    sentences: tuple[Path, ...]  # of make_sentences.py
    features: Path = Path("runs/features")
    parts: Path = Path("runs/parts")
    out: Path = Path("runs/small")
    val_sentences: Path | None = None
    batch: int = 16
    per_image: int = 2
    word_dropout: float = 0.03
    dice: float = 1.0
    patch_weight: float = 1.0  # 0.1 in the paper; the shortest way from the words to the patches, and time is short
    patch_share: float | None = None  # soft patch labels: few small objects fill 0.8 of any patch
    every: int = 1  # 2: a quarter of the patches, 4 times the sentences an hour
    plain: bool = False  # attention written out; on a CPU faster with a quarter of the patches, slower with all
    coarse: int = 2  # decoder blocks that keep the resolution (1/4 of the pixels' side); finish with 0
    start: Path | None = None  # a model folder to start from; what it lacks (taps, blocks) is added without effect
    export: Path | None = None  # only write the averaged weights of the last checkpoint into this folder
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=2000,
            lr=3e-4,
            betas=(0.9, 0.98),
            weight_decay=0.02,
            clip=0.5,
            accumulate=2,
            autocast="bf16",
            ema=0.995,
            best="oiou",
        )
    )


def main(recipe: Recipe) -> None:
    vocabulary = Vocabulary.from_file(recipe.parts / "vocab.txt")
    model = initial_model(recipe.parts, vocabulary)
    if recipe.start:
        smaller, words = load_pretrained(recipe.start)
        if words.words != vocabulary.words:
            raise DataError(
                f"{recipe.start} has another vocabulary than {recipe.parts}; start from a model of these parts"
            )
        grow_from(model, smaller)
    if recipe.plain:
        for module in model.modules():
            if isinstance(module, Attention):
                module.mix = written_out
    model.decoder.coarse = recipe.coarse
    stride = model.config.vision.patch >> recipe.coarse
    tokenizer = Tokenizer.of(vocabulary, model.config)
    store = open_features(recipe.features, recipe.parts)
    photographs = [p for path in recipe.sentences for p in read_photographs(path)]
    batches = CachedBatches(
        photographs,
        store,
        tokenizer,
        batch=recipe.batch,
        per_image=recipe.per_image,
        stride=stride,
        seed=recipe.train.seed,
        word_dropout=recipe.word_dropout,
        every=recipe.every,
    )
    validation = None
    if recipe.val_sentences:
        held_out = read_photographs(recipe.val_sentences)
        validation = CachedBatches(held_out, store, tokenizer, batch=8, per_image=2, stride=stride, seed=1)
    resume = bool(checkpoint.saved(recipe.out))
    if recipe.export and not resume:
        raise CheckpointError(f"{recipe.out} has no checkpoint to export; train first, or name the run with --out")
    trainer = Trainer(
        model,
        batches,
        recipe.train,
        recipe.out,
        resume=resume,
        loss=partial(
            segmentation_loss, dice_weight=recipe.dice, patch_weight=recipe.patch_weight, patch_share=recipe.patch_share
        ),
        evaluate=partial(measure_cached, batches=validation) if validation else None,
    )
    if recipe.export is None:
        print(f"{len(photographs)} photographs, {batches.per_epoch} steps an epoch")
        print(trainer.fit())
    save_pretrained(trainer.load_averaged(), vocabulary, recipe.export or recipe.out / "model", int8=True)
    if recipe.export is None:
        plot_curves(recipe.out / "log.jsonl", recipe.out / "curves.png")


def initial_model(parts: Path, vocabulary: Vocabulary) -> ReSTR:
    """``restr_small`` with the pre-trained ViT and word vectors of ``fetch.py`` and an untrained rest."""
    model = build_model(restr_small(vocab=len(vocabulary)), seed=0)
    load_state(model.vision, dequantise(read_tensors(parts / "vision.safetensors")))
    with torch.no_grad():
        model.language.vectors.weight.copy_(read_tensors(parts / "vectors.safetensors")["vectors"])
    return model


@torch.no_grad()
def grow_from(model: ReSTR, smaller: ReSTR) -> None:
    """Give ``model`` the trained weights of one with fewer taps or visual-linguistic blocks, so that it begins as that.

    Added blocks begin as the identity (their last layers are zero), added inputs of ``proj_vision`` unheard. The
    vision encoder and the word vectors stay those of the parts. Raises ``WeightsError`` for any other difference.
    """
    known = {name: value for name, value in smaller.state_dict().items() if not name.startswith(FROM_PARTS)}
    state = {name: value for name, value in model.state_dict().items() if not name.startswith(FROM_PARTS)}
    left = known.keys() - state.keys()
    if left:
        raise WeightsError(f"the model to start from has {sorted(left)[0]}, which this one lacks; it can only grow")
    for name, value in state.items():
        if name == "fusion.proj_vision.weight" and known[name].shape[1] < value.shape[1]:
            value.zero_()
            value[:, : known[name].shape[1]] = known[name]
        elif name in known:
            if known[name].shape != value.shape:
                raise WeightsError(
                    f"{name} is {tuple(known[name].shape)} in the model to start from, not {tuple(value.shape)}"
                )
            value.copy_(known[name])
        elif not name.startswith("fusion.visual_linguistic.blocks."):
            raise WeightsError(
                f"the model to start from lacks {name}; it can grow by taps and visual-linguistic blocks only"
            )
        elif name.endswith(("attn.proj.weight", "attn.proj.bias", "mlp.fc2.weight", "mlp.fc2.bias")):
            value.zero_()


def open_features(folder: Path, parts: Path) -> FeatureStore:
    """The cached features. Raises ``DataError`` where they are not those of the parts' vision encoder."""
    store, config = FeatureStore(folder), restr_small()
    state = dequantise(read_tensors(parts / "vision.safetensors"))
    if store.fingerprint != fingerprint_of(state, (config.preprocess, config.vision.taps)):
        raise DataError(f"{folder} was not made with {parts} and today's preprocessing; build it again with cache.py")
    return store


if __name__ == "__main__":
    main(tyro.cli(Recipe))
