"""``Segmenter.predict_many`` gives what the plain loop gives, in its order, whatever fails on the way."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from restr import Segmenter, build_model, presets
from restr.errors import ConfigError, ImageError, TextError
from restr.inference.backends.torch_backend import TorchBackend
from restr.inference.many.run import split_cores
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary

WORDS = ("the", "left", "right", "red", "blue")
SHAPES = ((40, 60), (64, 30), (90, 90), (33, 71))
SPLITS = (
    {"workers": 2, "threads": 1},
    {"workers": 3, "threads": 1, "helpers": 2},
    {"workers": 1, "threads": 1, "helpers": 2},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(presets.restr_tiny(vocab=len(Vocabulary(WORDS))), seed=0), Vocabulary(WORDS), path)
    return path


@pytest.fixture
def segmenter(folder):
    return Segmenter.from_pretrained(folder, device="cpu")


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*SHAPES[number % 4], 3), dtype=np.uint8) for number in range(count)]


@pytest.mark.parametrize("split", SPLITS, ids=str)
def test_results_are_those_of_the_loop_bit_by_bit_and_in_order(segmenter, split) -> None:
    items = [(image, ["the left", "red"] if number % 3 else "blue right") for number, image in enumerate(pictures(7))]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = [segmenter(image, [text] if isinstance(text, str) else text) for image, text in items]
    torch.set_num_threads(before)
    for number, found in enumerate(segmenter.predict_many(iter(items), **split)):
        assert found.index == number and found.error is None and found.image is items[number][0]
        assert [each.text for each in found.results] == [each.text for each in expected[number]]
        for got, want in zip(found.results, expected[number], strict=True):
            assert np.array_equal(got.prob, want.prob) and np.array_equal(got.mask, want.mask)
            assert (got.score, got.presence) == (want.score, want.presence)
    assert number == 6 and torch.get_num_threads() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_stay_with_their_item(segmenter, workers, tmp_path) -> None:
    good = pictures(1)[0]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    items = [(good, "left"), (tmp_path / "broken.jpg", "left"), (good, "?!"), (ImageError("as given"), "left"),
             (tmp_path / "missing.png", "left"), (good, "right")]  # fmt: skip
    found = list(segmenter.predict_many(items, workers=workers))
    assert [type(each.error) for each in found] == [
        type(None), ImageError, TextError, ImageError, ImageError, type(None)
    ]  # fmt: skip
    assert str(found[3].error) == "as given" and [len(each.results) for each in found] == [1, 0, 0, 0, 0, 1]
    got = []
    with pytest.raises(TextError):
        for each in segmenter.predict_many([items[0], *items[2:]], workers=workers, on_error="raise"):
            got.append(each.index)
    assert got == [0]


def test_an_unexpected_exception_is_raised_and_ends_the_threads(segmenter) -> None:
    def then(results):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(segmenter.predict_many([(image, "left") for image in pictures(4)], workers=2, then=then))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("restr-many")]


def test_then_runs_in_the_workers_and_takes_the_place_of_the_results(segmenter) -> None:
    found = list(
        segmenter.predict_many(
            ((image, "left") for image in pictures(6)),
            workers=2,
            then=lambda results: (threading.current_thread().name, results[0].area),
        )
    )
    assert all(each.results == [] and each.made[0].startswith("restr-many") for each in found)
    assert [each.made[1] for each in found] == [segmenter(image, "left").area for image in pictures(6)]


def test_closing_early_ends_the_threads_and_returns_their_number(segmenter) -> None:
    before, taken = torch.get_num_threads(), []

    def endless():
        while True:
            taken.append(1)
            yield pictures(1)[0], "left"

    found = segmenter.predict_many(endless(), workers=2)
    assert next(found).index == 0 and torch.get_num_threads() == 1
    found.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("restr-many")]
    assert torch.get_num_threads() == before and len(taken) <= 6


@pytest.mark.parametrize(("count", "split"), [(1, {"workers": 4}), (5, {"workers": 1}), (0, {"workers": 2})])
def test_one_item_or_one_worker_needs_no_thread(segmenter, count, split) -> None:
    seen = []
    items = ((image, "left") for image in pictures(count))
    for _ in segmenter.predict_many(items, then=lambda _: seen.append(threading.current_thread()), **split):
        pass
    assert seen == [threading.main_thread()] * count


def test_equal_pictures_are_encoded_once(segmenter, monkeypatch) -> None:
    encoded = Counter()
    encode = TorchBackend.encode_images

    def counted(self, images):
        encoded[images.tobytes()] += 1
        return encode(self, images)

    monkeypatch.setattr(TorchBackend, "encode_images", counted)
    items = [(image, "left") for image in pictures(2) for _ in range(4)]
    assert len(list(segmenter.predict_many(items, workers=3))) == 8
    assert set(encoded.values()) == {1} and len(encoded) == 2


def test_attention_is_recorded_one_by_one(segmenter) -> None:
    items = [(image, "the left") for image in pictures(4)]
    wanted = [segmenter(image, text, attention=True).attention for image, text in items]
    for want, found in zip(wanted, segmenter.predict_many(items, attention=True, helpers=1), strict=True):
        np.testing.assert_allclose(found.results[0].attention.patches, want.patches, atol=1e-6)
    with pytest.raises(ConfigError, match="one by one"):
        segmenter.predict_many(items, attention=True, workers=2)


@pytest.mark.parametrize(
    "options", [{"workers": -1}, {"threads": 1.5}, {"helpers": -1}, {"window": -2}, {"on_error": "ignore"}]
)
def test_impossible_settings_are_refused_before_any_work(segmenter, options) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        segmenter.predict_many([], **options)


def test_an_item_that_is_no_pair_is_told(segmenter) -> None:
    with pytest.raises(ConfigError, match=r"item 1 .* pair"):
        list(segmenter.predict_many([(pictures(1)[0], "left"), "left"], workers=2))


def test_cores_are_divided_among_workers(segmenter, monkeypatch) -> None:
    def split(workers=0, threads=0, helpers=None, attention=False):
        return tuple(split_cores(segmenter.backend, workers, threads, helpers, attention))

    monkeypatch.setattr(TorchBackend, "thread_count", lambda self: 16)
    assert split() == (8, 2, 0) and split(workers=4) == (4, 4, 0) and split(threads=8) == (2, 8, 0)
    assert split(attention=True) == (1, 16, 1) and split(workers=1, helpers=3) == (1, 16, 3)
    monkeypatch.setattr(TorchBackend, "thread_count", lambda self: 2)
    assert split() == (2, 1, 0) and split(workers=1) == (1, 2, 0)
    monkeypatch.setattr(TorchBackend, "thread_count", lambda self: 1)
    assert split() == (1, 1, 0) and split(attention=True) == (1, 1, 0)


def test_the_readme_of_many_pictures(segmenter, tmp_path) -> None:
    """Paths, as most callers have them."""
    for number, image in enumerate(pictures(3)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.iterdir())
    found = segmenter.predict_many(((path, "the left") for path in paths), workers=2)
    assert [each.results[0].name for each in found] == ["0", "1", "2"]
