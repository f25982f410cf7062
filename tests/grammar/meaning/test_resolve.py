"""A doubtful rival makes a description doubtful."""

from __future__ import annotations

from painted_scenes import Canvas
from restr.grammar.meaning.description import Description
from restr.grammar.meaning.facts import facts_of
from restr.grammar.meaning.resolve import find_matches


def test_who_may_count_makes_the_middle_doubtful():
    """Three bags in a row have a middle one; beside a handbag, which some call a bag, nobody knows who else counts."""

    def certain(fourth: str | None, **cue: object) -> tuple[int, ...]:
        canvas = Canvas()
        for x in (10, 60, 110):
            canvas.box("bag", x, 80, 30, 30, "red")
        if fourth:
            canvas.box(fourth, 160, 80, 30, 30, "red")
        return find_matches(Description(category="bag", **cue), facts_of(canvas.scene())).certain  # type: ignore[arg-type]

    for cue in ({"side": "middle"}, {"ordinal": (2, "left")}):
        assert certain(None, **cue) == certain("cat", **cue) == (1,)
        assert certain("handbag", **cue) == ()
    assert certain("handbag", side="left") == (0,)
