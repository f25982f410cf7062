"""``restr predict clip.mp4``: as for pictures, with a video in place of a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from restr.cli.main import main
from restr.cli.predicting import video
from restr.inference.segmenter import Segmenter
from small_clips import red_segmenter, square_at, times_of, write_clip

TEXT = "the square"


@pytest.fixture(autouse=True)
def _red(monkeypatch) -> None:
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda *_, **__: red_segmenter())


def test_a_video_becomes_an_mp4_and_lines(tmp_path, capsys) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    assert main(["predict", str(clip), TEXT, "--out", str(tmp_path / "out")]) == 0
    stem = tmp_path / "out" / "a-the-square"
    assert capsys.readouterr().out.splitlines() == [
        f"{clip}: 'the square' found in 12 of 12 frames",
        f"  {stem}.rle.jsonl",
        f"  {stem}.overlay.mp4",
    ]
    assert len(times_of(Path(f"{stem}.overlay.mp4"))) == 12


def test_its_options_reach_it(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    options = ["--every", "2", "--smooth", "0.5", "--start", "0:00.3", "--end", "0.8", "--save", "rle"]
    assert main(["predict", str(clip), TEXT, "--out", str(tmp_path / "out"), *options]) == 0
    (path,) = (tmp_path / "out").iterdir()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["time"] for row in rows] == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert [row["computed"] for row in rows] == [True, False, True, False, True]


def test_json_alone_prints_a_line_for_each_frame_and_writes_nothing(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    clip = write_clip(tmp_path / "a.mp4")
    assert main(["predict", str(clip), TEXT, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frame"] for row in rows] == list(range(12))
    assert rows[0]["image"] == str(clip) and rows[0]["found"] and rows[0]["rle"]["size"] == [48, 64]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_json_with_files_prints_a_line_for_each_text(tmp_path, capsys) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    options = ["--text", TEXT, "--text", "the sky", "--json", "--save", "mask", "--out", str(tmp_path / "out")]
    assert main(["predict", str(clip), *options]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["text"], row["frames"], row["found"]) for row in rows] == [(TEXT, 12, 12), ("the sky", 12, 12)]
    assert all(Path(row["files"]["mask"]).is_dir() for row in rows)


def test_pictures_and_videos_together(tmp_path, capsys) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    Image.fromarray(square_at(0)).save(tmp_path / "b.png")
    assert main(["predict", str(tmp_path / "b.png"), str(clip), TEXT, "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "b-the-square.overlay.png", "b-the-square.mask.png", "a-the-square.overlay.mp4", "a-the-square.rle.jsonl"
    }  # fmt: skip


def test_a_damaged_video_does_not_stop_the_next(tmp_path, capsys) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    clip = write_clip(tmp_path / "b.mp4")
    arguments = ["predict", str(tmp_path / "a.mp4"), str(clip), TEXT, "--out", str(tmp_path / "out"), "--save", "rle"]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "a.mp4 is no video, is damaged, or was cut short" in said.err and "found in 12" in said.out


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["b.png", TEXT, "--every", "2"], "--every is for videos, and none of the images is one", 2),
        (["a.mp4", TEXT, "--each"], "--each is for pictures", 2),
        (["a.mp4", TEXT, "--end", "later"], "--end is 'later'; it must be seconds", 2),
        (["a.mp4", TEXT, "--smooth", "1"], "smooth is 1.0; it must be from 0", 1),
        (["a.mp4", TEXT, "--save", "cutout"], "cannot save 'cutout' of a video; choose from overlay, rle, mask", 1),
        (["a.mp4", TEXT, "--start", "9"], "no frame between 9 s and its end that can be read; it is 1.2 s long", 1),
        (["a.mp4"], "the text is missing", 2),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, capsys, monkeypatch, arguments, words, code) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4")
    Image.fromarray(square_at(0)).save(tmp_path / "b.png")
    assert main(["predict", *arguments]) == code
    assert words in capsys.readouterr().err


def test_without_the_extra_the_error_says_what_to_install(tmp_path, capsys, monkeypatch) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    for name in [name for name in sys.modules if name.startswith("restr.video")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["predict", str(clip), TEXT]) == 1
    assert "pip install 'restr[video]'" in capsys.readouterr().err


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(video.time, "monotonic", lambda: now[0])
    lines = video._Lines()
    for done in range(1, 101):
        lines("segmenting", done, 400)
        now[0] += 1
    assert capsys.readouterr().err.splitlines() == [
        "segmenting: frame 31 of 400, 1/s, 6 min left",
        "segmenting: frame 61 of 400, 1/s, 6 min left",
        "segmenting: frame 91 of 400, 1/s, 5 min left",
    ]
