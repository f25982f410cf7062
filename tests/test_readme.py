"""The README and the documentation are run: their commands and code must work, word for word."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from restr.cli.main import VERBS, main
from restr.inference.segmenter import Segmenter
from restr.model.build import build_model
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary
from restr.training.config import TrainConfig
from small_clips import write_clip

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "recipes").glob("*/README.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every line that a console block asks the reader to type."""
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in block.splitlines():
                assert line.startswith("$ "), f"{page.name}: a console block shows commands only, not {line!r}"
                yield page.name, line.removeprefix("$ ")


COMMANDS = sorted(set(commands()))
PREDICT = [
    command
    for command in sorted({command for _, command in COMMANDS})
    if "restr predict" in command and "--model" not in command
]


@pytest.fixture(scope="module")
def quick() -> Segmenter:
    """The smallest model, untrained: these tests run the commands of the pages, and ignore the masks."""
    words = Vocabulary(["the", "cup", "woman", "flag", "on", "left", "person", "spoon", "plate", "under"])
    return Segmenter(build_model(restr_tiny(vocab=len(words)), seed=0), words, device="cpu")


@pytest.fixture
def reader(quick: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, where the reader types the commands; the bundled model is a quick one."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    write_clip(tmp_path / "clip.mp4", (0, 100, 200))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda path=None, **_: quick)
    piped = io.TextIOWrapper(io.BytesIO((ROOT / "examples" / "coffee.jpg").read_bytes()))
    monkeypatch.setattr("sys.stdin", piped)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run(page: Path, reader: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)
    if "save(" in page.read_text(encoding="utf-8"):
        assert list((reader / "out").glob("*.overlay.png"))


@pytest.mark.parametrize("command", PREDICT)
def test_predict_commands_run(command: str, reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = command.rpartition("| ")[2]  # after a pipe, the standard input of ``reader``
    assert main(shlex.split(own)[1:]) == 0
    printed = capsys.readouterr().out
    if "--json" in command:
        assert all("score" in json.loads(line) for line in printed.splitlines())
    else:
        assert list(reader.rglob("*.overlay.*"))


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_exist(page: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for part in re.split(r"&&|\|", command):
        words = shlex.split(part)
        if words[0] == "torchrun":
            place = words.index("-m")
            for option in options(words[:place]):
                assert option in get_args_parser().format_help()
            words = words[place + 1 :]
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        elif words[0] == "python":
            script = ROOT / words[1]
            assert script.is_file()
            for option in options(words):
                assert_option(script.read_text(), option)
        elif words[0] == "restr":
            assert words[1] in VERBS
            if not options(words):
                continue
            with pytest.raises(SystemExit, match="0"):
                main([*(words[1:3] if words[1] == "data" else words[1:2]), "--help"])
            text = capsys.readouterr().out
            for option in options(words):
                assert option in text
        else:
            assert words[0] in {"pip", "git", "cd", "cat", "serve"}  # test_ray_app.py reads the last


def options(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("--")]


def assert_option(source: str, option: str) -> None:
    """A script knows an option by its field's name (tyro) or by the option itself (argparse)."""
    field, _, of_training = option.removeprefix("--").replace("-", "_").partition(".")
    assert not of_training or of_training in {each.name for each in dataclasses.fields(TrainConfig)}
    option = f"--{field}".replace("_", "-")
    assert re.search(rf"^\s+{field}:|\"{option}\"", source, re.MULTILINE), option


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_example_is_attributed_and_small() -> None:
    attribution = (ROOT / "examples" / "ATTRIBUTION.md").read_text(encoding="utf-8")
    photographs = sorted((ROOT / "examples").glob("*.jpg"))
    assert len(photographs) >= 3
    for photograph in photographs:
        assert f"`{photograph.name}`" in attribution
        assert photograph.stat().st_size <= 100 * 1024


def test_the_bundled_model_finds_the_demo() -> None:
    """The picture of ``make demo`` must be right: her face and her sleeve, not the flag, not the shuttle."""
    makefile = (ROOT / "Makefile").read_text()
    photograph, text = (
        re.search(rf"^{name} \?= (.+)$", makefile, re.MULTILINE) for name in ("DEMO_IMAGE", "DEMO_TEXT")
    )
    assert photograph and text
    assert photograph[1] == "examples/astronaut.jpg"  # the points below are in this one
    mask = Segmenter.from_pretrained()(ROOT / photograph[1], text[1]).mask
    assert mask[120, 215] and mask[300, 90]
    assert not mask[40, 30] and not mask[160, 410]
    assert 0.2 < mask.mean() < 0.6
