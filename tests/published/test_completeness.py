"""A copy of a benchmark is complete, or it is said what is missing, by split."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import layouts
from restr.cli.main import main
from restr.formats.catalog import PUBLISHED_LAYOUTS, open_all_splits
from restr.published import sizes
from restr.published.completeness import benchmark_of, compare_sizes, found_sizes
from restr.published.sizes import SIZES, BenchmarkSize, SplitSize

# What layouts.make_refer writes.
SMALL = BenchmarkSize(
    splits={
        "train": SplitSize(expressions=2, refs=1, pictures=1),
        "val": SplitSize(expressions=1, refs=1, pictures=1),
        "testA": SplitSize(expressions=1, refs=1, pictures=1),
    },
    source="the test's own copy",
)


def checked(root: Path, capsys: pytest.CaptureFixture[str], data: str = "refcoco:unc") -> tuple[int, str, dict]:
    status = main(["data", "check", data, "--root", str(root), "--out", str(root / "out")])
    return status, capsys.readouterr().out, json.loads((root / "out" / "check.json").read_text())


def test_a_copy_of_the_published_size_is_complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.make_refer(tmp_path)
    monkeypatch.setitem(sizes.SIZES, "refcoco:unc", SMALL)
    _, printed, report = checked(tmp_path, capsys)
    assert "refcoco:unc is complete, as published" in printed
    assert "  train: 2 of 2 expressions, 1 of 1 refs, 1 of 1 pictures" in printed
    assert "unusable" not in printed and report["complete"] is True and "incomplete" not in report["counts"]


def test_what_is_missing_is_said_by_split_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.make_refer(tmp_path)
    status, printed, report = checked(tmp_path, capsys)
    assert status == 1 and report["complete"] is False
    assert "refcoco:unc is not complete" in printed
    assert "  train: 2 of 120,624 expressions: 120,622 missing; 1 of 42,404 refs: 42,403 missing;" in printed
    assert "  testB: 0 of 5,095 expressions: 5,095 missing" in printed
    assert f"restr data prepare refcoco --root {tmp_path}" in printed
    told = [each for each in report["problems"] if each["kind"] == "incomplete"]
    assert len(told) == report["counts"]["incomplete"] == 4 * 3
    assert "incomplete (12)" in (tmp_path / "out" / "check.html").read_text()


def test_what_cannot_be_used_is_counted_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost picture takes all of its sentences with it, in every split; they are there all the same."""
    layouts.make_refer(tmp_path)
    monkeypatch.setitem(sizes.SIZES, "refcoco:unc", SMALL)
    (tmp_path / "train2014" / layouts.NAMES[0]).write_bytes(b"no picture")
    status, printed, report = checked(tmp_path, capsys)
    assert status == 1 and report["complete"] is True
    assert "train: 1 pictures, 2 expressions, 2 unusable" in printed
    assert "refcoco:unc is complete, as published, but 3 expressions are unusable" in printed
    assert f"restr data prepare refcoco --root {tmp_path}" in printed
    assert {split: values["unusable"] for split, values in report["splits"].items()} == {
        "train": 2,
        "val": 1,
        "testA": 0,
    }


def test_one_number_for_all_splits_and_one_in_two_files(tmp_path: Path) -> None:
    layouts.make_refer(tmp_path, "grefcoco")
    counts = compare_sizes(found_sizes(open_all_splits("grefcoco", tmp_path)), SIZES["grefcoco:unc"])
    assert [(each.split, each.found.expressions) for each in counts] == [("train", 2), ("", 6)]

    parts = {"train": SplitSize(expressions=5), "val": SplitSize(expressions=2), "test": SplitSize(expressions=1)}
    whole = {"trainval": SplitSize(expressions=9), **parts}
    zeros = {name: SplitSize(expressions=each.expressions, refs=0, pictures=0) for name, each in whole.items()}
    for found, expected in ((zeros, 9), ({name: zeros[name] for name in parts}, 7)):
        assert compare_sizes(found, SIZES["referit"])[0].found.expressions == expected


def test_too_much_is_a_difference_too() -> None:
    more = {name: SplitSize(expressions=3, refs=1, pictures=1) for name in SMALL.splits}
    assert [each.differences() for each in compare_sizes(more, SMALL)] == [
        ["3 of 2 expressions: 1 too many"],
        ["3 of 1 expressions: 2 too many"],
        ["3 of 1 expressions: 2 too many"],
    ]


def test_benchmarks_without_a_known_size_and_data_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.make_refzom(tmp_path)
    _, printed, report = checked(tmp_path, capsys, "refzom")
    assert "refzom: no published size is known" in printed and report["complete"] is None
    assert [benchmark_of(data) for data in ("jsonl:mine.jsonl", "refcoco", "refcocog", "refcocog:google", "referit")] == [
        "", "refcoco:unc", "refcocog:umd", "refcocog:google", "referit",
    ]  # fmt: skip


def test_every_size_belongs_to_a_benchmark_and_adds_up() -> None:
    names = {f"{name}:{each}" for name, layout in PUBLISHED_LAYOUTS.items() for each in layout.splitters}
    assert set(SIZES) <= names | {name for name, layout in PUBLISHED_LAYOUTS.items() if not layout.splitters}
    totals = {
        name: sum(split.expressions for split in size.splits.values())  # type: ignore[misc]
        for name, size in SIZES.items()
        if all(split.expressions for split in size.splits.values()) and size.expressions is None
    }
    # totals that papers print: 141,564 (Yu et al. 2016; 142,209 for RefCOCO, one less than its splits), 345,486 (PhraseCut)
    assert totals == totals | {"refcoco:unc": 142_210, "refcoco+:unc": 141_564, "phrasecut": 345_486}
    assert totals["refcocog:umd"] == totals["refcocog:google"] == 95_010  # two ways to split one release
