"""Completion in the real shells: bash, and zsh and fish where they are installed."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from restr.cli.completion.pages import read_pages
from restr.cli.completion.scripts import SCRIPTS
from restr.cli.main import VERBS, main

START = """
import sys
from restr.cli.main import main
main(["completion", "bash"])
print("#", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three scripts, and files to complete."""
    folder = tmp_path_factory.mktemp("shells")
    pages = list(read_pages())
    for name, write in SCRIPTS.items():
        (folder / f"restr.{name}").write_text(write(pages))
    (folder / "my photo.jpg").touch()
    return folder


def shell(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"needs {name}")
    return found


def typed(command: list[str], setup: str, line: str, end: str, folder: Path) -> str:
    """What a shell in a terminal shows for a line and two presses of Tab, until ``end``."""
    environment = os.environ | {"TERM": "dumb", "PS1": "> ", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", f"import pty; pty.spawn({command!r})"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin and process.stdout
    with process:
        process.stdin.write(f"{setup}; echo rea''dy\n".encode())
        read_until(process.stdout.fileno(), "ready\n")
        process.stdin.write(f"{line}\t\t".encode())
        shown = read_until(process.stdout.fileno(), end)
        process.kill()  # the terminal ends, and the shell with it
    return shown


def read_until(terminal: int, end: str) -> str:
    """What the terminal shows until ``end``, or until nothing comes for a long while; without its control characters."""
    shown = ""
    while end not in shown and select.select([terminal], [], [], 20)[0]:
        shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\x07|\r", "", shown + os.read(terminal, 65536).decode(errors="replace"))
    return shown


def bash(line: str, folder: Path) -> list[str]:
    """The words that bash's own machinery offers for the last word of a line."""
    *words, last = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in (*words, last))
    code = f"source restr.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _restr; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run([shell("bash"), "--norc", "-c", code], cwd=folder, text=True, capture_output=True)
    assert re.sub(r".*compopt: .*\n", "", done.stderr) == "", "compopt works while bash completes only"
    return done.stdout.split()


def fish(line: str, folder: Path) -> list[str]:
    code = f"source restr.fish; complete -C '{line}'"
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", code], cwd=folder, env=environment, text=True, capture_output=True
    )
    assert done.stderr == ""
    return [row.partition("\t")[0] for row in done.stdout.splitlines()]


OFFERS = [
    ("restr ", [*VERBS]),
    ("restr conv", ["convert-checkpoint"]),
    ("restr data ", ["prepare", "check", "browse", "convert"]),
    ("restr data convert --to re", ["refer"]),
    ("restr predict a.jpg --dev", ["--device"]),
    ("restr predict a.jpg dog --device ", ["auto", "cpu", "cuda"]),
    ("restr train --no-over", ["--no-overfit"]),
    ("restr predict --precision b", ["bf16"]),
    ("restr completion ", ["bash", "zsh", "fish"]),
    ("restr predict --threshold ", []),
    ("restr eval --conf", ["--config"]),
    ("restr nonsense --", []),
]


@pytest.mark.parametrize(("line", "offered"), OFFERS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("ask", [bash, fish], ids=["bash", "fish"])
def test_shells_offer_what_fits(ask, line: str, offered: list[str], folder: Path) -> None:
    assert sorted(ask(line, folder)) == sorted(offered)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("restr conv", "restr convert-checkpoint "),
        ("restr predict a.jpg dog --prec", "--precision"),
        ("restr predict --device=cu", "--device=cuda"),
        ("restr predict my", "my\\ photo.jpg"),
        ("restr data ", "browse"),
    ],
)
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tab_in_a_terminal(name: str, line: str, shown: str, folder: Path) -> None:
    flags = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[name]
    setup = {"bash": "source restr.bash", "zsh": "autoload -U compinit && compinit -D -u; source restr.zsh"}[name]
    assert shown in typed([shell(name), *flags], setup, line, shown, folder)


def test_every_option_of_every_help_page_is_in_the_scripts(folder: Path, capsys) -> None:
    pages = {page.words: page for page in read_pages()}
    assert {words[0] for words in pages if words} == {*VERBS}
    for words in [words for words, page in pages.items() if not page.verbs]:
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        rows = re.findall(r"^\W*\s(-[^ ].*)$", capsys.readouterr().out.partition("\n\n")[2], re.MULTILINE)
        told = {name for row in rows for name in re.findall(r"(?:^|, )(--[a-z][\w-]*)", row.partition("  ")[0])}
        assert told - {"--config"} == {name for option in pages[words].options for name in option.names}
        for option in pages[words].options:
            for name in option.names:
                assert re.search(rf"{name}\b", (folder / "restr.bash").read_text())
                assert re.search(rf"'\*?{name}=?\[", (folder / "restr.zsh").read_text())
                assert f"-l '{name[2:]}'" in (folder / "restr.fish").read_text()


def test_the_script_is_written_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", START], text=True, stdout=subprocess.PIPE, check=True)
    assert "complete -o default" in done.stdout
    assert "torch" not in done.stdout.rpartition("#")[2].split()


def test_an_unknown_shell_is_refused(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "tcsh"])
    assert "bash" in capsys.readouterr().err
