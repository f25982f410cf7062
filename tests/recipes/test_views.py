"""recipes/restr_small: what a training step sees, photographs, masks and sentences in random views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from packed_data import batch_of, made_data, module, recipe_modules, view
from restr.config import PreprocessConfig
from restr.errors import DataError
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary

ONE, GROUP, ABSENT, CAPTION, GENERATED = range(5)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    with recipe_modules():
        yield


@pytest.mark.parametrize("mirror", [False, True])
def test_a_crop_of_whole_pixels_is_exactly_that(mirror: bool) -> None:
    data = made_data([(0, 0, ONE, False)])
    batch = batch_of(view((1.0, 30), (1.0, 15), mirror, (160, 192)), data)
    step = -1 if mirror else 1
    expected = data.masks[0, 15 : 15 + 160, 30 : 30 + 192].numpy()[:, ::step]
    assert 0 < expected.mean() < 1 and np.array_equal(batch.mask[0, 0].numpy(), expected)
    mean, std = (255 * np.array(v) for v in (PreprocessConfig().mean, PreprocessConfig().std))
    pixels = (data.photos[0, 15 : 15 + 160, 30 : 30 + 192].numpy()[:, ::step] - mean) / std
    np.testing.assert_allclose(batch.image[0].permute(1, 2, 0), pixels, atol=1e-5)


def resampled(
    plane: np.ndarray, x: tuple[float, float], y: tuple[float, float], mirror: bool, shape: tuple[int, int]
) -> Any:
    """What a view shows, pixel by pixel: the mean of what is around its source, weighted by a triangle."""
    along = []
    for (step, start), length, turned in ((y, shape[0], False), (x, shape[1], mirror)):
        weights = np.zeros((length, len(plane)))
        for i in range(length):
            source = start + ((length - 1 - i if turned else i) + 0.5) * step - 0.5
            reach = max(step, 1.0)
            for j in range(len(plane)):
                weights[i, j] = max(0.0, 1 - abs(source - j) / reach) / reach
        along.append(weights)
    return along[0] @ plane @ along[1].T


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("x", "y"), [((0.7, 80.5), (0.6, 70.25)), ((5.3, -20.0), (6.1, 3.0))])
def test_a_mask_follows_its_view(x: Any, y: Any, mirror: bool, stride: int) -> None:
    data, shape = made_data([(0, 0, ONE, False)]), (48, 64)
    drawn = view(x, y, mirror, shape)
    masks, seen = module("views").view_masks(drawn, data, torch.tensor([0]), stride, torch.float32)
    found = masks[0, 0].numpy()
    fine = max(stride // 2, 1)
    scaled = [(step * fine, start) for step, start in (x, y)]
    expected = resampled(data.masks[0].numpy(), scaled[0], scaled[1], mirror, (shape[0] // fine, shape[1] // fine))
    expected = expected.clip(0, 1)
    assert float(seen) == pytest.approx(expected.sum() * x[0] * y[0] * fine**2 / float(data.area[0]), rel=1e-4)
    if stride > 1:
        expected = expected.reshape(shape[0] // stride, 2, shape[1] // stride, 2).mean((1, 3))
    assert found.shape == (shape[0] // stride, shape[1] // stride) and 0 < expected.mean() < 0.9
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_mirrored_view_has_the_mirrored_sentence(tmp_path: Path) -> None:
    pack, packed, material = module("pack"), module("packed"), module("material")
    words = Vocabulary(["the", "left", "right", "dog", "red"])
    photograph = material.Photograph(("photos", "a.jpg"), (300, 400), True, False, {}, {})
    texts = ["the left dog", "the right dog", "the red dog"]
    sentences = [material.Sentence(0, (), text, "absent") for text in [*texts, "right behind the dog"]]
    pack.write_sentences([photograph], sentences, words, tmp_path)
    table = packed.Table.read(tmp_path / "sentences.npz")
    data = made_data([(0, -1, ABSENT, False)])._replace(table=table)
    tokens = Tokenizer(words, pack.WORDS, full=True)
    for mirror, expected in ((False, texts), (True, ["the right dog", "the left dog", "the red dog"])):
        batch = batch_of(view((1, 0), (1, 0), mirror, (96, 128), sentences=4), data)
        assert np.array_equal(batch.ids.numpy()[:3], tokens(expected))
        assert batch.weight.tolist() == [1, 1, 1, not mirror]  # who knows what the last one means in a mirror


def test_a_sentence_without_a_mirrored_form_does_not_count_in_a_mirror() -> None:
    data = made_data([(0, 0, ONE, False)], mirrored=np.zeros((1, 2), np.uint16))
    weights = [float(batch_of(view((1, 0), (1, 0), m, (300, 400)), data).weight) for m in (False, True)]
    assert weights == [1, 0]


def test_what_a_view_cuts_out_counts_as_absent_unless_the_sentence_says_where() -> None:
    data = made_data([(0, 0, ONE, False), (0, 0, ONE, True), (0, -1, ABSENT, False)])
    rows, columns = np.nonzero(data.masks[0].numpy())
    y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    beyond, half, most = (
        batch_of(view((1, x), (1, y0), False, (y1 - y0, 112), 3), data) for x in (x1, x0 + 65, x0 + 35)
    )
    assert beyond.present.tolist() == [0, 0, 0] and beyond.weight.tolist() == [1, 0, 1] and not beyond.mask.any()
    assert half.weight.tolist() == [0, 0, 1] and half.present.tolist() == [0, 0, 0]  # seen, but too little of it
    assert most.weight.tolist() == [1, 1, 1] and most.present.tolist() == [1, 1, 0]
    assert torch.allclose(most.box[0], torch.tensor([0, 0, 75 / 112, 1])) and not most.box[2].any()


def test_training_loses_words_and_changes_colours_but_no_masks() -> None:
    data = made_data([(0, 0, ONE, False)] * 100)
    drawn = view((1, 0), (1, 0), False, (48, 64), sentences=100)
    plain, train = (module("views").collate(drawn, data, 4, PreprocessConfig(), train=t) for t in (False, True))
    lost = (plain.ids != train.ids).float().mean().item()
    assert 0.005 < lost < 0.08 and (train.ids[plain.ids != train.ids] == 1).all()
    assert torch.equal(plain.mask, train.mask) and not torch.equal(plain.image, train.image)


def draws(data: Any, steps: int, photos: int = 8, each: int = 8, **options: Any) -> list[Any]:
    draw = module("draw").Draw(data, photos, each, (0, 0), (192, 256), **options)
    return [draw() for _ in range(steps)]


def test_draws_have_the_mix_of_kinds() -> None:
    kinds = (ONE, ABSENT, GENERATED, CAPTION)
    data = made_data([(p, -1 if k == ABSENT else p, k, False) for p in range(3) for k in kinds for _ in range(9)])
    rows = np.concatenate([drawn.sentence.ravel() for drawn in draws(data, 120)])
    counts = Counter(data.table.kind[rows].tolist())
    shares = [counts[kind] / len(rows) for kind in kinds]
    assert shares == pytest.approx([0.50, 0.26, 0.22, 0.02], abs=0.02)  # nothing is lent: absent takes that share


def test_a_crop_has_sentences_without_places_and_held_out_photographs_are_never_drawn() -> None:
    sentences = [(p, p, ONE, place) for p in range(4) for place in (False, True)]
    data = made_data(sentences, val=np.array([False, True, False, False]))
    for drawn in draws(data, 60):
        assert 1 not in drawn.photo and not drawn.borrowed.any()
        assert np.array_equal(data.table.photo[drawn.sentence], np.repeat(drawn.photo[:, None], 8, 1))
        height, width = 300, 400
        crop = (drawn.y[:, 0] * drawn.shape[0] < height * 0.85) | (drawn.x[:, 0] * drawn.shape[1] < width * 0.85)
        assert not data.table.place[drawn.sentence[crop]].any()
        inside = (drawn.x[:, 1] >= 0) & (drawn.x[:, 1] + drawn.x[:, 0] * drawn.shape[1] <= width + 1e-6)
        assert inside[crop & (drawn.x[:, 0] * drawn.shape[1] <= width)].all()


def test_sentences_are_borrowed_only_where_their_category_is_not_shown() -> None:
    shows = np.array([[True, False], [False, True], [True, True], [False, False]])
    data = made_data(
        [(0, 0, ONE, False), (1, 1, ONE, False), (2, 2, ONE, False), (3, 3, ONE, False)],
        named=np.array([0, 1, -1, -1], np.int16),
        shows=shows,
        source=np.array([2, 2, 2, 1], np.uint8),
    )
    lent = Counter()
    for drawn in draws(data, 100):
        for photo, sentence in zip(
            np.repeat(drawn.photo, 8)[drawn.borrowed.ravel()], drawn.sentence[drawn.borrowed], strict=True
        ):
            lent[int(photo)] += 1
            assert not shows[photo, data.table.named[sentence]]
    assert set(lent) == {0, 1, 3} and 0.06 < sum(lent.values()) / 6400 < 0.1
    more = sum(int(drawn.borrowed.sum()) for drawn in draws(data, 100, borrowed=0.5))
    assert 0.25 < more / 6400 < 0.42  # of three of the four photographs
    borrowed = view((1, 0), (1, 0), False, (300, 400))._replace(borrowed=np.array([[True]]))
    batch = batch_of(borrowed, data)
    assert (float(batch.present), float(batch.weight)) == (0, 1) and not batch.mask.any()


def test_what_a_set_does_not_annotate_may_be_there() -> None:
    pack, Photograph = module("pack"), module("material").Photograph
    facts = {"size": (3, 4), "complete": True, "val": False, "masks": {}, "names": {1: "cat"}}
    assert pack.shown(Photograph(where=("photos", "coco_1.jpg"), **facts)) == {"cat"}
    others = [Photograph(where=where, **facts) for where in (("photos_more", "cats_1.jpg"), ("photos", "ccp_1.jpg"))]
    assert all({"cat", "person", "chair"} <= pack.shown(other) and "pizza" not in pack.shown(other) for other in others)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match="held out"):
        draws(made_data([(0, 0, ONE, False)], val=np.array([True])), 1)


def test_what_goes_wrong_while_drawing_ahead_is_raised() -> None:
    def fails() -> Any:
        raise DataError("no view")

    with pytest.raises(DataError, match="no view"):
        next(module("draw").prefetched(fails))
