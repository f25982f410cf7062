"""A clip from end to end, interrupted at any place, and at last the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr import Segmenter
from restr.errors import ConfigError, OutputError, VideoError
from restr.inference.tracking.smoothing import TrackSettings
from restr.masks import rle_decode
from restr.video import predict
from restr.video.clip import read_frames
from restr.video.predict import clip_rows, predict_clip
from restr.video.records import MaskRecords
from restr.video.request import ClipRequest
from small_clips import UNEVEN, RedBackend, red_segmenter, sound_of, square_at, times_of, write_clip

ALL = ("overlay", "rle", "mask")


def quiet(step: str, done: int, total: int) -> None:
    pass


def seen_by(segmenter: Segmenter) -> int:
    assert isinstance(segmenter.backend, RedBackend)
    return segmenter.backend.seen


def request(clip: Path, **options) -> ClipRequest:
    return ClipRequest(clip=clip, **{"texts": ("the square",), "kinds": ALL, **options})


def contents(folder: Path) -> dict[str, object]:
    """The bytes of all files; of a video its frames and their times, as x264 now and then codes the same pictures otherwise."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): pictures(path) if path.suffix == ".mp4" else path.read_bytes() for path in files
    }


def pictures(path: Path) -> list[tuple[float, int]]:
    return [(frame.time, round(float(frame.image.mean()))) for frame in read_frames(path)]


def test_a_clip_from_end_to_end(tmp_path) -> None:
    clip = write_clip(tmp_path / "my clip.mp4", UNEVEN, sound="aac")
    told = []
    report = predict_clip(red_segmenter(), request(clip), tmp_path / "out", lambda *each: told.append(each))
    assert (report.frames, report.resumed, report.found, report.notes) == (12, 0, {"the square": 12}, [])
    files = report.files["the square"]
    assert [path.name for path in files.values()] == [
        "my-clip-the-square.rle.jsonl", "my-clip-the-square.mask", "my-clip-the-square.overlay.mp4"
    ]  # fmt: skip
    rows = [json.loads(line) for line in files["rle"].read_text().splitlines()]
    assert [row["time"] for row in rows] == pytest.approx([each / 1000 for each in UNEVEN])
    assert [row["frame"] for row in rows] == list(range(12)) and all(row["computed"] for row in rows)
    for number, row in enumerate(rows):
        mask = rle_decode(row["rle"])
        red = square_at(number)[..., 0] > 150
        assert np.count_nonzero(mask & red) > 0.9 * np.count_nonzero(mask | red)
        assert np.array_equal(np.asarray(Image.open(files["mask"] / f"{number:06}.png")) == 255, mask)
    assert times_of(files["overlay"]) == pytest.approx([each / 1000 for each in UNEVEN], abs=1e-4)
    assert sound_of(files["overlay"]) == sound_of(clip)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in files.values())
    assert told[0] == ("segmenting", 1, 12) and told[-1] == ("drawing", 12, 12)


