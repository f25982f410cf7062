"""The tutorial is followed, command by command and block by block, in one folder, as a newcomer would.

Once (slow) word for word with the bundled model, whose answers the pages print; and once, in seconds, with a small untrained
model, fewer pictures and fewer steps.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restr.cli.main import main
from restr.inference.segmenter import Segmenter
from scripts import ROOT, load_script
from served import listening, model_in
from small_exports import shallow_config

staging = load_script("tools/docs/staging.py")

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FEWER = {"range(24)": "range(8)", "--steps 60": "--steps 2"}
ADDRESS = "http://127.0.0.1:8000"
BUNDLED = Path("src/restr/assets/restr_small")


def in_the_navs_order() -> Iterator[Path]:
    """The pages of the tutorial, in the order in which a newcomer reads them."""
    nav = tomllib.loads((ROOT / "tools/docs/site.toml").read_text(encoding="utf-8"))["project"]["nav"]
    yield from (ROOT / page for page in staging.listed(nav) if page.startswith("docs/tutorial/"))


PAGES = list(in_the_navs_order())


class Reader:
    """Somebody who types what the pages say; ``said`` is what the commands printed on the page so far."""

    def __init__(self, other: dict[str, str]) -> None:
        """other: what the reader types in place of what a page says."""
        self.other = other
        self.names: dict[str, object] = {"__name__": "tutorial"}
        self.said = ""

    def follow(self, page: Path) -> None:
        """Do everything that a page asks for, in order."""
        self.said = ""
        text = page.read_text(encoding="utf-8")
        for said, typed in self.other.items():
            text = text.replace(said, typed)
        for language, body in BLOCK.findall(text):
            if language == "console":
                for line in body.splitlines():
                    self.type(shlex.split(line.removeprefix("$ ")))
            elif language == "python":
                exec(compile(body, page.name, "exec"), self.names)
            elif language == "sh":
                self.ask(body)

    def type(self, words: list[str]) -> None:
        """Run a command of restr's; the server is already there, and nothing is installed."""
        if words[0] != "restr" or words[1] == "serve":
            assert words[0] in {"git", "pip", "restr"}, words
            return
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert main(words[1:]) == 0, words
        self.said += printed.getvalue()

    def ask(self, script: str) -> None:
        """Run lines of curl against the server."""
        if shutil.which("curl"):
            script = script.replace("curl ", "curl --fail-with-body ")
            done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr


def follow(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Follow all pages in a folder, with a model in place of the bundled one."""
    (folder / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(folder)
    real = Segmenter.from_pretrained

    def chosen(path: Path | str | None = None, **options: Any) -> Segmenter:
        bundled = path is None or Path(path).name == BUNDLED.name  # restr eval names its folder
        return real(model if bundled else path, **options)

    monkeypatch.setattr(Segmenter, "from_pretrained", chosen)
    with listening(model) as (_, address):
        reader = Reader({ADDRESS: address} | ({} if model.name == BUNDLED.name else FEWER))
        for page in PAGES:
            reader.follow(page)
            if page.stem == "first-mask" and model.name == BUNDLED.name:
                printed = next(body for language, body in BLOCK.findall(page.read_text()) if language == "text")
                assert printed in reader.said
    assert (folder / "out" / "coffee-the-cup.overlay.png").is_file()
    assert (folder / "check" / "check.html").is_file() and (folder / "results" / "report.html").is_file()
    assert (folder / "runs/zindles/report/report.html").is_file()
    assert (folder / "runs/zindles/model/model.safetensors").is_file()
    assert (folder / "mask.png").is_file() or not shutil.which("curl")
    return reader


def test_the_tutorial_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(PAGES) == 4
    config = shallow_config()
    small = replace(config, preprocess=replace(config.preprocess, size=64))
    (tmp_path / "reader").mkdir()
    follow(tmp_path / "reader", model_in(tmp_path / "model", small), monkeypatch)


@pytest.mark.slow
def test_the_tutorial_with_the_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    follow(tmp_path, ROOT / BUNDLED, monkeypatch)
    gain = json.loads((tmp_path / "runs/zindles/gain.json").read_text())
    assert gain["oiou"] > 0.1
