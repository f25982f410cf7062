"""The reports of an evaluation: files, the page, rows for papers, and the cases that it shows."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from html_pages import Page
from oracles import Oracle, make_samples, run
from restr.errors import DataError
from restr.evaluation.reports.cases import choose_cases, draw_cases
from restr.evaluation.reports.published import latex_rows, markdown_rows, published_scores
from restr.evaluation.reports.report import write_evaluation


def test_report_files_say_what_was_measured(tmp_path):
    pytest.importorskip("matplotlib")
    samples = make_samples(6)
    result = run(samples, Oracle(samples, deaf=True))
    paths = write_evaluation(result, tmp_path / "out", title="halves", samples=samples, command="restr eval --data x")
    assert sorted(paths) == [
        "by_kind.png",
        "cases.png",
        "metrics.json",
        "records.jsonl",
        "reliability.png",
        "report.html",
        "row.md",
        "row.tex",
        "table.md",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(paths)
    summary = json.loads(paths["metrics.json"].read_text())
    assert summary["overall"]["n"] == 18 and summary["command"] == "restr eval --data x"
    lines = [json.loads(line) for line in paths["records.jsonl"].read_text().splitlines()]
    assert len(lines) == 18 and lines[0]["prediction"]["size"] == [20, 30]
    table = paths["table.md"].read_text()
    for part in ("halves", "| position | 12 |", "control", result.protocol):
        assert part in table
    for name in ("by_kind.png", "reliability.png", "cases.png"):
        with Image.open(io.BytesIO(paths[name].read_bytes())) as picture:
            assert min(picture.size) > 200


def test_the_page_shows_numbers_and_cases_needs_no_other_file_and_trusts_no_text(tmp_path):
    hostile = "<script>alert('x')</script>"
    samples = [replace(sample, text=f"{sample.text} {hostile}") for sample in make_samples(6)]
    result = run(samples, Oracle(samples, deaf=True))
    facts = {"data": "refcoco:testA"}
    paths = write_evaluation(result, tmp_path, title="a & b", samples=samples, command="restr eval", facts=facts)
    text = paths["report.html"].read_text()
    page = Page(text)
    assert page.open == [] and "script" not in dict(page.tags)
    said = " ".join(page.texts)
    for part in (
        "a & b",
        result.protocol,
        "position",
        "1-2 words",
        "Control",
        "Calibration of the score",
        "ReSTR",
        "69.30",
        hostile,
    ):
        assert part in said, part
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    cases = [source for source in pictures if (source or "").startswith("data:image/jpeg;base64,")]
    (plot,) = (source for source in pictures if source not in cases)
    assert len(cases) == 6 and (plot or "").startswith("data:image/png;base64,")
    assert "http" not in text and "url(" not in text
    bars = [str(attributes["title"]) for _, attributes in page.tags if "title" in attributes]
    assert len(bars) == 20 and sum(int(bar.rpartition(" ")[2]) for bar in bars) == 18  # every sentence is in one


def test_rows_stand_beside_published_ones_of_the_same_split_only():
    samples = make_samples(6)
    result = run(samples, Oracle(samples))
    assert (
        published_scores("refcoco:unc:testA") == published_scores("refcoco:testA")
        and published_scores("refcoco:testA")["ReSTR"] == 69.30
    )
    assert published_scores("refcocog:google:val")["LAVT"] == 60.50
    # umd is another split
    assert (
        published_scores("refcocog:val")
        == published_scores("refcocog:umd:val")
        == published_scores("jsonl:mine.jsonl")
        == {}
    )
    table = markdown_rows(result, "refcoco:testA")
    assert table.splitlines()[-4].endswith("| 100.00 | 100.00 | 100.00 | 100.00 | 100.00 | 100.00 |")
    assert {line.count("|") for line in table.splitlines() if line.startswith("|")} == {8}
    assert "own protocol" in table and "own protocol" not in markdown_rows(result, "jsonl:mine.jsonl")
    latex = latex_rows(result, "refcoco:testA", method="a_b")
    rows = [line for line in latex.splitlines() if not line.startswith("%")]
    assert {line.count("&") for line in rows} == {6} and rows[-1].startswith("a\\_b & 100.00")


def test_cases_go_from_best_to_worst_without_an_image_twice():
    samples = make_samples(12)
    result = run(samples, Oracle(samples, deaf=True))
    cases = choose_cases(result.records, each=4)
    assert min(record.iou for record in cases["best"]) > max(record.iou for record in cases["worst"])
    images = [record.image_id for records in cases.values() for record in records]
    assert len(images) == len(set(images)) == 12
    with pytest.raises(DataError, match="the samples that were evaluated"):
        draw_cases(cases, samples[:3])
