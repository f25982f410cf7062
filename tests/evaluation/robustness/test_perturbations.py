"""Perturbations by name, and the mirror of images and sentences together."""

from __future__ import annotations

import pytest
from test_measure import make_samples

from restr.errors import ConfigError
from restr.evaluation.robustness.perturbations import PERTURBATIONS, select_perturbations


def test_the_mirror_turns_image_and_region_together() -> None:
    sample = make_samples(1)[0]
    turned = PERTURBATIONS["mirror"]([sample], 0)[0]
    assert (turned.image == sample.image[:, ::-1]).all() and (turned.mask == sample.mask[:, ::-1]).all()
    swapped = PERTURBATIONS["side-swap"]([sample], 0)[0]
    assert swapped.image is sample.image and swapped.mask is sample.mask and swapped.text == turned.text


def test_names_stand_for_their_severities_and_unknown_ones_are_refused() -> None:
    assert select_perturbations(["typo", "blur"]) == ["typo", "blur-1", "blur-2", "blur-3"]
    assert select_perturbations(["dark-2"]) == ["dark-2"] and select_perturbations() == list(PERTURBATIONS)
    with pytest.raises(ConfigError, match="'fog'; choose from word-shuffle, .*blur, noise"):
        select_perturbations(["fog"])
