"""Fine-tuning on own data: what is held out, what is cached, what is gained, and that a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import make_drawn
from restr.cli.main import main
from restr.data.catalog import open_dataset
from restr.data.generated import vocabulary
from restr.errors import ConfigError, DataError
from restr.masks import rle_encode
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained
from restr.presets import restr_tiny
from restr.training.finetune import cache_patches, divide, photographs


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
    parts = divide(named)
    assert [named.entry(group[0]).split for group in (*parts.train, *parts.val)] == ["train"] * 3 + ["val"] * 2
    other = open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "b", {"": range(17)}))
    parts = divide(other)
    assert (len(parts.train), len(parts.val)) == (14, 3) and parts == divide(other)
    assert {n for group in (*parts.train, *parts.val) for n in group} == set(range(34))
    with pytest.raises(DataError, match="there are 1 pictures, 0 to train on and 1 to measure with; give at least two"):
        divide(open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "c", {"": range(1)})))


def test_pictures_go_through_the_encoder_once(tmp_path: Path, model: Path) -> None:
    samples = open_dataset("jsonl:mine.jsonl", make_drawn(tmp_path / "data", {"": range(4)}, per_scene=3))
    restr = load_pretrained(model)[0]
    groups = samples.image_groups()
    done: list[int] = []
    store = cache_patches(restr, samples, groups[:3], tmp_path / "features", done.append)
    store = cache_patches(restr, samples, groups, tmp_path / "features", done.append)
    assert len(store) == 4 and len(done) == 7
    with torch.inference_mode():
        image = torch.from_numpy(np.asarray(samples[9].image, np.float32).transpose(2, 0, 1)[None] / 255)
        mean, std = (
            torch.tensor(each)[:, None, None] for each in (restr.config.preprocess.mean, restr.config.preprocess.std)
        )
        expected = restr.encode_image((image - mean) / std).patches[0]
    assert np.allclose(store[samples.entry(9).image], expected.numpy(), atol=2e-3)
    one = photographs(samples, groups)[3]
    assert len(one.sentences) == 3 and one.name == samples.entry(9).image
    assert [one.masks[s.targets[0]] for s in one.sentences] == [rle_encode(samples[n].mask) for n in (9, 10, 11)]


def test_the_verb_gains_on_what_it_can_learn_and_leaves_a_model(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_drawn(
        tmp_path / "data", {"train": range(6), "val": range(6)}
    )  # held out by name only: it can be learnt
    out = tmp_path / "out"
    arguments = ["finetune", "jsonl:mine.jsonl", "--root", str(data), "--model", str(model), "--out", str(out)]
    arguments += ["--steps", "60", "--lr", "3e-3", "--batch", "12", "--patience", "0"]
    assert main([*arguments, "--max-minutes", "0.001"]) == 0
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "6 pictures with 12 sentences to train on, 6 with 12 to measure with" in printed
    gain = json.loads((out / "gain.json").read_text())
    assert gain["n"] == 12 and gain["miou"] > 0.1, gain
    assert "held-out pictures" in (out / "report" / "table.md").read_text()
    tuned, _ = load_pretrained(out / "model")
    start, _ = load_pretrained(model)
    moved = {}
    for name, value in tuned.named_parameters():
        part, change = name.split(".")[0], (value - start.get_parameter(name)).abs().max().item()
        moved[part] = max(change, moved.get(part, 0.0))
    assert moved["vision"] < 0.02 < moved["fusion"], moved  # the vision encoder is only rounded to int8
    with pytest.raises(ConfigError, match="batch is 3; it must be even"):
        from restr.cli.finetune import Finetune, train_config

        train_config(Finetune(data="x", out=tmp_path, batch=3), pictures=4)
