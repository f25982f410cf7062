"""The pages on which one looks through a dataset: many samples, or one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from restr.data.entries.entry import Entry
from restr.inspection.style import STYLE


@dataclass(frozen=True, kw_only=True)
class View:
    """What is looked at. split: only this one, if any. text: only sentences that hold these words. page: from 1."""

    split: str = ""
    text: str = ""
    page: int = 1

    def query(self, **changed: str | int) -> str:
        """The view as the end of an address, with some of it changed."""
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
    """A page of samples. shown: their row numbers and entries. found: how many the view has in all, on how many pages."""
    chips = [_chip("all", "/" + view.query(split="", page=1), not view.split)] if len(splits) > 1 else []
    chips += [
        _chip(f"{split} {count:,}", "/" + view.query(split=split, page=1), view.split == split)
        for split, count in splits.items()
        if split
    ]
    kept = f"<input type='hidden' name='split' value='{escape(view.split)}'>" if view.split else ""
    report = " &middot; <a href='/check'>what the check found</a>" if checked else ""
    bar = (
        f"<div class='bar'><nav class='chips' aria-label='splits'>{''.join(chips)}</nav>"
        f"<form role='search'>{kept}<input type='search' name='text' value='{escape(view.text)}' aria-label='words in the sentence'"
        " placeholder='words in the sentence' accesskey='f'><button>Find</button></form></div>"
    )
    cards = "".join(_card(row, entry, view) for row, entry in shown)
    body = f"<div class='grid'>{cards}</div>" if shown else "<p class='quiet'>No sentence like that.</p>"
    count = f"<p class='quiet'>{found:,} sentence{'' if found == 1 else 's'}{report}</p>"
    return _page(title, f"<h1>{escape(title)}</h1>{bar}{count}{body}{_pages(view, pages)}")


def sample_page(
    title: str, view: View, row: int, entry: Entry, facts: Mapping[str, str], before: int | None, after: int | None
) -> str:
    """One sample, large. facts: what is known of it, in words. before, after: its neighbours' rows, where there are any."""
    query = view.query()
    steps = [f"<a href='/{escape(query)}' accesskey='u'>All samples</a>"]
    steps += (
        [f"<a href='/sample/{before}{escape(query)}' rel='prev' accesskey='p'>&larr; Previous</a>"] if before else []
    )
    steps += [f"<a href='/sample/{after}{escape(query)}' rel='next' accesskey='n'>Next &rarr;</a>"] if after else []
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    stage = (
        "<div class='stage'><input type='checkbox' id='bare' accesskey='m'><label for='bare'>without the mask</label>"
        f"<img class='laid' alt='{escape(entry.text)}' src='/picture/{row}/large'>"
        f"<img class='bare' loading='lazy' alt='the picture alone' src='/picture/{row}/bare'></div>"
    )
    return _page(
        title,
        f"<nav class='bar steps' aria-label='samples'>{''.join(steps)}</nav><h1>{escape(entry.text) or '(no words)'}</h1>"
        f"<div class='sheet'>{stage}<dl class='facts'>{listed}</dl></div>",
    )


def error_page(title: str, text: str) -> str:
    """What went wrong, and the way back."""
    return _page(title, f"<h1>{escape(text)}</h1><p><a href='/'>All samples</a></p>")


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style><main>{body}</main></html>\n"
    )


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
