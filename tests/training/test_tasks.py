"""Training on a dataset: the model's start, its batches, and a verb that saves a working model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import make_drawn
from restr import Segmenter
from restr.cli.main import main
from restr.data.fitted import FittedSamples
from restr.errors import ConfigError, DataError
from restr.formats.catalog import open_dataset
from restr.model.weights import load_pretrained
from restr.preprocess import resize
from restr.presets import restr_released, restr_tiny
from restr.text.vocabulary import Vocabulary
from restr.training.start import Start, vocabulary_of
from restr.training.tasks import dataset, evenly_spaced


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_drawn(tmp_path / "data", {"train": range(4), "val": range(4, 8)}, size=48)


def opened(data: Path, split: str):
    return open_dataset(f"jsonl:mine.jsonl:{split}", data)


def test_a_dataset_is_fed_as_it_is_at_the_models_size(data: Path) -> None:
    train = opened(data, "train")
    task = dataset(Start(), train, opened(data, "val"), batch=4, measured=3, seed=0)
    assert set(task.words.words) == {word for text in train.texts() for word in text.split()} - {"t"}
    batches = [task.batches.batch(step) for step in range(2)]
    assert all(batch.mask.shape == (4, 1, 64, 64) for batch in batches)
    areas = sorted(area for batch in batches for area in batch.mask.flatten(1).sum(1).tolist())
    known = sorted(sample.mask.sum() * (64 / 48) ** 2 for sample in train)
    assert np.allclose(areas, known, rtol=0.15)
    assert task.evaluate and set(task.evaluate(task.model.eval())) == {"miou", "oiou", "miou_other"}


def test_a_picture_is_fitted_once_for_all_of_its_sentences(data: Path) -> None:
    fitted = FittedSamples(opened(data, "train"), restr_tiny().framing)
    assert fitted[0].image is fitted[1].image and fitted[0].image.shape == (64, 64, 3)
    for number in range(8):
        exact = resize(opened(data, "train")[number].mask.astype(np.float32), (64, 64)) >= 0.5
        assert np.count_nonzero(fitted[number].mask != exact) <= 2
    assert fitted[2].image is not fitted[1].image and len(fitted) == 8


def test_words_come_by_frequency_and_measured_samples_from_all_over() -> None:
    assert vocabulary_of(["the left dog", "the dog", "a dog"], restr_tiny().language).words == (
        "dog",
        "the",
        "a",
        "left",
    )
    literal = vocabulary_of(["Dog, left.", "the dog"], restr_released().language)
    assert literal.words == ("dog", ", ", "left", "the") and literal.row("the") == 7 and literal.row("cat") == 3
    with pytest.raises(DataError, match="hold no word"):
        vocabulary_of([], restr_tiny().language)
    assert evenly_spaced(3, 10) == [0, 1, 2] and evenly_spaced(10, 4) == [0, 2, 5, 7]


def test_training_starts_from_vectors_or_from_a_trained_model(data: Path, tmp_path: Path) -> None:
    train, val = opened(data, "train"), opened(data, "val")
    lines = [f"{word} " + " ".join(["0.5"] * 31 + [str(row)]) for row, word in enumerate(("the", "circle", "zebra"))]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
    task = dataset(Start(vectors=tmp_path / "glove.txt"), train, val, batch=4, measured=2, seed=0)
    assert task.words.words == ("the", "circle", "zebra")
    assert task.model.language.vectors.weight[task.words.row("circle"), -1] == 1
    with pytest.raises(ConfigError, match="vectors of width 32, restr_small takes 384"):
        start = Start(preset="restr_small", vision=tmp_path / "x", vectors=tmp_path / "glove.txt")
        dataset(start, train, val, batch=4, measured=2, seed=0)
    with pytest.raises(ConfigError, match="restr_small's vision encoder is frozen; give its weights"):
        dataset(Start(preset="restr_small"), train, val, batch=4, measured=2, seed=0)


def test_words_get_the_rows_of_the_config(tmp_path: Path) -> None:
    config = restr_tiny(vocab=7)
    config = replace(config, language=replace(config.language, unknown_row=3, reading="literal"))
    (tmp_path / "glove.txt").write_text(
        "".join(f"{word} {'0.5 ' * 31}{row}\n" for row, word in enumerate("abc", start=1))
    )
    model, words = Start(config=config, vectors=tmp_path / "glove.txt").build(Vocabulary(["a"]), 0)
    assert words.fits(config.language) and [words.row(word) for word in "abc"] == [4, 5, 6]
    assert model.language.vectors.weight[:, -1].tolist() == [0, 0, 0, 0, 1, 2, 3]


def test_the_verb_trains_on_a_dataset_resumes_and_starts_from_a_model(data: Path, tmp_path: Path) -> None:
    arguments = [
        "train",
        "--data",
        "jsonl:mine.jsonl:train",
        "--val",
        "jsonl:mine.jsonl:val",
        "--root",
        str(data),
        "--batch",
        "4",
    ]
    assert main([*arguments, "--out", str(tmp_path / "a"), "--steps", "4", "--max-minutes", "0.00001"]) == 0
    assert main([*arguments, "--out", str(tmp_path / "a"), "--steps", "4", "--resume"]) == 0
    assert main([*arguments, "--out", str(tmp_path / "b"), "--steps", "4"]) == 0
    one, two = (load_pretrained(tmp_path / name / "model")[0].state_dict() for name in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert "miou" in json.loads((tmp_path / "a" / "metrics.json").read_text())
    more = [*arguments, "--out", str(tmp_path / "c"), "--steps", "1", "--model", str(tmp_path / "a" / "model")]
    assert main(more) == 0
    result = Segmenter.from_pretrained(tmp_path / "c" / "model")(opened(data, "val")[0].image, "the circle")
    assert result.mask.shape == (48, 48)
    with pytest.raises(ConfigError, match="needs --val"):
        from restr.cli.verbs.train import Train, task_of

        task_of(Train(out=tmp_path, data="jsonl:mine.jsonl:train"))
