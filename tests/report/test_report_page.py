"""The frame of every page."""

from __future__ import annotations

from html_pages import Page
from restr.report.page import PAGE_STYLE, document, figure, html_table, number_tiles, section


def test_a_page_is_whole_and_needs_no_other_file() -> None:
    body = section("a heading", figure(b"png", "png", "a < b"), "a note") + number_tiles([("5", "things")])
    text = document("<t>", body, style="p { color: red; }")
    page = Page(text)
    assert page.open == [] and "script" not in dict(page.tags) and "http" not in text and "url(" not in text
    assert f"<style>{PAGE_STYLE}p {{ color: red; }}</style>" in text and "<title>&lt;t&gt;</title>" in text
    assert {"a heading", "a < b", "a note", "5", "things"} <= set(page.texts)
    assert [attributes["src"] for tag, attributes in page.tags if tag == "img"] == ["data:image/png;base64,cG5n"]


def test_text_columns_of_a_table_are_aligned_left() -> None:
    text = html_table([["one", "1", "why"]], ["", "n", "reason"], texts=(0, 2))
    assert "<td class='text'>one</td><td>1</td><td class='text'>why</td>" in text
    assert text.count("<tr>") == 2 and Page(text).open == []
    assert html_table([["a", "1"]]).count("<tr>") == 1
