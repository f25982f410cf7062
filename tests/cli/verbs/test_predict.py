"""``restr predict`` with many pictures: what it writes and prints does not depend on the number of workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr import build_model, presets
from restr.cli.main import main
from restr.masks import rle_decode
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary

WORDS = Vocabulary(("the", "left", "right", "dog", "cat"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and two folders of pictures with equal names; one picture is damaged."""
    root = tmp_path_factory.mktemp("many")
    save_pretrained(build_model(presets.restr_tiny(vocab=len(WORDS)), seed=0), WORDS, root / "model")
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (root / folder).mkdir()
        for number in range(4):
            size = (30 + 9 * number, 60 - 8 * number, 3)
            Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(root / folder / f"p{number}.png")
    (root / "a" / "p3.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    return root


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["--no-json", "--json"])
def test_files_lines_and_names_are_those_of_one_worker(root, form, monkeypatch, capsys) -> None:
    import torch

    monkeypatch.chdir(root)
    kinds = "mask" if form == "--json" else "overlay,mask"
    flag = ["--json"] if form == "--json" else []
    words = [
        "a",
        "b",
        "--text",
        "the left dog",
        "--text",
        "cat",
        "--model",
        "model",
        "--save",
        f"{kinds},coco",
        *flag,
    ]
    said, written, before = [], [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for workers in ("1", "3"):
            out = root / f"out{form}"
            assert main(["predict", *words, "--workers", workers, "--out", str(out)]) == 1
            captured = capsys.readouterr()
            assert "1 of 8 failed" in captured.err and "a/p3.png" in captured.err
            said.append(captured.out + captured.err)
            written.append(files_of(out))
            for path in out.iterdir():
                path.unlink()
    finally:
        torch.set_num_threads(before)
    assert said[0] == said[1] and written[0] == written[1]
    assert len(written[0]) > 10 and any("-2.mask.png" in name for name in written[0]), "pictures of one name"


def test_a_negative_number_of_workers_is_told(root, monkeypatch, capsys) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit, match="2"):
        main(["predict", "a", "cat", "--model", "model", "--workers", "-1"])
    assert "workers" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_ends_at_once_without_half_written_files(root) -> None:
    tasks = root / "tasks.jsonl"
    tasks.write_text('{"image": "b/p1.png", "text": "dog"}\n' * 5000)
    command = [sys.executable, "-m", "restr", "predict", "tasks.jsonl", "--model", "model", "--workers", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    process = subprocess.Popen(
        [*command, "--out", "stopped"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    assert process.stdout is not None and process.stdout.readline()  # it is at work
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and said.decode().splitlines() == ["restr predict: stopped"]
    assert time.monotonic() - start < 20
    for path in (root / "stopped").iterdir():
        assert path.name.endswith(".png") and not path.name.startswith(".")
        Image.open(path).load()


def test_each_region_is_saved_listed_and_annotated(root, monkeypatch, capsys) -> None:
    monkeypatch.chdir(root)
    words = ["predict", "b", "the left dog", "--model", "model", "--threshold", "0.49", "--out", "each", "--each"]
    assert main([*words, "--json", "--save", "mask,coco"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counts = [len(line["instances"]) for line in lines]
    assert max(counts) > 1, "this model's masks fall apart"
    annotations = json.loads((root / "each" / "results.coco.json").read_text())["annotations"]
    assert len(annotations) == sum(max(1, count) for count in counts)
    for line, count in zip(lines, counts, strict=True):
        assert sum(each["area"] for each in line["instances"]) + line["specks"]["area"] == line["area"]
        assert set(line["files"]) == {"mask", *(f"{number}.mask" for number in range(1, count + 1))}
        for number, each in enumerate(line["instances"], 1):
            picture = np.asarray(Image.open(line["files"][f"{number}.mask"]))
            np.testing.assert_array_equal(picture > 0, rle_decode(each["rle"]))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.count("\n  2: score ") == sum(count > 1 for count in counts)
