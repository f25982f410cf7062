"""Every option explains itself in ``--help``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from restr import cli
from restr.cli.main import main

FOLDERS = {"verbs": [], "verbs/measuring": [], "data": ["data"]}  # of restr.cli -> what is typed before the verb
VERBS = [
    [*words, path.stem.replace("_", "-")]
    for folder, words in FOLDERS.items()
    for path in sorted((Path(cli.__file__).parent / folder).glob("*.py"))
    if "def main(" in path.read_text() and path.stem != "main"
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_option_has_a_text(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    texts = option_texts(capsys.readouterr().out)
    assert len(texts) > 1
    assert [name for name, text in texts.items() if len(text) < 4] == []


def option_texts(page: str) -> dict[str, str]:
    """What a help page says of each option and argument, without the default value."""
    texts: dict[str, str] = {}
    name = ""
    _, _, tables = page.partition("─" if "─" in page else "----")
    for line in tables.splitlines()[1:]:
        row = line.replace("│", " ").rstrip()
        if row.startswith("   "):
            texts[name] += f" {row.strip()}"
        elif row.startswith("  "):  # a name and, if there is room, the beginning of its text
            name, _, text = row.strip().partition("  ")
            texts[name] = text.strip()
    return {name: re.sub(r"\((default|required|optional)\b.*\)", "", text).strip() for name, text in texts.items()}


@pytest.mark.parametrize(("line", "side"), [("─", "│"), ("-", " ")])
def test_a_missing_text_is_seen(line: str, side: str) -> None:
    rows = [" options ".center(60, line), " --steps INT  (default: 6000)", " --betas FLOAT", "      Text. (default: 1)"]
    page = "\n".join(["usage: x", line * 60, *(f"{side}{row:<58}{side}" for row in rows)])
    assert option_texts(page) == {"--steps INT": "", "--betas FLOAT": "Text."}
