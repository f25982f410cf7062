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
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "recipes").glob("*/README.md")),
    ROOT / "src/restr/assets/restr_small/MODEL_CARD.md",
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKED = re.compile(r"^(<!-- not run: .+? -->\n)?```(\w+)\n(?:.*?)^```$", re.MULTILINE | re.DOTALL)
TUTORIAL = ROOT / "docs" / "tutorial"  # tests/docs/test_tutorial.py runs all of it, in order
# Blocks in other languages that a test runs: (page, language) -> the test's file.
RUN_ELSEWHERE = {
    ("docs/server.md", "sh"): "tests/server/test_real_server.py",
    ("docs/deployment.md", "protobuf"): "tests/export/test_export_run.py",
    ("docs/tutorial/serve.md", "sh"): "tests/docs/test_tutorial.py",
    ("recipes/everyday/README.md", "json"): "tests/formats/readers/test_everyday.py",
}
# Commands whose options are checked, and which no test of the pages runs: how they begin -> why not.
NOT_RUN = {
    "pip": "installs packages",
    "git": "needs the address of a repository",
    "cd": "changes nothing",
    "cat": "comes before a pipe",
    "make": "a target of the Makefile, run by people and by CI",
    "python": "a script of a recipe or a benchmark: needs data, or takes minutes",
    "torchrun": "needs several processes and data",
    "serve": "starts a cluster",
    "restr predict": "needs a model that an earlier command made",  # without --model it is run
    "restr train": "trains for minutes or hours",
    "restr finetune": "trains for minutes, on the reader's data",
    "restr eval": "needs data that the reader has",
    "restr score": "needs predictions of another program",
    "restr compare": "needs two evaluations",
    "restr robustness": "needs data that the reader has",
    "restr data": "needs data that the reader has",
    "restr runs": "needs runs of one's own",
    "restr ablate": "trains for minutes or hours",
    "restr export": "exports for a minute; tests/export does it with a small model",
    "restr doctor": "measures this machine for minutes; tests/cli/verbs does it with stand-ins",
    "restr convert-checkpoint": "needs a checkpoint of the released program",
    "restr serve": "runs until it is stopped",
    "restr bulk": "needs many pictures; its own tests run it",
    "restr live": "needs a camera; its own tests run it",
    "restr completion": "prints a script for the shell; its own tests run it",
}


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
    for command in sorted({command for page, command in COMMANDS if not (TUTORIAL / page).exists()})
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


def runs_here(page: Path) -> bool:
    return page.parent != TUTORIAL and bool(blocks(page, "python"))


@pytest.mark.parametrize("page", [page for page in PAGES if runs_here(page)], ids=lambda page: page.name)
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


def test_every_block_is_run_or_says_why_not() -> None:
    """A block that nothing runs has a comment above it: ``<!-- not run: the reason -->``."""
    silent, needless = [], []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for mark, language in MARKED.findall(page.read_text(encoding="utf-8")):
            run = language in {"console", "python"} or (name, language) in RUN_ELSEWHERE
            if run == bool(mark):
                (needless if mark else silent).append(f"{name}: {language}")
    assert silent == [], "put <!-- not run: the reason --> on the line above"
    assert needless == [], "a test runs it"
    for test in RUN_ELSEWHERE.values():
        assert "```" in (ROOT / test).read_text(encoding="utf-8"), f"{test} reads no block"


@pytest.mark.parametrize("command", sorted({command for _, command in COMMANDS} - set(PREDICT)))
def test_every_command_is_run_or_has_a_reason(command: str) -> None:
    for part in re.split(r"&&|\|", command):
        words = shlex.split(part)
        beginning = " ".join(words[:2]) if words[0] == "restr" else words[0]
        assert beginning in NOT_RUN, f"run {beginning!r} in a test, or say in NOT_RUN why not"


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
