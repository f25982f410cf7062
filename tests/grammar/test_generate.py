"""Every generated sentence singles out its target, by a second opinion too."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from expression_checker import Checker
from painted_scenes import random_scene
from restr.grammar.generate import references
from restr.grammar.meaning.resolve import resolve
from restr.grammar.scene import Instance, Scene


@cache
def drawn() -> tuple[tuple[Scene, tuple], ...]:
    """Sixty painted scenes with up to twelve references each."""
    rng = np.random.default_rng(5)
    scenes = [random_scene(rng) for _ in range(60)]
    return tuple((scene, tuple(references(scene, rng, 12))) for scene in scenes)


def test_every_reference_singles_out_its_target():
    told, wrong = 0, []
    for scene, found in drawn():
        checker = Checker(scene)
        for reference in found:
            told += 1
            wrong += [(reference, why) for why in checker.problems(reference.description, reference.targets)]
    assert told >= 300
    assert not wrong, wrong[:5]


def test_generator_and_own_resolution_agree():
    for scene, found in drawn():
        for reference in found[:4]:
            assert resolve(reference.description, scene) == {reference.targets}


def test_all_kinds_come_up():
    kinds = Counter(reference.kind for _, found in drawn() for reference in found)
    assert set(kinds) >= {"category", "position", "colour", "clothing", "combined", "relation", "ordinal", "size", "part",
                          "group", "negation"}, kinds  # fmt: skip
    assert kinds["position"] > kinds["ordinal"]


def test_a_kind_without_weight_is_never_drawn():
    rng = np.random.default_rng(1)
    scene = random_scene(rng)
    assert {r.kind for r in references(scene, rng, 20, weights={"position": 1.0, "category": 0.0})} <= {"position"}


def test_sentences_that_name_nothing_only_on_demand():
    scene = random_scene(np.random.default_rng(4))
    assert all(reference.targets for reference in references(scene, np.random.default_rng(0), 20))
    empty = references(scene, np.random.default_rng(0), 12, weights={"none": 1.0})
    assert empty
    for reference in empty:
        assert reference.kind == "none" and reference.targets == ()
        assert not Checker(scene).problems(reference.description, ())


def test_same_seed_same_sentences():
    scene = random_scene(np.random.default_rng(7))
    first, second = (references(scene, np.random.default_rng(3), 10) for _ in range(2))
    assert first == second


def test_scene_without_anything_to_say():
    scene = Scene(id="empty", image=np.zeros((20, 30, 3), np.uint8), instances=(), complete=True)
    assert references(scene, np.random.default_rng(0)) == []
    nothing = Instance(mask=np.zeros((20, 30), bool), category="dog")
    assert references(replace(scene, instances=(nothing,)), np.random.default_rng(0)) == []


@pytest.mark.skipif("RESTR_PHOTOS" not in os.environ, reason="RESTR_PHOTOS does not name a photos folder")
def test_references_on_photographs():
    from restr.data.photos import load_photos

    photos = load_photos(os.environ["RESTR_PHOTOS"])
    rng = np.random.default_rng(11)
    told, wrong = 0, []
    for number in rng.choice(len(photos), 60, replace=False):
        scene = photos[int(number)]
        checker = Checker(scene)
        for reference in references(scene, rng, 8):
            told += 1
            wrong += [(scene.id, reference, why) for why in checker.problems(reference.description, reference.targets)]
    assert told >= 100
    # The two measure colours differently, and photographs have colours between two names.
    assert len(wrong) <= 0.03 * told, wrong[:5]
