"""Facts of a scene are measured once."""

from __future__ import annotations

import numpy as np

from painted_scenes import random_scene
from restr.grammar.meaning.facts import facts_of


def test_facts_are_measured_once():
    scene = random_scene(np.random.default_rng(2))
    assert facts_of(scene) is facts_of(scene)
