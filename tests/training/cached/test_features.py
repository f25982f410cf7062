"""The feature store survives interruption, refuses another model's features, and feeds deterministic batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restr.data.batch import Batch
from restr.errors import DataError
from restr.masks import rle_encode
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.cached.features import INDEX, TOKENS, FeatureStore, cache_features, fingerprint_of
from restr.training.cached.loader import CachedBatches, CachedPhotograph, CachedSentence

WIDTH = 4


def encode(name: str) -> tuple[np.ndarray, tuple[int, int]]:
    grid = (2, 3) if name < "m" else (3, 2)
    return np.full((6, WIDTH), ord(name[0]), np.float32), grid


def build(folder: Path, names: str) -> int:
    return cache_features(names, encode, folder, width=WIDTH, fingerprint="one")


def test_tokens_that_were_lost_are_noticed(tmp_path: Path) -> None:
    build(tmp_path, "ab")
    with open(tmp_path / TOKENS, "r+b") as file:
        file.truncate(8)
    with pytest.raises(DataError, match="shorter than its index"):
        build(tmp_path, "abc")


def test_tokens_come_back_and_nothing_is_encoded_twice(tmp_path: Path) -> None:
    assert build(tmp_path, "abz") == 3
    assert build(tmp_path, "abzy") == 1
    store = FeatureStore(tmp_path)
    assert len(store) == 4 and "z" in store and "q" not in store
    assert store["z"].dtype == np.float16 and (store["z"] == ord("z")).all()
    assert store.entries["z"].grid == (3, 2)


def test_an_interrupted_build_is_resumed(tmp_path: Path) -> None:
    build(tmp_path, "ab")
    with open(tmp_path / TOKENS, "ab") as file:
        file.write(b"half a photograph")
    with open(tmp_path / INDEX, "a") as file:
        file.write('{"name": "c", "sta')
    # the broken line has to go before more are appended behind it
    build(tmp_path, "cd")
    store = FeatureStore(tmp_path)
    assert set(store.entries) == {"a", "b", "c", "d"}
    assert all((store[name] == ord(name)).all() for name in "abcd")


def test_features_of_another_model_are_refused(tmp_path: Path) -> None:
    build(tmp_path, "a")
    with pytest.raises(DataError, match="other weights or preprocessing"):
        cache_features("b", encode, tmp_path, width=WIDTH, fingerprint="two")


def test_a_fingerprint_sees_weights_and_preprocessing() -> None:
    state = {"w": torch.ones(2)}
    assert fingerprint_of(state, "480") == fingerprint_of({"w": torch.ones(2)}, "480")
    assert (
        len({fingerprint_of(state, "480"), fingerprint_of(state, "384"), fingerprint_of({"w": torch.zeros(2)}, "480")})
        == 3
    )


def batches(folder: Path, **settings: Any) -> CachedBatches:
    build(folder, "abcdxyz")
    left, right = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    left[:, :15], right[:, 15:] = True, True
    photographs = [
        CachedPhotograph(
            name=name,
            masks=(rle_encode(left), rle_encode(right)),
            sentences=(
                CachedSentence("left", (0,)),
                CachedSentence("right", (1,)),
                CachedSentence("both", (0, 1)),
                CachedSentence("none", ()),
            ),
        )
        for name in "abcdxyzq"  # q has no features
    ]
    tokenizer = Tokenizer(Vocabulary(["left", "right", "both", "none"]))
    chosen: dict[str, Any] = {"batch": 4, "per_image": 2, "stride": 4} | settings
    return CachedBatches(photographs, FeatureStore(folder), tokenizer, **chosen)


def patches(batch: Batch) -> torch.Tensor:
    assert batch.patches is not None
    return batch.patches


def test_a_batch_depends_on_its_step_alone(tmp_path: Path) -> None:
    first, second = batches(tmp_path), batches(tmp_path)
    expected = [first.batch(step) for step in range(9)]
    for step in (8, 2, 5):
        again = second.batch(step)
        assert torch.equal(again.ids, expected[step].ids) and torch.equal(again.mask, expected[step].mask)
        assert torch.equal(patches(again), patches(expected[step]))


def test_masks_are_those_of_the_sentences(tmp_path: Path) -> None:
    source = batches(tmp_path)
    share = {2: 0.5, 3: 0.5, 4: 1.0, 5: 0.0}  # left, right, both, none
    for step in range(source.per_epoch):
        batch = source.batch(step)
        assert batch.grid is not None and batch.mask.shape == (4, 1, 4 * batch.grid[0], 4 * batch.grid[1])
        for ids, mask in zip(batch.ids, batch.mask, strict=True):
            assert mask.mean().item() == pytest.approx(share[int(ids[0])], abs=0.01)
            if int(ids[0]) == 2:
                assert mask[0, :, 0].min() > 0.99 and mask[0, :, -1].max() < 0.01


def test_photographs_of_a_batch_share_their_grid_and_an_epoch_repeats_none(tmp_path: Path) -> None:
    source = batches(tmp_path)
    seen = [t.item() for step in range(source.per_epoch) for t in patches(source.batch(step))[::2, 0, 0]]
    assert len(seen) == len(set(seen)) == 6  # 4 of one grid, 2 of the 3 others


def test_every_second_patch_is_a_quarter_of_them_and_masks_follow(tmp_path: Path) -> None:
    whole, thinned = batches(tmp_path), batches(tmp_path, every=2)
    for step in range(whole.per_epoch):
        batch = thinned.batch(step)
        assert batch.grid in {(1, 1), (1, 2), (2, 1)}  # of (2, 3) and (3, 2), from a random first patch
        assert patches(batch).shape[1] == batch.grid[0] * batch.grid[1]
        assert batch.mask.shape[-2:] == (4 * batch.grid[0], 4 * batch.grid[1])
        assert set(patches(batch)[:, 0, 0].tolist()) == set(patches(whole.batch(step))[:, 0, 0].tolist())


def test_unknown_words_can_be_practised(tmp_path: Path) -> None:
    build(tmp_path, "ab")
    source = batches(tmp_path)
    source.word_dropout = 1.0
    assert (source.batch(0).ids == 1).all()


def test_too_large_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="choose a smaller batch"):
        batches(tmp_path, batch=32)
    with pytest.raises(DataError, match="multiple of per_image"):
        batches(tmp_path, batch=5)


def test_a_thinned_mask_lies_in_the_middle_of_its_cells(tmp_path: Path) -> None:
    """One patch is the target: whatever patch the thinning begins with, the mask is where its cell is."""
    side, patch = 6, 8
    cache_features(
        "a",
        lambda _: (np.zeros((side * side, WIDTH), np.float32), (side, side)),
        tmp_path,
        width=WIDTH,
        fingerprint="one",
    )
    target = np.zeros((side * patch, side * patch), bool)
    target[2 * patch : 3 * patch, 3 * patch : 4 * patch] = True
    photograph = CachedPhotograph(name="a", masks=(rle_encode(target),), sentences=(CachedSentence("it", (0,)),))
    tokenizer = Tokenizer(Vocabulary(["it"]))
    source = CachedBatches([photograph], FeatureStore(tmp_path), tokenizer, batch=1, per_image=1, stride=8, every=2)
    centres = set()
    for step in range(12):
        mask = source.batch(step).mask[0, 0]
        rows, columns = mask.nonzero(as_tuple=True)
        centres.add((rows.float().mean().item(), columns.float().mean().item()))
        assert mask.sum() == 16  # a cell is 8 x 8 and stands for 2 x 2 patches
    # kept rows 0, 2, 4: patch 2 is the middle of cell 1; kept rows 1, 3, 5: it lies between cells 0 and 1
    assert centres == {(y, x) for y in (11.5, 7.5) for x in (15.5, 11.5)}


def test_few_photographs_are_all_seen_when_batches_are_filled(tmp_path: Path) -> None:
    """Three photographs of one grid make a batch of two, and one with company; none is left out of an epoch."""
    loader = batches(tmp_path, fill=True)
    assert loader.per_epoch > batches(tmp_path).per_epoch
    for epoch in range(3):
        loader.batch(epoch * loader.per_epoch)
        seen = {photograph.name for batch in loader._epoch[1] for photograph in batch}
        assert seen == {photograph.name for bucket in loader.buckets.values() for photograph in bucket}
        assert all(len(batch) == loader.images for batch in loader._epoch[1])
