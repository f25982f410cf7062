"""The second opinion itself: it must notice planted ambiguity."""

from __future__ import annotations

from dataclasses import replace

from expression_checker import Checker
from painted_scenes import Canvas
from restr.grammar.meaning.description import Description


def test_checker_notices_planted_ambiguity():
    canvas = Canvas()
    left, right = canvas.box("dog", 20, 80, 40, 30, "red"), canvas.box("dog", 130, 85, 40, 30, "red")
    scene = canvas.scene()
    checker = Checker(scene)
    dog = Description(category="dog")
    assert checker.problems(dog, (left,))
    assert checker.problems(replace(dog, colour="red"), (left,))
    assert checker.problems(replace(dog, side="left"), (right,))
    assert checker.problems(replace(dog, side="top"), (left,))
    assert checker.problems(replace(dog, plural=2), (left,))
    assert not checker.problems(replace(dog, side="left"), (left,))
    assert not checker.problems(replace(dog, side="left", negated=True), (right,))
    assert not checker.problems(replace(dog, plural=2), (left, right))
