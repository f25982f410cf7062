"""The descriptions that are proposed for a scene, and those that must not be."""

from __future__ import annotations

import numpy as np
import pytest

from painted_scenes import Canvas
from restr.grammar.meaning.describe import descriptions
from restr.grammar.meaning.description import Description, Garment
from restr.grammar.scene import Scene


def said_of(scene: Scene) -> list[tuple[Description, tuple[int, ...]]]:
    return [(c.description, c.targets) for c in descriptions(scene, np.random.default_rng(0))]


def test_no_contrast_where_others_may_lack_a_mask():
    canvas = Canvas()
    canvas.box("person", 10, 20, 60, 150, "blue")
    canvas.box("dog", 150, 150, 20, 20, "black")  # too small to be told from dogs without a mask
    for description, targets in said_of(canvas.scene(complete=False)):
        assert targets == (0,)
        assert description.side is None and description.relation is None and description.size is None


def test_tiny_instances_are_rivals_but_never_targets():
    canvas = Canvas()
    big, tiny = canvas.box("dog", 20, 80, 60, 50, "red"), canvas.disc("dog", 170, 60, 2, "black")
    said = said_of(canvas.scene())
    assert all(tiny not in targets for _, targets in said)
    assert (Description(category="dog"), (big,)) not in said
    assert (Description(category="dog", side="left"), (big,)) in said


@pytest.mark.parametrize(("one", "other"), [("bag", "handbag"), ("table", "dining table"), ("cup", "wine glass")])
def test_kinds_with_one_name_are_rivals(one: str, other: str):
    canvas = Canvas()
    canvas.box(one, 20, 80, 50, 40, "red")
    canvas.box(other, 120, 80, 50, 40, "blue")
    assert Description(category=one) not in [description for description, _ in said_of(canvas.scene())]


def test_two_cues_together_single_out_where_neither_does():
    canvas = Canvas()
    places = {"red": (10, 150), "blue": (70,)}
    dogs = {(paint, x): canvas.box("dog", x, 80, 36, 40, paint) for paint, row in places.items() for x in row}
    meant = Description(category="dog", colour="red", side="right")
    assert (meant, (dogs["red", 150],)) in said_of(canvas.scene())
    assert Description(category="dog", colour="red") not in [description for description, _ in said_of(canvas.scene())]


def test_clothes_tell_people_apart():
    canvas = Canvas()
    red = canvas.person(20, 40, 110, {"shirt": "red", "pants": "black"})
    blue = canvas.person(120, 40, 110, {"shirt": "blue", "skirt": "white"})
    said = said_of(canvas.scene())
    assert (Description(category="person", garments=(Garment(colour="red"),)), (red,)) in said
    assert (Description(category="person", noun="woman", garments=(Garment(category="skirt"),)), (blue,)) in said
    assert (Description(category="person", noun="woman"), (blue,)) not in said  # the other may be a woman as well


def test_clothes_of_people_without_clothing_masks_come_from_the_pixels():
    canvas = Canvas()
    people = [canvas.box("person", x, 30, 40, 130, paint) for x, paint in ((20, "red"), (120, "blue"))]
    said = said_of(canvas.scene())
    assert (Description(category="person", garments=(Garment(colour="red"),)), (people[0],)) in said
    assert (Description(category="person", garments=(Garment(category="shirt", colour="blue"),)), (people[1],)) in said


def test_a_garment_is_not_named_beside_people_without_clothing_masks():
    canvas = Canvas()
    canvas.person(20, 40, 110, {"shirt": "red", "pants": "black"})
    canvas.box("person", 140, 40, 40, 130, "green")
    assert not any(d.category == "shirt" and d.part_of is None for d, _ in said_of(canvas.scene()))
