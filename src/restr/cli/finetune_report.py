"""The measurements and the report of ``restr finetune``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from restr.cli.progress import progress_bar
from restr.data.dataset import IndexedSamples
from restr.errors import DataError
from restr.evaluation.comparison import compare_records
from restr.evaluation.evaluate import EvaluationResult, measure_image, summarise
from restr.evaluation.protocol import protocol
from restr.evaluation.reports.report import evaluation_table, write_evaluation
from restr.files import write_atomically
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.result import Result
from restr.inference.segmenter import EncodedImage, Segmenter
from restr.model.vision import PatchFeatures
from restr.text.vocabulary import Vocabulary
from restr.training.cached.features import FeatureStore
from restr.training.finetune import OwnPicture
from restr.training.run.curves import plot_curves

_LISTED = 8  # new words that are printed


class EncodedPictures:
    """A segmenter for one picture whose patches are in the feature store; only the sentences go through the model."""

    def __init__(self, segmenter: Segmenter, picture: OwnPicture, store: FeatureStore) -> None:
        name = picture.photograph.name
        patches = torch.from_numpy(store[name].copy())[None].float().to(segmenter.device)
        features = PatchFeatures(patches, store.entries[name].grid)
        self.segmenter, self.name = segmenter, name
        self.framing = segmenter.framing
        self.features = cast("TorchBackend", segmenter.backend).project(features)

    def __call__(
        self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
    ) -> list[Result]:
        """One result per sentence. image: an array of the picture's size; its pixels are ignored."""
        encoded = EncodedImage(pixels=image, features=self.features, name=self.name)
        return self.segmenter.predict_encoded(encoded, text, threshold=threshold, presence=presence)


def print_new_words(known: Vocabulary, vocabulary: Vocabulary) -> None:
    """Print the words that get new vectors, and the known words as which the model read them so far."""
    new = vocabulary.words[len(known.words) :]
    if not new:
        return
    read_as = {word: " ".join(known.parts(word)) for word in new[:_LISTED]}
    listed = [f"{word} (read as {other} so far)" if other else word for word, other in read_as.items()]
    listed += ["..."] if len(new) > _LISTED else []
    print(f"{len(new)} words are new to the model and get vectors of their own: {', '.join(listed)}")


def measure_pictures(segmenter: Segmenter, pictures: Sequence[OwnPicture], store: FeatureStore) -> EvaluationResult:
    """Measure the model under its own protocol, at the pictures' own sizes, on the patches in the feature store."""
    own = protocol("own")
    records = []
    with progress_bar() as bar:
        task = bar.add_task("measuring", total=len(pictures))
        for picture in pictures:
            encoded = EncodedPictures(segmenter, picture, store)
            records += measure_image(encoded, picture.samples(), own, seed=0)
            bar.advance(task)
    return summarise(records, own.describe(segmenter.framing, segmenter.config.presence), own)


def write_finetune_report(
    data: str,
    samples: IndexedSamples,
    numbers: Sequence[int],
    before: EvaluationResult,
    after: EvaluationResult,
    out: Path,
    command: str,
) -> None:
    """Write and print the results on the held-out pictures, after fine-tuning and against before."""
    title = f"{data}, held-out pictures, after fine-tuning"
    held_out = (samples[number] for number in numbers)
    write_evaluation(after, out / "report", title=title, samples=held_out, command=command)
    gain = compare_records(*({record.id: record for record in result.records} for result in (before, after)))
    write_atomically(out / "gain.json", json.dumps(dataclasses.asdict(gain), indent=2) + "\n")
    try:
        plot_curves(out / "log.jsonl", out / "curves.png")
    except DataError as error:  # matplotlib comes with an extra
        print(f"no curves: {error}")
    print(evaluation_table(after, title=title, command=command))
    low, high = (100 * bound for bound in gain.oiou_interval)
    print(
        f"oIoU on the {len({r.image_id for r in after.records})} held-out pictures: {100 * before.overall['oiou']:.1f} before, "
        f"{100 * after.overall['oiou']:.1f} after ({100 * gain.oiou:+.1f}; 95%: {low:+.1f} to {high:+.1f}, paired)"
    )
    print(f"the model: {out / 'model'}, the report: {out / 'report' / 'report.html'}")
