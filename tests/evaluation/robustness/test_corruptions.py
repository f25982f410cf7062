"""What becomes of an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severity_is_farther_from_the_photograph(name: str) -> None:
    photograph = np.asarray(Image.open(Path(__file__).parents[3] / "examples" / "coffee.jpg").convert("RGB"))
    errors = []
    for severity in SEVERITIES:
        worse = CORRUPTIONS[name](photograph, severity, np.random.default_rng(0))
        assert worse.shape == photograph.shape and worse.dtype == np.uint8
        errors.append(np.abs(worse.astype(int) - photograph).mean())
    assert 0 < errors[0] < errors[1] < errors[2]


def test_blur_is_the_same_at_every_size() -> None:
    photograph = Image.open(Path(__file__).parents[3] / "examples" / "coffee.jpg").convert("RGB")
    small = np.asarray(photograph.resize((200, 150)))
    large = np.asarray(photograph.resize((200, 150)).resize((800, 600), Image.Resampling.BICUBIC))
    worse = Image.fromarray(CORRUPTIONS["blur"](large, 3, np.random.default_rng(0))).resize((200, 150))
    difference = np.abs(np.asarray(worse).astype(int) - CORRUPTIONS["blur"](small, 3, np.random.default_rng(0)))
    assert difference.mean() < 0.3 * np.abs(np.asarray(worse).astype(int) - small).mean()
