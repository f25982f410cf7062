"""Generated scenes: deterministic, and every sentence singles out its mask by an independent reading of its words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from restr.data.generated import GeneratedScenes, vocabulary
from restr.errors import ConfigError, DataError
from restr.grammar.drawn.sentences import plain_words, swap_side_words
from restr.grammar.drawn.shapes import SHAPE_COLOURS, SHAPES
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import UNKNOWN

SCENES = GeneratedScenes(80, 7)
SAMPLES = [SCENES[index] for index in range(len(SCENES))]


def test_a_sample_is_an_image_a_sentence_and_visible_pixels() -> None:
    assert len(SCENES) == 320
    for sample in SAMPLES:
        assert sample.image.shape == (64, 64, 3) and sample.image.dtype == np.uint8
        assert sample.mask.shape == (64, 64) and sample.mask.dtype == bool
        assert 20 < sample.mask.sum() < 0.8 * sample.mask.size
    assert len({sample.id for sample in SAMPLES}) == len(SAMPLES)
    kinds = {sample.kind for sample in SAMPLES}
    assert kinds == {"category", "colour", "size", "position", "relation", "ordinal", "group"}


def test_the_same_arguments_give_the_same_pixels_in_any_order() -> None:
    again = GeneratedScenes(80, 7)
    for index in (317, 3, 0):
        assert np.array_equal(again[index].image, SAMPLES[index].image) and again[index].text == SAMPLES[index].text
    assert not np.array_equal(GeneratedScenes(80, 8)[0].image, SAMPLES[0].image)


def test_masks_of_a_scene_do_not_overlap_and_show_their_colour() -> None:
    for index in range(20):
        scene = SCENES.scene(index)
        assert np.sum([instance.mask for instance in scene.instances], axis=0).max() == 1
        for instance in scene.instances:
            seen = np.median(scene.image[instance.mask], axis=0)
            nearest = min(SHAPE_COLOURS, key=lambda name: float(np.abs(np.array(SHAPE_COLOURS[name]) - seen).sum()))
            assert nearest == instance.attributes["colour"]


@pytest.mark.parametrize("sample", SAMPLES[::3], ids=lambda sample: sample.text.replace(" ", "-"))
def test_a_second_reader_finds_the_same_pixels(sample) -> None:
    """Reads the words, not the Description: what they leave possible must be the mask and nothing else."""
    scene = SCENES.scene(int(sample.image_id.rsplit("-", 1)[1]))
    pixels = read(sample.text, scene)
    assert np.array_equal(pixels, sample.mask)


def test_swapping_a_side_changes_the_sentence_and_the_mask() -> None:
    pairs = [(SAMPLES[i], other) for i in range(len(SCENES)) if (other := SCENES.swapped(i)) is not None]
    assert len(pairs) > 60
    for sample, other in pairs:
        changed = [a for a, b in zip(sample.text.split(), other.text.split(), strict=True) if a != b]
        assert len(changed) == 1
        assert swap_side_words(other.text) == sample.text
        assert not np.array_equal(sample.mask, other.mask)
        assert np.array_equal(read(other.text, SCENES.scene(int(sample.image_id.rsplit("-", 1)[1]))), other.mask)


def test_the_vocabulary_covers_every_sentence() -> None:
    words = vocabulary()
    ids = Tokenizer(words, 16)([sample.text for sample in SAMPLES])
    assert not (ids == UNKNOWN).any()
    assert ids.shape[1] < 16  # no sentence is cut
    assert {word for sample in SAMPLES for word in sample.text.split()} <= set(plain_words())


def test_the_photographs_grammar_speaks_about_drawn_scenes_too() -> None:
    scenes = GeneratedScenes(12, 7, grammar="everyday")
    told = [scenes[index] for index in range(len(scenes))]
    ids = Tokenizer(vocabulary("everyday"), 20)([sample.text for sample in told])
    assert (ids == UNKNOWN).mean() < 0.02
    assert len({sample.text for sample in told}) > 30
    for index, sample in enumerate(told):
        masks = [instance.mask for instance in scenes.scene(index // 4).instances]
        assert sample.mask.any() and all((sample.mask & m).sum() in (0, m.sum()) for m in masks)  # whole objects
    with pytest.raises(DataError, match="plain"):
        scenes.swapped(0)


def test_errors_name_the_value() -> None:
    with pytest.raises(DataError, match="size 8"):
        GeneratedScenes(4, size=8)
    with pytest.raises(IndexError, match="320"):
        SCENES[320]


# --- the second reader: words -> pixels, by geometry on the masks alone ---------------------------------------------

SYNONYMS = {"disc": "circle", "plus": "cross", "pluses": "cross", "large": "big", "bigger": "big", "little": "small",
            "tiny": "small", "2nd": "second", "3rd": "third"}  # fmt: skip
SIDES = {"left": "left", "leftmost": "left", "right": "right", "rightmost": "right", "top": "top", "upper": "top",
         "highest": "top", "bottom": "bottom", "lower": "bottom", "lowest": "bottom"}  # fmt: skip
RELATIONS = {"left of": "left", "right of": "right", "above": "top", "over": "top", "higher than": "top",
             "below": "bottom", "under": "bottom", "lower than": "bottom"}  # fmt: skip


def read(text: str, scene) -> np.ndarray:
    for phrase, side in sorted(RELATIONS.items(), key=lambda item: -len(item[0])):
        if f" {phrase} " in text:
            subject, other = text.split(f" {phrase} ")
            subject = subject.removesuffix(" to the").removesuffix(" on the")
            (anchor,) = matching(other, scene)
            beyond = [i for i in matching(subject, scene) if offset(scene, i, anchor, side) > 0]
            return union(scene, beyond)
    words = text.split()
    found = matching(text, scene)
    places = [("first", "second", "third").index(w) for w in map(simple, words) if w in ("first", "second", "third")]
    side = next((SIDES[word] for word in words if word in SIDES), None)
    if side:
        found = sorted(found, key=lambda index: distance(scene, index, side))
        found = [found[places[0] if places else 0]]
    elif not {"all", "both", "every", "two", "three", "four"} & set(words):
        assert len(found) == 1, f"{text!r} fits {len(found)} shapes"
    return union(scene, found)


def simple(word: str) -> str:
    word = SYNONYMS.get(word, word)
    for shape in SHAPES:
        if word in (shape + "s", shape + "es"):
            return shape
    return SYNONYMS.get(word.removesuffix("s"), word)


def matching(text: str, scene) -> list[int]:
    words = {simple(word) for word in text.split()}
    shapes, colours, sizes = words & set(SHAPES), words & set(SHAPE_COLOURS), words & {"big", "small"}
    return [
        index
        for index, instance in enumerate(scene.instances)
        if (not shapes or instance.category in shapes)
        and (not colours or instance.attributes["colour"] in colours)
        and (not sizes or instance.attributes["size"] in sizes)
    ]


def distance(scene, index: int, side: str) -> float:
    rows, columns = np.nonzero(scene.instances[index].mask)
    along = columns if side in ("left", "right") else rows
    middle = (along.min() + along.max()) / 2
    return middle if side in ("left", "top") else -middle


def offset(scene, index: int, anchor: int, side: str) -> float:
    return distance(scene, anchor, side) - distance(scene, index, side)


def union(scene, indices: list[int]) -> np.ndarray:
    return np.any([scene.instances[index].mask for index in indices], axis=0)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", None, np.True_])
def test_wrong_seeds_are_refused(seed):
    with pytest.raises(ConfigError, match="the seed is .*; it must be a whole number of at least 0"):
        GeneratedScenes(1, seed)


def test_a_seed_of_numpys_is_the_same_seed():
    seed: Any = np.int64(3)
    assert GeneratedScenes(1, seed)[0].id == GeneratedScenes(1, 3)[0].id
