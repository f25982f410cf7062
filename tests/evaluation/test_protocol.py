"""The same probabilities under each protocol give different numbers, worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from oracles import Framed
from restr import Segmenter
from restr.data.sample import Sample
from restr.errors import ConfigError
from restr.evaluation.evaluate import evaluate
from restr.evaluation.protocol import PROTOCOLS, EvalProtocol, protocol
from small_exports import WORDS, shallow_model


@dataclass
class Answer:
    prob: np.ndarray
    threshold: float
    score: float = 0.5
    presence: float | None = None
    present: bool = True

    @property
    def mask(self) -> np.ndarray:
        return self.prob >= self.threshold


class Painter(Framed):
    """Answers with the probabilities that the image itself holds: red / 200."""

    def __call__(
        self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
    ) -> list[Answer]:
        assert threshold is not None
        return [Answer(image[..., 0].astype(np.float32) / 200, threshold) for _ in text]


def painted(
    values: list[list[int]], target: list[list[int]], *, scale: int = 120, text: str = "it", name: str = "a"
) -> Sample:
    grow = np.ones((scale, scale), np.uint8)
    image = np.repeat(np.kron(np.array(values, np.uint8), grow)[..., None], 3, 2)
    return Sample(id=name, image=image, text=text, mask=np.kron(np.array(target, np.uint8), grow) > 0, image_id=name)


def scores(name: str, samples: list[Sample]) -> dict[str, float]:
    return evaluate(Painter(), samples, protocol=protocol(name), control=False).overall


def test_the_worked_example_of_the_documentation() -> None:
    """Probabilities 1, 0.5, 0.4, 0: who counts 0.5, who 0.4, and what nothing against nothing is worth.

    The first photograph has four columns, of which the first two are true; the second holds nothing, and nothing is found.
    """
    samples = [
        painted([[200, 100, 80, 0]], [[1, 1, 0, 0]], name="a"),
        painted([[0, 0, 0, 0]], [[0, 0, 0, 0]], name="b"),
    ]
    half, two_thirds = (1 / 2 + 1) / 2, 2 / 3 / 2
    assert scores("own", samples)["miou"] == 1.0  # >= 0.5 takes the second column; both empty counts 1
    assert scores("lisa", samples)["miou"] == half  # > 0.5 does not
    assert scores("cris", samples)["miou"] == pytest.approx(two_thirds)  # > 0.35 takes the third too; empty counts 0
    assert scores("lavt", samples)["miou"] == pytest.approx(0.25)  # > 0.5 at 480 x 480; empty counts 0
    assert scores("rela", samples)["miou"] == pytest.approx(half)
    assert scores("restr", samples)["miou"] == 1.0


def test_pixels_count_differently_at_the_models_size() -> None:
    """A tall and a wide photograph weigh alike at 480 x 480, and by their pixels at the original size."""
    wide = painted([[200, 200, 200, 200]], [[1, 1, 1, 1]], scale=16, name="wide")  # right, 1024 pixels
    small = painted([[0, 0]], [[1, 1]], scale=16, name="small")  # wrong, 512 pixels
    assert scores("restr", [wide, small])["oiou"] == pytest.approx(2 / 3)
    assert scores("lavt", [wide, small])["oiou"] == pytest.approx(1 / 2)


def test_joined_sentences_are_one_sample() -> None:
    joined = EvalProtocol(name="joined", joined=True)
    one = painted([[200, 0]], [[1, 0]], text="left")
    two = Sample(id="b", image=one.image, text="red one", mask=one.mask, image_id=one.image_id)
    result = evaluate(Painter(), [one, two], protocol=joined, control=False)
    assert [record.text for record in result.records] == ["left. red one"]
    assert "one sample = one region, its sentences joined" in result.protocol


def test_a_protocol_frames_the_segmenter_in_its_own_patches() -> None:
    """20 pixels are five patches of this model, and none of a model with patches of 16."""
    segmenter = Segmenter(shallow_model(), WORDS, device="cpu")
    small = EvalProtocol(name="small", size=20, fit="square", measured_at="model")
    result = evaluate(segmenter, [painted([[200, 0]], [[1, 0]], scale=16, text="left")], small)
    assert result.records[0].prediction["size"] == [20, 20] and result.protocol.startswith("small: input 20 ")
    assert segmenter.framing.size == 64 and segmenter.framing.patch == 4


@pytest.mark.parametrize("name", PROTOCOLS)
def test_its_name_comes_first(name: str) -> None:
    assert protocol(name).describe(Framed.framing).startswith(f"{name}: input ")


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of own, restr, lavt, cris, rela, lisa"):
        protocol("lvat")
    with pytest.raises(ConfigError, match="threshold is 1.5"):
        EvalProtocol(name="x", threshold=1.5)
    with pytest.raises(ConfigError, match="fit is 'round'"):
        EvalProtocol(name="x", fit="round")  # type: ignore[arg-type]


def test_a_centred_letterbox_is_measured_where_it_lies() -> None:
    centred = EvalProtocol(name="centred", size=64, fit="letterbox", measured_at="model")
    framing = replace(centred.framing(Framed.framing), place="centre")
    mask = np.zeros((32, 64), bool)
    mask[:16, :32] = True
    image = np.repeat(mask[..., None] * np.uint8(255), 3, 2)
    framed, (found,) = centred.frame(image, [mask], framing)
    assert found.shape == (64, 64) and found[16:32, :32].all() and found.sum() == mask.sum()
    assert (framed[found] == 255).all(), "image and mask lie in the same place"
    assert "input 64 (letterbox, centred)" in centred.describe(framing)