def test_the_overlay_shows_the_thing_and_dims_the_rest(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", size=(48, 63), frames=[square_at(number, (48, 63)) for number in range(12)])
    report = predict_clip(red_segmenter(), request(clip, kinds=("overlay",)), tmp_path / "out", quiet)
    image = next(read_frames(report.files["the square"]["overlay"])).image
    assert image.shape[1] == 64 and image.shape[0] % 2 == 0 and image.shape[0] > 48  # even, with a caption
    assert image[8:16, 4:12].mean(axis=(0, 1))[0] > 150  # inside
    assert 35 < image[30:45, 40:60].mean() < 70  # 90 before


def test_several_texts_have_a_video_each(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    segmenter = red_segmenter()
    report = predict_clip(segmenter, request(clip, texts=("the square", "the sky"), kinds=("rle",)), tmp_path, quiet)
    assert set(report.files) == {"the square", "the sky"} and seen_by(segmenter) == 12
    assert json.loads(report.files["the sky"]["rle"].read_text().splitlines()[3])["text"] == "the sky"


class Interrupted(KeyboardInterrupt):
    """As Ctrl-C."""


@pytest.mark.parametrize("settings", [{}, {"every": 3}, {"smooth": 0.6}, {"every": 4, "smooth": 0.8}], ids=str)
@pytest.mark.parametrize("stop", [("segmenting", 1), ("segmenting", 6), ("segmenting", 12), ("drawing", 5)], ids=str)
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path, settings, stop) -> None:
    clip = write_clip(tmp_path / "a.mp4", UNEVEN)
    asked = request(clip, settings=TrackSettings(**settings), kinds=("overlay", "rle"))
    predict_clip(red_segmenter(), asked, tmp_path / "whole", quiet)

    def interrupt(step: str, done: int, total: int) -> None:
        if (step, done) == stop:
            raise Interrupted

    with pytest.raises(Interrupted):
        predict_clip(red_segmenter(), asked, tmp_path / "out", interrupt)
    (partial,) = (tmp_path / "out").iterdir()
    assert partial.name == f"a-{asked.key()}.partial"
    segmenter = red_segmenter()
    report = predict_clip(segmenter, asked, tmp_path / "out", quiet)
    every = settings.get("every", 1)
    stopped_at = 12 if stop[0] == "drawing" else stop[1]
    kept = 12 if stop[0] == "drawing" else (stopped_at - 1) // every * every + 1
    assert report.resumed == kept and seen_by(segmenter) == len(range(0, 12, every)) - len(range(0, kept, every))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_killed_run_goes_on_from_what_it_kept(tmp_path, monkeypatch) -> None:
    """Nothing is written at the end of a killed process, and its last lines may be cut."""
    monkeypatch.setattr(predict, "_KEEP_SECONDS", 0.0)
    clip, asked = write_clip(tmp_path / "a.mp4"), None
    asked = request(clip, kinds=("rle",), settings=TrackSettings(smooth=0.5))
    predict_clip(red_segmenter(), asked, tmp_path / "whole", quiet)
    keep, calls = MaskRecords.keep, []

    def killed(self, **options) -> None:
        calls.append(options)
        if len(calls) > 5:
            for file in self._files:
                file.flush()
            raise Interrupted
        keep(self, **options)

    monkeypatch.setattr(MaskRecords, "keep", killed)
    with pytest.raises(Interrupted):
        predict_clip(red_segmenter(), asked, tmp_path / "out", quiet)
    monkeypatch.setattr(MaskRecords, "keep", keep)
    path = next((tmp_path / "out").glob("*.partial/masks-0.jsonl"))
    path.write_bytes(path.read_bytes()[:-7])
    assert predict_clip(red_segmenter(), asked, tmp_path / "out", quiet).resumed == 5
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["state", "masks"])
def test_damaged_remains_are_made_anew(tmp_path, damage) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    asked = request(clip, kinds=("rle",))

    def interrupt(step: str, done: int, total: int) -> None:
        if done == 7:
            raise Interrupted

    with pytest.raises(Interrupted):
        predict_clip(red_segmenter(), asked, tmp_path / "out", interrupt)
    (partial,) = (tmp_path / "out").iterdir()
    (partial / ("state.npz" if damage == "state" else "masks-0.jsonl")).write_bytes(b"PK half")
    report = predict_clip(red_segmenter(), asked, tmp_path / "out", quiet)
    assert (report.resumed, report.frames) == (0, 12)


def test_other_questions_do_not_share_remains(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    keys = {request(clip, **options).key() for options in ({}, {"texts": ("the sky",)}, {"start": 0.1}, {"end": 1.0},
            {"settings": TrackSettings(every=2)}, {"presence": 0.5}, {"threshold": 0.4}, {"model": "another"})}  # fmt: skip
    assert len(keys) == 8
    assert request(clip, kinds=("mask",), workers=1).key() in keys  # the masks are the same


def test_two_runs_do_not_write_one_file(tmp_path) -> None:
    records = MaskRecords(tmp_path / "a.partial", ["the square"])
    with pytest.raises(OutputError, match="in use by another run"):
        MaskRecords(tmp_path / "a.partial", ["the square"])
    records.close()
    MaskRecords(tmp_path / "a.partial", ["the square"]).remove()
    assert not (tmp_path / "a.partial").exists()


def test_the_same_again_writes_nothing_twice_and_another_replaces_nothing(tmp_path) -> None:
    clip, kinds = write_clip(tmp_path / "a.mp4"), ("rle", "mask")
    first, again, other = (
        predict_clip(red_segmenter(), request(clip, kinds=kinds, start=start), tmp_path / "out", quiet)
        for start in (None, None, 0.5)
    )
    assert first.files == again.files
    assert [path.name for path in other.files["the square"].values()] == [
        "a-the-square-2.rle.jsonl",
        "a-the-square-2.mask",
    ]
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_start_and_end_with_lines_that_say_the_clips_times(tmp_path) -> None:
    clip = write_clip(tmp_path / "a.mp4", UNEVEN)
    rows = list(clip_rows(red_segmenter(), request(clip, start=0.43, end=0.91, settings=TrackSettings(every=2))))
    assert [row["time"] for row in rows] == pytest.approx([0.433, 0.5, 0.9])
    assert [row["frame"] for row in rows] == [0, 1, 2] and [row["computed"] for row in rows] == [True, False, True]


def test_what_cannot_be_asked_is_said(tmp_path) -> None:
    clip = tmp_path / "a.mp4"
    with pytest.raises(ConfigError, match="cannot save 'cutout' of a video; choose from overlay, rle, mask"):
        request(clip, kinds=("cutout",))
    with pytest.raises(ConfigError, match="the end is 2 s; it must be later than the start, 3 s"):
        request(clip, start=3, end=2)
    clip.write_bytes(b"nothing")
    with pytest.raises(VideoError, match="no video"):
        predict_clip(red_segmenter(), request(clip), tmp_path / "out", quiet)
