"""Pictures encoded together give what they give alone, but for rounding; what fails is its own picture's error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from counted_pictures import encoded_counts
from restr import Segmenter, build_model, presets
from restr.errors import ConfigError, ImageError
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.many.batched import predict_batched
from restr.text.vocabulary import Vocabulary


@pytest.fixture
def segmenter() -> Iterator[Segmenter]:
    words = Vocabulary(("the", "left", "red"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads compute in turn, each with helpers of its own that wait for work
    yield Segmenter(build_model(presets.restr_tiny(vocab=len(words)), seed=0), words, device="cpu")
    torch.set_num_threads(before)


def items(count: int) -> list[tuple[Any, list[str]]]:
    rng = np.random.default_rng(0)
    shapes = ((40, 60), (40, 60), (64, 30))
    return [
        (rng.integers(0, 256, (*shapes[number % 3], 3), np.uint8), ["left"] * (number % 6 + 1))
        for number in range(count)
    ]


def test_results_are_in_order_and_pictures_of_one_size_are_encoded_together(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = items(10)
    expected = [[result.prob for result in segmenter(image, texts)] for image, texts in given]
    counts = encoded_counts(monkeypatch, "encode_images")
    found = predict_batched(segmenter, iter(given), batch=6, helpers=2, then=lambda some: [each.prob for each in some])
    for number, each in enumerate(found):
        assert each.index == number and each.error is None and len(each.made) == len(expected[number])
        for prob, alone in zip(each.made, expected[number], strict=True):
            assert np.allclose(prob, alone, atol=1e-5)
    assert number == 9 and counts == [4, 2, 3, 1]


def test_a_bad_picture_fails_alone(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    given = items(6)
    given[1] = (b"no picture", ["left"])
    given[2] = (ImageError("not fetched"), ["left"])
    encode = TorchBackend.encode_images

    def refusing(self: TorchBackend, images: np.ndarray) -> Any:
        if any(np.array_equal(image, refused) for image in images):
            raise ImageError("too large for an export")
        return encode(self, images)

    refused = segmenter.framing.prepare(given[4][0])
    monkeypatch.setattr(TorchBackend, "encode_images", refusing)
    found = list(predict_batched(segmenter, given, batch=4, helpers=1, then=lambda some: [each.area for each in some]))
    assert [str(each.error)[:11] if each.error else "" for each in found] == [
        "",
        "the image o",
        "not fetched",
        "",
        "too large f",
        "",
    ]
    with pytest.raises(ConfigError, match="batch is 0"):
        list(predict_batched(segmenter, given, batch=0, helpers=1, then=list))
