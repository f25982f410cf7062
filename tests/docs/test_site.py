"""The documentation site: which pages it has, what becomes of a page, the reference, and the check of links."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from scripts import ROOT, load_script

link_check = load_script("tools/docs/link_check.py")
reference_pages = load_script("tools/docs/reference_pages.py")
staging = load_script("tools/docs/staging.py")

SETTINGS = tomllib.loads((ROOT / "tools" / "docs" / "site.toml").read_text(encoding="utf-8"))
NAV = SETTINGS["project"]["nav"]


def test_the_nav_lists_every_page_once() -> None:
    listed = Counter(staging.listed(NAV))
    assert [page for page, count in listed.items() if count > 1] == []
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    assert pages - set(listed) == set(), "give the page a place in tools/docs/site.toml"
    gone = {page for page in listed if not page.startswith("generated/") and not (ROOT / page).is_file()}
    assert gone <= set(SETTINGS["site"]["planned"]), "tools/docs/site.toml lists what does not exist"


def test_no_two_pages_have_one_place() -> None:
    places = Counter(staging.place(page).lower() for page in staging.listed(NAV))
    assert [place for place, count in places.items() if count > 1] == []


def test_planned_pages_are_left_out_with_their_empty_sections() -> None:
    nav = [{"A": "a.md"}, {"Later": [{"B": "b.md"}]}, {"C": [{"D": "d.md"}, {"B": "b.md"}]}]
    assert staging.without(nav, {"b.md"}) == [{"A": "a.md"}, {"C": [{"D": "d.md"}]}]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository: a README with results, two pages, a picture and a file of code."""
    files = {
        "README.md": "# toy\n\n## Results\n\n[Table](docs/a.md): 65.9\n\n### More\n\nyes\n\n## Other\n\nno\n",
        "docs/a.md": "# A\n\n<!-- not run: a reason -->\n```sh\necho '[x](gone.md)' $HOME $PATH\n```\n\n`[y](gone.md)` "
        "[home](../README.md#results) [code](../src/code.py#L2)\n![drawn](images/one.png)\n\n1. a\n\n   b\n",
        "docs/deep/b.md": "# B\n\n<!-- site: include ../../README.md#results -->\n\n<img src=\"../images/one.png\">\n",
        "src/code.py": "one = 1\ntwo = 2\n",
        "docs/images/one.png": "not really",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_pages_are_staged_with_links_of_the_site(repository: Path, tmp_path: Path) -> None:
    stage = staging.Stage(tmp_path / "pages", ["README.md", "docs/a.md", "docs/deep/b.md"], repository)
    stage.write()
    page = (stage.folder / "a.md").read_text(encoding="utf-8")
    assert "echo '[x](gone.md)' $HOME $PATH" in page and "`[y](gone.md)`" in page and "not run" not in page
    assert "[home](index.md#results)" in page
    assert "[code](source/src/code.py.md#__codelineno-0-2)" in page
    assert "two = 2" in (stage.folder / "source/src/code.py.md").read_text(encoding="utf-8")
    assert (stage.folder / "images/one.png").read_text() == "not really"
    assert "\n1. a\n\n    b\n" in page
    deep = (stage.folder / "deep/b.md").read_text(encoding="utf-8")
    assert "[Table](../a.md): 65.9" in deep and "### More" in deep and "Other" not in deep
    assert '<img src="../images/one.png">' in deep


@pytest.mark.parametrize(
    ("text", "message"),
    [("[x](gone.md)", "links to gone.md"), ("<!-- site: include ../README.md#gone -->", "no such heading")],
)
def test_a_page_that_points_nowhere_is_refused(repository: Path, tmp_path: Path, text: str, message: str) -> None:
    (repository / "docs/a.md").write_text(text, encoding="utf-8")
    with pytest.raises(staging.SiteError, match=message):
        staging.Stage(tmp_path / "pages", ["docs/a.md"], repository).write()


def test_formulas_become_mathml_and_prices_stay() -> None:
    pytest.importorskip("latex2mathml", reason="needs the extra docs")
    made = staging.with_mathml("$P^2$ and $$\\frac{a}{b}$$ for $5 and $6")
    assert made.count("<math") == 2 and "<mfrac>" in made and made.endswith("for $5 and $6")


class Toy:
    """A thing to show. It has more sentences."""


def test_every_public_name_gets_a_page() -> None:
    package = ModuleType("toy")
    package.__dict__.update(__all__=["Toy", "__version__"], Toy=Toy)
    pages = reference_pages.python_pages(package, "| `restr.metrics` | measures |")
    assert set(pages) == {"python/index.md", "python/Toy.md", "python/restr.metrics.md"}
    assert "| [`Toy`](Toy.md) | A thing to show. |" in pages["python/index.md"]
    assert "from toy import Toy" in pages["python/Toy.md"] and f"::: {__name__}.Toy" in pages["python/Toy.md"]
    assert "::: restr.metrics" in pages["python/restr.metrics.md"]


HELP = """usage: toy go [-h] [OPTIONS]

Go, with ``--far`` farther_and_farther.

Example: toy go --far

╭─ options ─────────────────────────────────╮
│ -h, --help   show this help message       │
│ --far {a,b}  How far: <here> or [there]   │
│              *or* more. (default: a)      │
│ --patience-of-saints INT                  │
│              How long.                    │
╰───────────────────────────────────────────╯
"""


def toy(words: Sequence[str]) -> None:
    """A command with one verb."""
    print(HELP if words[0] == "go" else "usage: toy VERB\n\n  go   move\n\n  toy VERB --help")


def test_a_verbs_help_becomes_a_page() -> None:
    pages = reference_pages.cli_pages(toy, "toy")
    assert set(pages) == {"cli/index.md", "cli/go.md"}
    assert "| [`toy go`](go.md) | move |" in pages["cli/index.md"]
    page = pages["cli/go.md"]
    assert (
        "`--far {a,b}`{ #far }\n:   How far: &#60;here&#62; or &#91;there&#93; &#42;or&#42; more. (default: a)" in page
    )
    assert "`--patience-of-saints INT`{ #patience-of-saints }\n:   How long." in page
    assert "Go, with `--far` farther&#95;and&#95;farther." in page and "--help" not in page
    assert "```text\ntoy go --far\n```" in page


def test_the_page_of_predict_has_all_its_options() -> None:
    from restr.cli.main import main

    page = reference_pages.as_markdown(reference_pages.help_of(main, ["predict"]))
    for option in ("model", "device", "text", "out", "save", "json", "threshold", "presence", "workers"):
        assert f"{{ #{option} }}\n:   " in page


GOOD = '<h1 id="top-of-it">x</h1><a href="b/c.html#here">c</a><img src="p.png"><a href="https://example.org/x">out</a>'


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        (GOOD, None),
        ('<a href="gone.html">x</a>', "leads to no file"),
        ('<img src="gone.png">', "leads to no file"),
        ('<a href="b/c.html#gone">x</a>', "leads to no anchor"),
        ('<a href="#gone">x</a>', "leads to no anchor"),
        ('<a href="../outside.html">x</a>', "leads to no file"),
        ('<script src="https://example.org/x.js"></script>', "is loaded from another host"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "is loaded from another host"),
        ('<a href="https://">x</a>', "is no whole address"),
    ],
)
def test_broken_links_are_found(tmp_path: Path, html: str, problem: str | None) -> None:
    site = tmp_path / "site"
    (site / "b").mkdir(parents=True)
    (tmp_path / "outside.html").write_text("outside")
    (site / "b/c.html").write_text('<p id="here">c</p><a href="../a.html#top-of-it">back</a><a href="/p.png">p</a>')
    (site / "p.png").write_bytes(b"")
    (site / "a.html").write_text(GOOD + (html if problem else ""))
    found = list(link_check.broken(site))
    assert [line.rpartition("' ")[2] for line in found] == ([problem] if problem else [])
