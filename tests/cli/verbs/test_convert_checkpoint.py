"""``restr convert-checkpoint``: a checkpoint of the released program becomes a folder that ``restr predict`` reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from released_layout import SMALL, Sizes
from restr import Segmenter, presets
from restr.cli.main import main

WORDS = ["<pad>", "<go>", "<eos>", "<unk>", "the", "red", "cup", ".", "", ".", "left ,"]


@pytest.fixture
def convert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the verb on a small checkpoint, with a vocabulary file of so many lines; the program's widths are fixed."""
    monkeypatch.setattr(presets, "restr_released", SMALL.config)
    monkeypatch.chdir(tmp_path)

    def run(sizes: Sizes, lines: int | None = SMALL.rows) -> int:
        torch.save({name: torch.from_numpy(value) for name, value in sizes.checkpoint().items()}, "restr.pth")
        if lines is None:
            return main(["convert-checkpoint", "restr.pth", "--out", "model"])
        words = [*WORDS, *(f"word{number}" for number in range(lines - len(WORDS)))]
        Path("words.txt").write_text("".join(f"{word}\n" for word in words))
        return main(["convert-checkpoint", "restr.pth", "--vocabulary", "words.txt", "--out", "model"])

    return run


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        (
            SMALL,
            ["16 x 16 pixels, input 48 x 48", "2 visual-linguistic and 2 linguistic-seed blocks\n", "decoder of 4"],
        ),
        (replace(SMALL, stored=(1, 1), patch=8), ["8 x 8 pixels, input 24 x 24", "shared by all", "decoder of 3"]),
        (replace(SMALL, decoder=False), ["no decoder", "40 rows of words"]),
    ],
)
def test_it_says_what_it_recognised(convert, sizes: Sizes, says: list[str], capsys: pytest.CaptureFixture) -> None:
    assert convert(sizes) == 0
    printed = capsys.readouterr().out
    assert all(each in printed for each in says), printed
    assert sorted(path.name for path in Path("model").iterdir()) == ["config.json", "model.safetensors", "vocab.txt"]


def test_predict_reads_the_folder(convert, capsys: pytest.CaptureFixture) -> None:
    assert convert(SMALL) == 0
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    capsys.readouterr()
    assert main(["predict", "photo.png", "the red cups.", "--model", "model", "--json", "--threshold", "0.5"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == [30, 40]
    segmenter = Segmenter.from_pretrained("model", device="cpu")
    assert segmenter.framing.place == "centre"
    assert segmenter.tokenizer(["the red cups.", "cup"])[:, -3:].tolist() == [[4, 5, 3], [0, 0, 6]]
    # the same by hand: the program's rows as ids, the photograph in the middle of its square
    image = np.full((48, 48, 3), 128, np.uint8)
    image[6:42] = np.asarray(Image.fromarray(pixels).resize((48, 36), Image.Resampling.BICUBIC))
    ids = torch.tensor([[0] * 17 + [4, 5, 3]])
    with torch.inference_mode():
        logits = segmenter.model(torch.from_numpy(segmenter.framing.normalise(image))[None], ids).logits[0, 0]
    prob = np.asarray(Image.fromarray(logits.sigmoid().numpy()[6:42]).resize((40, 30), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(segmenter("photo.png", "the red cups.").prob, prob, rtol=0, atol=1e-5)


def test_mistakes_are_named(convert, capsys: pytest.CaptureFixture) -> None:
    assert convert(SMALL, lines=None) == 1
    assert "40 lines: --vocabulary FILE" in capsys.readouterr().err
    assert convert(SMALL, lines=39) == 1
    assert "words.txt has 39 lines, the checkpoint's word table has 40 rows" in capsys.readouterr().err
    assert not Path("model").exists()
    assert convert(SMALL) == 0
    assert convert(SMALL) == 1
    assert "model exists and is not empty; name a new folder" in capsys.readouterr().err
