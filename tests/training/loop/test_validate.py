"""Evaluation while training gives the numbers of ``restr eval``, at the pictures' own sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from restr.config import PreprocessConfig, PresenceConfig
from restr.data.sample import Sample, SampleList
from restr.evaluation.evaluate import evaluate
from restr.inference.segmenter import Segmenter
from restr.model.build import build_model
from restr.text.tokenizer import Tokenizer
from restr.training.loop.validate import validate
from small_runs import WORDS, small_config


def pictures() -> SampleList:
    """Three pictures of different sizes, two sentences each."""
    random, samples = np.random.default_rng(0), SampleList()
    for number, (height, width) in enumerate(((40, 60), (50, 30), (90, 90))):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for text in ("the red circle", "the left square"):
            mask = np.zeros((height, width), bool)
            mask[: height // 2, int(random.integers(0, 9)) : width // 2] = True
            name = f"{number} {text}"
            samples.append(Sample(id=name, image=image, text=text, mask=mask, image_id=str(number)))
    return samples


@pytest.mark.parametrize("presence", [PresenceConfig(), PresenceConfig(kind="region", threshold=0.5)])
def test_pictures_of_any_size_are_measured_at_their_own_as_evaluation_does(presence: PresenceConfig) -> None:
    letterbox = PreprocessConfig(size=32, fit="letterbox", threshold=0.49)
    config = dataclasses.replace(small_config(), preprocess=letterbox, presence=presence)
    model = build_model(config, seed=0).eval()
    found = validate(model, pictures(), Tokenizer.of(WORDS, config), batch=4)
    known = evaluate(Segmenter(model, WORDS, device="cpu"), pictures(), control=False).overall
    assert known["oiou"] > 0.02, "masks must not be empty, or the test shows nothing"
    assert [found[name] for name in ("oiou", "miou")] == pytest.approx(
        [known[name] for name in ("oiou", "miou")], abs=0.01
    )
