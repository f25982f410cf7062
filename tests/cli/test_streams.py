"""Standard output, error and input in any state that a shell leaves them: every image is still processed and reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr import build_model, presets
from restr.cli import streams
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary

NAMES = (b"a.png", b"caf\xe9.png", "z\U0001f600é写.png".encode())
TEXT = "left dog é 写 \U0001f600"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model and three photographs, one with a name that is not UTF-8."""
    root = tmp_path_factory.mktemp("streams")
    vocabulary = Vocabulary(("the", "left", "right", "dog", "cat"))
    save_pretrained(build_model(presets.restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, root / "model")
    (root / "in").mkdir()
    for name in NAMES:
        Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(root / "in" / os.fsdecode(name))
    return root


def predict(root: Path, *words: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``restr predict in ... --model model``, with redirections as a shell writes them."""
    command: Sequence[str] = (sys.executable, "-m", "restr", "predict", *words, "--model", "model", "--device", "cpu")
    if shell:
        command = ("bash", "-c", f'"$@" {shell}', "bash", *command)
    variables = os.environ | {"PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run(command, cwd=root, capture_output=True, env=variables, timeout=120)
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
    ],
    ids=lambda each: " ".join(each.values()),
)
def test_json_is_json_in_every_encoding(root: Path, environment: dict[str, str]) -> None:
    done = predict(root, "in", "--text", TEXT, "--json", **environment)
    assert done.returncode == 0, done.stderr.decode()
    encoding = environment.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    lines = [json.loads(line) for line in done.stdout.decode(encoding).splitlines()]
    assert sorted(os.fsencode(line["image"]) for line in lines) == sorted(b"in/" + name for name in NAMES)
    assert {line["text"] for line in lines} == {TEXT}


@pytest.mark.parametrize("encoding", ["ascii", "utf-8:strict", "utf-16"])
def test_what_people_read_is_escaped_and_stops_nothing(root: Path, encoding: str) -> None:
    out = f"o-{encoding[:6]}"
    done = predict(root, "in", "none.png", "--text", TEXT, "--out", out, PYTHONIOENCODING=encoding)
    assert done.returncode == 1 and b"1 of 4 failed" in done.stderr.replace(b"\0", b"")
    said = done.stdout.decode(encoding.partition(":")[0])
    assert said.count(" found") == 3 and "caf\\udce9.png" in said
    assert ("\\U0001f600" in said) == (encoding[:3] != "utf")
    assert len(list((root / out).iterdir())) == 6


@pytest.mark.parametrize("shell", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_nothing(root: Path, shell: str) -> None:
    out = f"closed{shell.replace(' ', '')}".replace("&", "").replace("<", "i").replace(">", "o")
    done = predict(root, "in", "--text", "left", "--text", "right dog", "--out", out, shell=shell)
    assert done.returncode == 0, done.stderr.decode()
    assert len(list((root / out).iterdir())) == 12


def test_a_closed_standard_input_holds_no_image(root: Path) -> None:
    done = predict(root, "-", "in", "--text", "left", "--out", "stdin", shell="<&-")
    assert done.returncode == 1 and b"1 of 4 failed" in done.stderr and b"which is closed" in done.stderr
    assert len(list((root / "stdin").iterdir())) == 6


def test_files_are_written_though_nobody_reads_on(root: Path) -> None:
    done = predict(
        root, "in", "--text", "left", "--text", "cat", "--out", "head", shell="| head -1; exit ${PIPESTATUS[0]}"
    )
    assert done.returncode == 0 and done.stdout.count(b"\n") == 1
    assert len(list((root / "head").iterdir())) == 12


def test_without_files_the_work_ends_with_its_reader(root: Path) -> None:
    done = predict(root, "in", "--text", "left", "--json", shell="| true; exit ${PIPESTATUS[0]}")
    assert done.returncode == 1 and done.stderr == b""


@pytest.mark.parametrize("words", ["", "--help", "eval --help"])
def test_help_ends_quietly_with_its_reader(words: str) -> None:
    command = f"{sys.executable} -m restr.cli.main {words} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.returncode in (0, 1, 2) and done.stderr == b"", "before or after the reader ends"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_below_standard_output_loses_no_file(root: Path) -> None:
    done = predict(root, "in", "--text", "left", "--text", "cat", "--out", "full", shell="> /dev/full")
    assert done.returncode == 1 and b"No space left" in done.stderr
    assert len(list((root / "full").iterdir())) == 12


def test_a_wrong_out_is_told_in_one_line_before_any_work(root: Path) -> None:
    (root / "taken").write_text("a file")
    for out in ("taken", "taken/below"):
        done = predict(root, "in", "--text", "left", "--out", out)
        assert done.returncode == 1 and done.stdout == b"" and done.stderr.count(b"\n") == 1
        assert b"cannot be the folder of the files" in done.stderr


def test_json_text_keeps_letters_where_they_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        encoding = "cp1252"

    monkeypatch.setattr("sys.stdout", Stream())
    assert streams.json_text({"a": "é"}) == '{"a": "é"}'
    assert streams.json_text({"a": "é写"}) == '{"a": "\\u00e9\\u5199"}'
    Stream.encoding = "utf-8"
    assert streams.json_text("写\udce9") == '"\\u5199\\udce9"' and streams.json_text("写") == '"写"'
