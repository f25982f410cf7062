"""recipes/restr_p8: its command lines on drawn scenes, and the views that training sees."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restr.data.generated import vocabulary
from restr.data.sample import Sample, SampleList
from restr.masks import rle_encode
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from scripts import ROOT, load_script

FOLDER = "recipes/restr_p8"
WORDS = vocabulary()
CONFIG = restr_tiny(vocab=len(WORDS))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The recipe's files import each other by their names."""
    monkeypatch.syspath_prepend(str(ROOT / FOLDER))
    yield
    for name in ("crops", "measure"):
        sys.modules.pop(name, None)


def test_from_a_model_to_its_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_pretrained(build_model(CONFIG, seed=0), WORDS, tmp_path / "model")
    start, train, measure = (load_script(f"{FOLDER}/{name}.py") for name in ("start", "train", "measure"))
    common = ["--data", "generated", "--model", str(tmp_path / "model")]
    assert start.main([*common, "--patch", "2", "--fit", "2", "--out", str(tmp_path / "start")]) == 0
    assert "weighted variance" in capsys.readouterr().out
    before, _ = load_pretrained(tmp_path / "start")
    assert before.config.vision.patch == 2 and before.config.vision.blocks.attention == "windowed"

    options = ["--data", "generated", "--sentences", "8", "--steps", "2", "--pictures", "1", "--sizes", "32,32,64"]
    for model in ("model", "start"):
        run = tmp_path / f"run of {model}"
        arguments = ["--model", str(tmp_path / model), "--out", str(run), "--autocast", "off"]
        assert train.main([*options, *arguments]) == 0
        after, words = load_pretrained(run / "model")
        assert len(words) == len(WORDS) and after.config == load_pretrained(tmp_path / model)[0].config
        first, second = (dict(each.state_dict().items()) for each in (load_pretrained(tmp_path / model)[0], after))
        changed = {name.split(".")[0] for name in first if not torch.equal(first[name], second[name])}
        assert changed == {"vision", "fusion", "decoder"}

    data = written(tmp_path / "data")
    capsys.readouterr()
    for model in ("model", "start"):
        out = str(tmp_path / f"measured {model}")
        some = ["--data", data, "--model", str(tmp_path / model), "--out", out]
        assert measure.main([*some, "--precision", "fp32"]) == 0
        table = capsys.readouterr().out
        assert measure.main(some) == 0 and capsys.readouterr().out == table  # read, not measured again
        assert "| all |" in table and "| under 2% of the picture |" in table
    assert measure.main([*some, "--against", str(tmp_path / "measured model")]) == 0
    lines = (tmp_path / "measured start" / "records.jsonl").read_text().splitlines()
    gains = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and gains[2].startswith("| all | 3 |") and " to " in gains[2]
    assert {"share", "thin", "boundary_iou"} <= json.loads(lines[0]).keys()


def test_the_sheet_shows_gains_and_losses(tmp_path: Path) -> None:
    outlines = load_script(f"{FOLDER}/outlines.py")
    samples = list(scene())
    square = samples[0].mask
    grown = np.roll(square, 1, 0) | square
    for name, masks in {"one": (square, grown), "two": (grown, square)}.items():
        lines = [
            {
                "id": f"{place}",
                "image_id": f"{place}",
                "text": "it",
                "share": 0.01,
                "iou": 0.9,
                "thin": float(mask is square),
            }
            | {"prediction": rle_encode(mask)}
            for place, mask in enumerate(masks)
        ]
        (tmp_path / name).mkdir()
        (tmp_path / name / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    first, second = (
        {line["id"]: line for line in outlines.read_lines(tmp_path / name / "records.jsonl")} for name in ("one", "two")
    )
    assert outlines.chosen(first, second, 3) == (["1"], ["0"])
    drawn = np.asarray(outlines.cell(square, (square, np.zeros_like(square))))
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3)}
    assert colours == {outlines.PAPER, outlines.SHAPE, outlines.COLOURS["first"]}
    assert tuple(drawn[outlines.CELL // 2, outlines.CELL // 2]) == outlines.SHAPE  # inside the outline


def written(folder: Path) -> str:
    """``scene`` as a dataset."""
    folder.mkdir()
    samples = scene()
    Image.fromarray(samples[0].image).save(folder / "a.png")
    lines = [
        {"image": "a.png", "text": each.text, "mask": rle_encode(each.mask), "kind": each.kind} for each in samples
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"jsonl:{folder / 'data.jsonl'}"


def scene() -> SampleList:
    """One picture of 96 x 128 with a red square at the top left, a blue one at the bottom right, and "left"."""
    image = np.zeros((96, 128, 3), np.uint8)
    masks = np.zeros((2, 96, 128), bool)
    masks[0, 4:18, 8:22], masks[1, 70:90, 100:120] = True, True
    image[masks[0]], image[masks[1]] = (255, 0, 0), (0, 0, 255)
    said = (("red square", 0, "colour"), ("blue square", 1, "colour"), ("left square", 0, "position"))
    return SampleList(
        Sample(id=text, image=image, text=text, mask=masks[number], kind=kind, image_id="a")
        for text, number, kind in said
    )


def test_a_crop_has_only_sentences_that_are_true_there() -> None:
    views = load_script(f"{FOLDER}/crops.py").Views(
        scene(), Tokenizer.of(WORDS, CONFIG), CONFIG.framing, sizes=(32, 32, 64)
    )
    position = Tokenizer.of(WORDS, CONFIG)(["left square"])[0]
    for step in range(0, 32, 2):  # crops
        batch = views.batch(step)
        assert batch.image is not None and batch.image.shape == (1, 3, 32, 32) and batch.mask.shape[2:] == (16, 16)
        assert len(batch) == 2 and not any((row == torch.from_numpy(position[: len(row)])).all() for row in batch.ids)
        areas = sorted(float(mask.sum()) for mask in batch.mask)
        assert areas[0] == 0 and areas[1] > 0  # one thing is inside, the other is not there
        mine = batch.mask[batch.mask.flatten(1).sum(1) > 0][0, 0]
        colours = torch.nn.functional.avg_pool2d(batch.image, 2)[0]
        inside = colours[:, mine > 0.9].mean(1)
        assert inside.argmax() in (0, 2)


def test_a_whole_picture_keeps_all_sentences_and_its_shape() -> None:
    views = load_script(f"{FOLDER}/crops.py").Views(
        scene(), Tokenizer.of(WORDS, CONFIG), CONFIG.framing, sizes=(32, 64, 128)
    )
    for step, shape in ((1, (64, 64)), (7, (96, 128))):  # 48 x 64 pixels are rounded to whole 32
        batch = views.batch(step)
        assert batch.image is not None and batch.image.shape[2:] == shape and len(batch) == 3
        assert torch.equal(batch.ids, views.batch(step).ids) and torch.equal(batch.image, views.batch(step).image)  # type: ignore[arg-type]
        assert batch.mask.shape[2:] == (shape[0] // 2, shape[1] // 2)
        assert sorted(round(float(mask.mean()), 3) for mask in batch.mask)[0] == pytest.approx(196 / 96 / 128, abs=2e-3)
