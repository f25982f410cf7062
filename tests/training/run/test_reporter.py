"""Watching a run: the live view, the sheet of samples, the curves, the report."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from clock import Clock
from html_pages import Page
from restr.errors import DataError
from restr.model.build import build_model
from restr.report.overlay import TRUTH
from restr.text.tokenizer import Tokenizer
from restr.training.config import TrainConfig
from restr.training.run import reporter, sheet
from restr.training.run.live import LiveView, sparkline
from restr.training.run.log import read
from restr.training.run.meter import Meter
from restr.training.run.report import write_run_report
from small_runs import WORDS, samples, small_config

TOKENIZER = Tokenizer(WORDS, 16)


# --- the live view -------------------------------------------------------------------------------------------------


def test_without_a_terminal_each_show_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with LiveView(10, 4, clock=clock) as view:
        clock.now = 60.0
        view.advance(6)
        view.show(6, {"step": 6, "loss": 0.123456, "lr": 1e-3})
        view.show(6, {"val_miou": 0.5})
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "step 6/10  loss 0.1235  lr 0.001  eta 0:02:00\nstep 6/10  val_miou 0.5\n"
    with LiveView(10, silent=True) as view:
        view.show(1, {"loss": 1.0})
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_panel_that_keeps_the_newest_of_each_number() -> None:
    clock, screen = Clock(), io.StringIO()
    console = Console(file=screen, force_terminal=True, width=110, color_system=None)
    with LiveView(1000, 0, title="restr train", console=console, clock=clock) as view:
        view.show(50, {"loss": 2.0})
        view.show(50, {"val_miou": 0.25, "val_best": 0.375})
        clock.now = 100.0
        view.advance(100)
        view.show(100, {"loss": 1.0, "mfu": 0.41, "data_wait": 0.02, "memory_gb": 1.5, "lr": 1e-3})
    last = screen.getvalue().rpartition("restr train")[2]
    for part in ("100 / 1,000", "ETA 0:15:00", "1.50 GB", "41.0%", "2.0%", "25.0", "37.5", "0.001", "█▁"):
        assert part in last, part
    view.advance(40)  # back to a checkpoint: the pace is measured anew
    clock.now = 110.0
    view.advance(50)
    assert view._left() == "0:15:50"
    assert sparkline([1.0, 1.0]) == "▁▁" and sparkline([0.0, 0.5, 1.0]) == "▁▅█"


# --- all of it -----------------------------------------------------------------------------------------------------


class Kept:
    """A logger that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple] = []

    def log(self, step, values) -> None:
        self.got.append((step, dict(values)))

    def picture(self, step, name, path) -> None:
        self.got.append((step, name, path.name))

    def close(self) -> None:
        self.got.append(("closed",))


