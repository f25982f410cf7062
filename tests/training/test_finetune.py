"""Fine-tuning on own data: what is held out, what is cached, what is gained, and that an interrupted run is resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drawn import make_drawn
from restr.cli.finetune_report import measure_pictures
from restr.cli.main import main
from restr.data import dataset
from restr.data.generated import vocabulary
from restr.errors import ConfigError, DataError
from restr.evaluation.evaluate import evaluate
from restr.formats.catalog import open_dataset
from restr.inference.segmenter import Segmenter
from restr.masks import rle_encode
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import Vocabulary
from restr.training.cached.rehearsal import Alternating, Rehearsal
from restr.training.config import TrainConfig
from restr.training.finetune import open_pictures, split_pictures
from restr.training.loop.forward import forward_batch
from restr.training.loop.optim import parameter_groups
from restr.training.new_words import add_words, merge_learnt_rows, new_words
from scripts import ROOT, load_script


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    words = vocabulary()
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, folder)
    return folder


def test_splits_are_kept_and_else_every_eighth_picture_is_held_out(tmp_path: Path) -> None:
    named = open_dataset(
        "jsonl:mine.jsonl", make_drawn(tmp_path / "a", {"train": range(3), "val": range(2), "test": range(1)})
    )
    parts = split_pictures(named)
    assert [named.entry(group[0]).split for group in (*parts.train, *parts.val)] == ["train"] * 3 + ["val"] * 2
    other = open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "b", {"": range(17)}))
    parts = split_pictures(other)
    assert (len(parts.train), len(parts.val)) == (14, 3) and parts == split_pictures(other)
    assert {n for group in (*parts.train, *parts.val) for n in group} == set(range(34))
    with pytest.raises(DataError, match="there are 1 pictures, 0 to train on and 1 to measure with; give at least two"):
        split_pictures(open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "c", {"": range(1)})))


def test_pictures_are_opened_and_go_through_the_encoder_once(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "data", {"": range(4)}, per_scene=3))
    segmenter = Segmenter.from_pretrained(model)
    restr = segmenter.model
    groups = samples.image_groups()
    done: list[int] = []
    open_pictures(restr, samples, groups[:3], tmp_path / "features", progress=done.append)
    read: list[str] = []
    monkeypatch.setattr(dataset, "entry_picture", spied(dataset.entry_picture, read))
    pictures, store = open_pictures(restr, samples, groups, tmp_path / "features", progress=done.append)
    assert len(store) == 4 and len(done) == 7 and len(read) == 4
    with torch.inference_mode():
        image = torch.from_numpy(np.asarray(samples[9].image, np.float32).transpose(2, 0, 1)[None] / 255)
        mean, std = (
            torch.tensor(each)[:, None, None] for each in (restr.config.preprocess.mean, restr.config.preprocess.std)
        )
        expected = restr.vision((image - mean) / std).patches[0]
    assert np.allclose(store[samples.entry(9).image], expected.numpy(), atol=2e-3)
    one = pictures[3].photograph
    assert len(one.sentences) == 3 and one.name == samples.entry(9).image
    assert [one.masks[s.targets[0]] for s in one.sentences] == [rle_encode(samples[n].mask) for n in (9, 10, 11)]

    read.clear()
    short = measure_pictures(segmenter, pictures, store)
    assert not read
    usual = evaluate(segmenter, samples)
    assert short.overall == pytest.approx(usual.overall, abs=2e-3, nan_ok=True)
    assert [r.id for r in short.records] == [r.id for r in usual.records]
    assert short.protocol == usual.protocol


def spied(read: Callable[..., np.ndarray], names: list[str]) -> Callable[..., np.ndarray]:
    """``read``, its calls counted."""

    def reading(*arguments: object) -> np.ndarray:
        names.append(str(arguments[0]))
        return read(*arguments)

    return reading


def test_words_are_new_where_the_vocabulary_only_guesses_at_them() -> None:
    words = Vocabulary(["dog", "kindle", "left", "the", "striped"])
    assert words.parts("zindle") == ("kindle",)
    texts = ["the zindle", "left Zindles", "striped zindles", "zindles, left", "the dogs", "dogs", "dogs left"]
    assert new_words([*texts, "qwop", "the qwop"], words) == ["zindles"]
    assert new_words([*texts, "zindle", "zindle left", "the zindle"], words) == ["zindle"]
    assert new_words(["1st left", "2nd dog", "w/ dog"] * 5, words) == []


def test_a_new_word_begins_as_what_it_was_taken_for_and_only_it_is_learnt(tmp_path: Path) -> None:
    known = Vocabulary(["red", "circle", "left"])
    restr = build_model(restr_tiny(vocab=len(known)), seed=0).eval()
    restr.language.vectors.requires_grad_(False)  # as in the bundled model
    table = restr.language.vectors.weight.clone()
    start, table_before = restr, restr.language.vectors
    restr, vocabulary = add_words(start, known, ["circel", "quorl"])
    assert start.language.vectors is table_before and start.config.language.vocab == len(known)
    assert known.parts("circel") == ("circle",) and vocabulary.row("quorl") == len(known) + 1
    rows = restr.language.vectors.weight
    assert torch.equal(rows[: len(known)], table) and torch.equal(rows[5], table[known.row("circle")])
    ids, pad = torch.tensor([[2, 5, 6]]), torch.zeros(1, 3, dtype=torch.bool)
    optimizer = torch.optim.AdamW(parameter_groups(restr, TrainConfig(lr=1e-2)), lr=1e-2)
    restr.language(ids, pad).square().sum().backward()
    optimizer.step()
    words = restr.eval().language(ids, pad)
    merge_learnt_rows(restr)
    learnt = restr.language.vectors.weight
    assert torch.equal(learnt[: len(known)], table) and not torch.equal(learnt[5], table[known.row("circle")])
    assert torch.allclose(restr.language(ids, pad), words, atol=1e-6)
    save_pretrained(restr, vocabulary, tmp_path / "model")
    again, names = load_pretrained(tmp_path / "model")
    assert names.words == vocabulary.words and again.config == restr.config
    assert torch.equal(again.language.vectors.weight, learnt)


def test_rehearsal_asks_for_the_answers_of_before(tmp_path: Path, model: Path) -> None:
    samples = open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "data", {"": range(4)}))
    restr, words = load_pretrained(model)
    pictures, store = open_pictures(restr, samples, samples.image_groups(), tmp_path / "features")
    tokenizer = Tokenizer.of(words, restr.config)
    names = [picture.photograph.name for picture in pictures]
    rehearsal, again = (Rehearsal(restr, tokenizer, store, names, batch=6) for _ in range(2))
    batch, same, other = rehearsal.batch(0), again.batch(0), rehearsal.batch(1)
    assert torch.equal(batch.ids, same.ids) and torch.equal(batch.mask, same.mask)
    assert batch.ids.shape != other.ids.shape or not torch.equal(batch.ids, other.ids)
    with torch.inference_mode():
        said = forward_batch(restr, batch).logits.sigmoid()
    assert len(batch) == 6 and torch.allclose(said, batch.mask, atol=0.01)
    turns = Alternating(again, rehearsal)
    assert torch.equal(turns.batch(0).mask, turns.batch(1).mask)


def test_the_verb_gains_on_what_it_can_learn_and_leaves_a_model(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_drawn(
        tmp_path / "data", {"train": range(6), "val": range(6)}
    )  # held out by name only: it can be learnt
    lines = (data / "mine.jsonl").read_text()
    (data / "mine.jsonl").write_text(lines.replace("star", "glorp"))
    out = tmp_path / "out"
    arguments = ["finetune", "jsonl:mine.jsonl", "--root", str(data), "--model", str(model), "--out", str(out)]
    arguments += ["--steps", "60", "--lr", "3e-3", "--batch", "8", "--patience", "0"]
    assert main([*arguments, "--max-minutes", "0.001"]) == 0
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "6 pictures with 12 sentences to train on, 6 with 12 to measure with" in printed
    assert "1 words are new to the model and get vectors of their own: glorp" in printed
    gain = json.loads((out / "gain.json").read_text())
    assert gain["n"] == 12 and gain["miou"] > 0.1, gain
    assert "held-out pictures" in (out / "report" / "table.md").read_text()
    tuned, words = load_pretrained(out / "model")
    best, best_words = load_pretrained(out / "best.pt")  # the same, before it is rounded to int8, new words included
    assert best_words.words == words.words and best.config == tuned.config
    for name, value in best.state_dict().items():
        assert (value - tuned.state_dict()[name]).abs().max() < 0.02, name
    start, known = load_pretrained(model)
    assert words.words == (*known.words, "glorp")
    moved = {}
    for name, value in tuned.named_parameters():
        value = value[: len(known)] if name == "language.vectors.weight" else value
        part, change = name.split(".")[0], (value - start.get_parameter(name)).abs().max().item()
        moved[part] = max(change, moved.get(part, 0.0))
    assert moved["vision"] < 0.02 < moved["fusion"], moved  # the vision encoder is only rounded to int8
    with pytest.raises(ConfigError, match="batch is 3; it must be even"):
        from restr.cli.verbs.finetune import Finetune, train_config

        train_config(Finetune(data="x", out=tmp_path, batch=3), pictures=4)


def test_the_domain_of_the_recipe_is_what_its_sentences_say(tmp_path: Path) -> None:
    script = load_script("recipes/finetune/make_domain.py")
    script.main(script.Domain(photos=ROOT / "examples", out=tmp_path, train=2, judge=2, each=4, judge_each=4))
    files = {name: open_dataset(f"jsonl:{name}.jsonl", tmp_path) for name in ("domain", "judge")}
    pictures = {name: {samples.entry(n).image for n in range(len(samples))} for name, samples in files.items()}
    assert [len(names) for names in pictures.values()] == [2, 2] and not set.intersection(*pictures.values())
    for samples in files.values():
        assert len(samples) == 8
        for sample, entry in zip(samples, map(samples.entry, range(len(samples))), strict=True):
            assert any(kind in sample.text for kind in script.KINDS) and "thing" not in sample.text
            before = np.asarray(Image.open(ROOT / "examples" / Path(entry.image).name).convert("RGB"), np.int64)
            changed = np.abs(before - sample.image).max(-1) > 12  # JPEG changes a little everywhere
            assert changed[sample.mask].mean() > 0.8
    with pytest.raises(DataError, match="has 6 photographs to draw in; 100 are asked for"):
        script.main(script.Domain(photos=ROOT / "examples", out=tmp_path))
