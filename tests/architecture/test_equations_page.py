"""Each equation of ``docs/equations.md`` has its line of code, its option and its test, and all of them exist."""

from __future__ import annotations

import re

import pytest

import equations_page
import source
from equations_page import ANCHOR, PAGE, TEST

TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = equations_page.sections()
ANCHORS = list(ANCHOR.finditer(TEXT))


@pytest.mark.parametrize("name", SECTIONS)
def test_an_equation_has_code_option_and_test(name: str) -> None:
    lines = SECTIONS[name]
    assert sum(line.startswith("$$") for line in lines), "no equation"
    for mark in ("Code", "Option", "Test"):
        assert equations_page.marked(lines, mark), f"no line '- {mark}: ...'"
    for line in equations_page.marked(lines, "Code"):
        assert ANCHOR.fullmatch(line), f"write it as the others: {line}"
    for option in re.findall(r"`([^`]+)`", " ".join(equations_page.marked(lines, "Option"))):
        assert equations_page.is_option(option), f"{option} is neither a field of a config nor an argument"
    for line in equations_page.marked(lines, "Test"):
        tests = list(TEST.finditer(line))
        assert ", ".join(match[0] for match in tests) == line, f"write it as the others: {line}"
        for match in tests:
            assert match["shown"] == match["path"]
            assert equations_page.has_test(source.ROOT / match["path"], match["name"]), (
                f"{match['path']} has no {match['name']}"
            )


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda match: f"{match['shown']}-{match['text'][:40]}")
def test_the_quoted_text_stands_on_the_linked_line(anchor: re.Match[str]) -> None:
    assert anchor["shown"] == anchor["path"] and anchor["said"] == anchor["line"]
    now = equations_page.line_number(anchor["path"], anchor["text"])
    assert int(anchor["line"]) == now, (
        f"{anchor['path']}: {anchor['text']!r} is on line {now} now: run 'make architecture'"
    )


def test_every_link_into_the_code_is_an_anchor() -> None:
    assert len(ANCHORS) == TEXT.count("(../src/restr/") == len(re.findall(r"^- Code: ", TEXT, re.MULTILINE))


def test_moved_lines_are_found_again_and_lost_ones_are_named() -> None:
    moved = re.sub(r":(\d+)`\]\((\S+)#L\1\)", r":7`](\2#L7)", TEXT)
    assert moved != TEXT and equations_page.refreshed(moved) == TEXT
    first = ANCHORS[0]
    with pytest.raises(ValueError, match="is nowhere in it"):
        equations_page.refreshed(first[0].replace(first["text"], "no such line"))
    with pytest.raises(ValueError, match="is on the lines"):
        equations_page.refreshed(first[0].replace(first["text"], "self"))


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("fusion.variant", True),
        ("vision.blocks.heads", True),
        ("TrainConfig.lr", True),
        ("segmentation_loss(patch_weight)", True),
        ("SegmentationMetrics(above)", True),
        ("fusion.varient", False),
        ("vision.variant", False),
        ("TrainConfig.rate", False),
        ("segmentation_loss(weight)", False),
        ("vision", True),
        ("TrainConfig", False),
    ],
)
def test_an_option_is_a_field_or_an_argument(option: str, known: bool) -> None:
    assert equations_page.is_option(option) == known


def test_markdown_leaves_the_formulas_alone() -> None:
    """GitHub's Markdown may take a backslash before punctuation away, and read _ after punctuation as emphasis
    and ](...) as a link."""
    formulas = list(equations_page.formulas(TEXT))
    assert len(formulas) > 50
    assert [each for each in formulas if re.search(r"\\[^A-Za-z]|[^A-Za-z0-9]_|\*|(?<!\\)\||\]\(", each)] == []
