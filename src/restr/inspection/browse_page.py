"""The pages of ``restr.inspection.browse``: many samples, one sample, an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from restr.data.entries.entry import Entry
from restr.inspection.style import RULES
from restr.report.page import document


@dataclass(frozen=True, kw_only=True)
class View:
    """The samples to show."""

    split: str = ""
    """Only samples of this split; all if empty."""
    text: str = ""
    """Only sentences with all these words; all if empty."""
    page: int = 1
    """The page, counted from 1."""

    def query(self, **changed: str | int) -> str:
        """The query string of an address that shows this view, with ``changed`` fields."""
        values = {"split": self.split, "text": self.text, "page": self.page, **changed}
        kept = {name: value for name, value in values.items() if value not in ("", 1)}
        return f"?{urlencode(kept)}" if kept else ""


def list_page(
    title: str,
    view: View,
    splits: Mapping[str, int],
    shown: Sequence[tuple[int, Entry]],
    found: int,
    pages: int,
    checked: bool,
) -> str:
    """A page of samples.

    splits: the number of samples of each. shown: row numbers and entries of this page. found: the number of samples on
    all ``pages``. checked: whether to link to the check's page.
    """
    chips = [_chip("all", "/" + view.query(split="", page=1), not view.split)] if len(splits) > 1 else []
    chips += [
        _chip(f"{split} {count:,}", "/" + view.query(split=split, page=1), view.split == split)
        for split, count in splits.items()
        if split
    ]
    kept = f"<input type='hidden' name='split' value='{escape(view.split)}'>" if view.split else ""
    report = " &middot; <a href='/check'>what the check found</a>" if checked else ""
    toolbar = (
        f"<div class='toolbar'><nav class='chips' aria-label='splits'>{''.join(chips)}</nav>"
        f"<form role='search'>{kept}<input type='search' name='text' value='{escape(view.text)}' aria-label='words in the sentence'"
        " placeholder='words in the sentence' accesskey='f'><button>Find</button></form></div>"
    )
    cards = "".join(_card(row, entry, view) for row, entry in shown)
    body = f"<div class='grid'>{cards}</div>" if shown else "<p class='quiet'>No sentence like that.</p>"
    count = f"<p class='quiet'>{found:,} sentence{'' if found == 1 else 's'}{report}</p>"
    return _page(title, f"<h1>{escape(title)}</h1>{toolbar}{count}{body}{_pages(view, pages)}")


def sample_page(
    title: str, view: View, row: int, entry: Entry, facts: Mapping[str, str], before: int | None, after: int | None
) -> str:
    """One sample, large. facts: its properties as text. before, after: the rows of its neighbours, None at the ends."""
    query = view.query()
    steps = [f"<a href='/{escape(query)}' accesskey='u'>All samples</a>"]
    steps += (
        [f"<a href='/sample/{before}{escape(query)}' rel='prev' accesskey='p'>&larr; Previous</a>"] if before else []
    )
    steps += [f"<a href='/sample/{after}{escape(query)}' rel='next' accesskey='n'>Next &rarr;</a>"] if after else []
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    stage = (
        "<div class='stage'><input type='checkbox' id='bare' accesskey='m'><label for='bare'>without the mask</label>"
        f"<img class='masked' alt='{escape(entry.text)}' src='/picture/{row}/large'>"
        f"<img class='bare' loading='lazy' alt='the picture alone' src='/picture/{row}/bare'></div>"
    )
    return _page(
        title,
        f"<nav class='toolbar steps' aria-label='samples'>{''.join(steps)}</nav><h1>{escape(entry.text) or '(no words)'}</h1>"
        f"<div class='sample'>{stage}<dl class='facts'>{listed}</dl></div>",
    )


def error_page(title: str, text: str) -> str:
    """An error, and a link to all samples."""
    return _page(title, f"<h1>{escape(text)}</h1><p><a href='/'>All samples</a></p>")


def _page(title: str, body: str) -> str:
    return document(title, f"<main>{body}</main>", style=RULES)


def _chip(text: str, address: str, current: bool) -> str:
    mark = " aria-current='page'" if current else ""
    return f"<a href='{escape(address)}'{mark}>{escape(text)}</a>"


def _card(row: int, entry: Entry, view: View) -> str:
    quiet = " &middot; ".join(escape(each) for each in (entry.split, entry.kind) if each and each != "other")
    return (
        f"<a class='card' href='/sample/{row}{escape(view.query())}'><figure><img loading='lazy' alt='' src='/picture/{row}'>"
        f"<figcaption>{escape(entry.text) or '(no words)'}<br><small>{quiet}</small></figcaption></figure></a>"
    )


def _pages(view: View, pages: int) -> str:
    if pages < 2:
        return ""
    before = f"<a rel='prev' accesskey='p' href='/{escape(view.query(page=view.page - 1))}'>&larr; Previous</a>"
    after = f"<a rel='next' accesskey='n' href='/{escape(view.query(page=view.page + 1))}'>Next &rarr;</a>"
    return (
        f"<nav class='pages' aria-label='pages'>{before if view.page > 1 else ''}<span class='quiet'>page {view.page:,} of {pages:,}"
        f"</span>{after if view.page < pages else ''}</nav>"
    )