def test_a_watch_tells_the_log_the_people_and_the_loggers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, asked = Kept(), []
    monkeypatch.setattr(reporter, "open_loggers", lambda *words, **named: asked.append((words, named)) or [kept])
    config = TrainConfig(steps=9, loggers=("tensorboard",))
    (tmp_path / "run.json").write_text('{"settings": {"data": "x"}}')
    (tmp_path / "log.jsonl").write_text('{"step": 4, "loss": 2.0}\n{"step": 6, "loss": 1.0}\n')
    sheet.sheet_path(tmp_path, 6).parent.mkdir()
    Image.new("RGB", (4, 4)).save(sheet.sheet_path(tmp_path, 6))
    meter = Meter(torch.device("cpu"))
    with reporter.RunReporter(config, tmp_path, meter, start=4) as told:
        told.advance(5)
        meter.step(3)
        told.trained(5, {"loss": 0.5})
        told.evaluated(6, {"miou": 0.25}, 0.75)
        told.rewind(5)
    assert asked == [((("tensorboard",), tmp_path, {"data": "x"}), {"start": 4})]
    lines = read(tmp_path / "log.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(4, 2.0), (5, 0.5)]  # what came after 5 is forgotten
    assert lines[1]["samples_per_s"] > 0 and lines[1]["data_wait"] == 0 and "minutes" in lines[1]
    (first, numbers), *others = kept.got
    assert first == 5 and numbers["loss"] == 0.5 and numbers["samples_per_s"] > 0
    assert others == [(6, {"val_miou": 0.25, "val_best": 0.75}), (6, "sheet", "step-00000006.png"), ("closed",)]
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith("step 5/9  loss 0.5") and printed[1] == "step 6/9  val_miou 0.25  val_best 0.75"


def test_a_silent_watch_says_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(steps=2, loggers=("tensorboard",))
    with reporter.RunReporter(config, tmp_path / "run", Meter(torch.device("cpu")), silent=True) as told:
        told.trained(1, {"loss": 0.5})
        told.evaluated(1, {"miou": 0.25}, None)
    assert not (tmp_path / "run").exists() and capsys.readouterr().err == ""


# --- pictures ------------------------------------------------------------------------------------------------------


def test_a_sheet_shows_at_most_eight_samples_with_their_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(small_config(), seed=0).eval()
    few = [dataclasses.replace(sample, text=f"{sample.text} " * 30) for sample in samples()]
    sheet.draw_sheet(model, few[:1], TOKENIZER, tmp_path / "new" / "one.png", title="step 1")
    sheet.draw_sheet(model, few, TOKENIZER, tmp_path / "all.png")
    with Image.open(tmp_path / "new" / "one.png") as one, Image.open(tmp_path / "all.png") as every:
        assert every.width > one.width and every.height > 3 * one.height
        eight = every.size
    monkeypatch.setattr(sheet, "predict", lambda model, samples, tokenizer: np.stack([s.mask for s in samples]))
    sheet.draw_sheet(model, few[:8], TOKENIZER, tmp_path / "right.png")
    with Image.open(tmp_path / "right.png") as right:
        assert right.size == eight
        colours = {colour for _, colour in right.getcolors(1 << 20) or []}
    good, poor = sheet.LEVELS[0][1], sheet.LEVELS[-1][1]
    assert TRUTH in colours and good in colours and poor not in colours  # all bars are green


def test_curves_get_a_second_row_where_the_log_knows_more(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from restr.training.run.curves import plot_curves

    log = tmp_path / "log.jsonl"
    heights = []
    for more in ({}, {"grad_norm": 0.5, "weight_norm": 9.0, "lr": 1e-3, "samples_per_s": 80.0}):
        log.write_text("".join(json.dumps({"step": s, "loss": 1 / s, "iou": 0.1 * s} | more) + "\n" for s in (1, 2, 3)))
        plot_curves(log, tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as picture:
            heights.append(picture.height)
    assert heights[1] > 1.5 * heights[0]


# --- the report ----------------------------------------------------------------------------------------------------


def left_by_a_run(folder: Path) -> None:
    """What a run of three steps leaves."""
    record = {
        "verb": "train", "command": "restr train --out <b>&", "begun": "2026-01-02T03:04:05+00:00", "step": 3,
        "ended": "2026-01-02T03:05:05+00:00", "stopped": None, "settings": {"data": "x<y", "train": {"lr": 0.125}},
        "torch": "9.9", "git": "abc123", "metrics": {"miou": 0.4567, "oiou": 0.5},
    }  # fmt: skip
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    line = {"loss": 0.25, "samples_per_s": 80.0, "data_wait": 0.125, "memory_gb": 1.5, "mfu": 0.375, "minutes": 1.0}
    (folder / "log.jsonl").write_text("".join(json.dumps({"step": step, **line}) + "\n" for step in (1, 2, 3)))
    (folder / "sheets").mkdir()
    for name in ("curves.png", "sheets/step-1.png", "sheets/step-2.png", "sheets/step-3.png"):
        Image.new("RGB", (4, 4)).save(folder / name)


def test_the_report_needs_no_other_file_and_says_all_that_was_left(tmp_path: Path) -> None:
    left_by_a_run(tmp_path / "run")
    path = write_run_report(tmp_path / "run")
    text = path.read_text()
    page = Page(text)
    assert path == tmp_path / "run" / "report.html" and page.open == []
    said = " ".join(page.texts)
    for part in (
        "train: run", "finished", "0:01:00", "45.7", "0.4567", "80.0", "12.5%", "1.50 GB", "37.5%", "train.lr", "0.125", "x<y",
        "9.9", "git abc123", "restr train --out <b>&", "restr train --config", "first: step-1", "last: step-3",
    ):  # fmt: skip
        assert part in said, part
    pictures = [str(attributes["src"]) for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3 and all(source.startswith("data:image/png;base64,") for source in pictures)
    assert "step-2" not in said and "http" not in text and "url(" not in text and "<b>&" not in text
    assert "prefers-color-scheme: dark" in text and "script" not in dict(page.tags)


def test_the_report_of_a_run_that_was_killed_leaves_out_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="restr runs lists them"):
        write_run_report(tmp_path)
    (tmp_path / "run.json").write_text('{"verb": "train", "settings": {}}')
    said = " ".join(Page(write_run_report(tmp_path).read_text()).texts)
    assert "running or killed" in said and "Curves" not in said and "Measures" not in said and "Speed" not in said
    (tmp_path / "log.jsonl").write_text('{"step": 4, "loss": 0.5}\n{"step": 4, "val_miou": 0.125}\n')
    said = " ".join(Page(write_run_report(tmp_path).read_text()).texts)
    assert "after step 4" in said and "12.5" in said and "0.1250" in said
