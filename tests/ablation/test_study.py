"""Studies on datasets and cached features: what the rows share, and what a table's folder remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import make_drawn
from painted_scenes import random_scene
from restr.ablation.run import SCORES, run_table
from restr.ablation.study import dataset_study, features_study
from restr.ablation.tables import Row, Table, fusion, patch
from restr.cli.main import main
from restr.data.generated import vocabulary
from restr.errors import ConfigError, DataError
from restr.formats.catalog import open_dataset
from restr.masks import rle_encode
from restr.metrics import LENGTHS, LONGEST_BIN
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained, write_tensors
from restr.presets import restr_tiny
from restr.training.cached.features import cache_features, fingerprint_of
from restr.training.config import TrainConfig
from restr.training.start import Start
from written_photos import write_photos

SETTINGS = TrainConfig(steps=1, lr=1e-3, ema=0.5)
ROWS = Table(
    title="two", rows=(Row(name="VME", change=fusion(variant="vme")), Row(name="P = 8", change=patch(8), loss={}))
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_drawn(tmp_path_factory.mktemp("data") / "data", {"train": range(4), "val": range(4, 8)}, size=48)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(restr_tiny(vocab=len(vocabulary())), seed=5), vocabulary(), folder)
    return folder


def study(data: Path, start: Start, val: str = "val"):
    train, held_out = (open_dataset(f"jsonl:mine.jsonl:{split}", data) for split in ("train", val))
    return dataset_study(start, train, held_out, names=("train", val), batch=4, measured=3)


def test_rows_on_a_dataset_are_measured_by_length_and_by_attention(data: Path, tmp_path: Path) -> None:
    results, stopped = run_table(ROWS, study(data, Start()), tmp_path, seeds=1, settings=SETTINGS)
    assert stopped is None and [result.name for result in results] == ["VME", "P = 8"]
    scores = json.loads((tmp_path / "vme" / "seed0" / SCORES).read_text())
    assert {"miou", "oiou", "seed_direct_words", "seed_direct_block4_patches"} < set(scores)
    assert any(f"miou_{name}" in scores for name in (*LENGTHS, LONGEST_BIN)) and "miou_other" not in scores
    with pytest.raises(DataError, match="with val 'val', not 'train'; give the same settings"):
        run_table(ROWS, study(data, Start(), val="train"), tmp_path, seeds=1, settings=SETTINGS)


def test_rows_start_from_the_encoders_of_a_trained_model(data: Path, trained: Path) -> None:
    source, words = load_pretrained(trained)
    made = study(data, Start(folder=trained))
    cme, vme = (made.task(change(made.config), seed) for change, seed in ((fusion(), 0), (fusion(variant="vme"), 1)))
    for task in (cme, vme):
        assert task.words.words == words.words
        for part in ("vision", "language"):
            own, theirs = (getattr(model, part).state_dict() for model in (task.model, source))
            assert all(torch.equal(own[name], theirs[name]) for name in theirs)
    assert not torch.equal(cme.model.fusion.seed, source.fusion.seed)
    assert not torch.equal(cme.model.fusion.seed, vme.model.fusion.seed)
    assert made.facts["vision"] != study(data, Start()).facts.get("vision")


def test_vision_weights_are_fitted_to_the_patch_size_of_a_row(data: Path, tmp_path: Path) -> None:
    vit = build_model(restr_tiny(), seed=3).vision.state_dict()
    write_tensors(vit, tmp_path / "vit.safetensors")
    (tmp_path / "glove.txt").write_text("\n".join(f"{word} " + " ".join(["0.5"] * 32) for word in ("the", "circle")))
    made = study(data, Start(vision=tmp_path / "vit.safetensors", vectors=tmp_path / "glove.txt"))
    same, larger = (made.task(change(made.config), 0).model for change in (fusion(), patch(8)))
    name, patches = "blocks.0.mlp.fc1.weight", "patch_embed.proj.weight"
    fitted = larger.vision.state_dict()
    assert torch.equal(fitted[name], vit[name]) and fitted[patches].shape[-1] == 8
    assert torch.equal(same.vision.state_dict()[patches], vit[patches])
    assert (same.language.vectors.weight[-2:] == 0.5).all()


def test_the_command_on_a_dataset(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "ablate",
        "--data",
        "jsonl:mine.jsonl:train",
        "--root",
        str(data),
        "--preset",
        "restr_tiny",
        "--seeds",
        "1",
    ]
    arguments += ["--table", "paper-4", "--rows", "CME", "--batch", "4", "--steps", "1", "--out", str(tmp_path)]
    assert main([*arguments, "--val", "jsonl:mine.jsonl:val", "--validation-samples", "2"]) == 0
    printed = capsys.readouterr().out
    assert "| CME | 1 |" in printed and "| mIoU by length |" in printed and "| the seed's attention |" in printed
    assert main(arguments) == 1
    assert "needs --val, what to measure on" in capsys.readouterr().err
    assert main([*arguments, "--val", "jsonl:mine.jsonl:val", "--model", str(tmp_path / "none")]) == 1
    assert "there is no model folder" in capsys.readouterr().err
    assert main(["ablate", "--out", str(tmp_path / "other"), "--vision", "vit.npz"]) == 1
    assert "--vision goes with --data or --features only; leave it out" in capsys.readouterr().err
    assert main([*arguments, "--features", "x"]) == 1
    assert "--data does not go with --features; leave it out" in capsys.readouterr().err


def test_the_command_on_photographs_generates_their_sentences(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        scenes = [replace(random_scene(rng), id=f"{number}.jpg") for number in range(3)]
        write_photos(scenes, tmp_path / split, split=split)
    arguments = ["ablate", "--data", f"photos:{tmp_path / 'train'}", "--val", f"photos:{tmp_path / 'val'}", "--n", "8"]
    arguments += ["--preset", "restr_tiny", "--table", "variants", "--rows", "IME", "--batch", "4", "--steps", "1"]
    assert main([*arguments, "--validation-samples", "4", "--seeds", "1", "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "ablation.json").read_text())["samples"] == 8


def cached(folder: Path, model: Path) -> dict[str, Path | tuple[Path, ...]]:
    """Features of four pictures by ``model``'s vision encoder, and sentences about them."""
    source, _ = load_pretrained(model)
    config, rng = source.config, np.random.default_rng(0)
    mask = rle_encode(np.eye(64, dtype=bool))
    rows = [{"name": name, "masks": [mask], "sentences": [["the circle", [0], "x"]]} for name in "abcdefgh"]
    (folder / "sentences.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fingerprint = fingerprint_of(source.vision.state_dict(), (config.preprocess, config.vision.taps))
    width = config.vision.width_out
    cache_features(
        "abcdefgh",
        lambda _: (rng.normal(size=(256, width)), (16, 16)),
        folder / "features",
        width=width,
        fingerprint=fingerprint,
    )
    sentences = folder / "sentences.jsonl"
    return {"features": folder / "features", "sentences": (sentences,), "val_sentences": sentences}


def test_cached_features_go_with_the_model_that_made_them(trained: Path, tmp_path: Path) -> None:
    files = cached(tmp_path, trained)
    made = features_study(**files, model=trained, batch=4)  # type: ignore[arg-type]
    task = made.task(fusion(variant="vme")(made.config), 0)
    source = load_pretrained(trained)[0].language.state_dict()
    assert all(torch.equal(task.model.language.state_dict()[name], source[name]) for name in source)
    assert task.seed_attention is not None
    shares = task.seed_attention(task.model.eval())
    assert sum(shares[f"seed_direct_{name}"] for name in ("patches", "words", "seed")) == pytest.approx(1)
    save_pretrained(build_model(restr_tiny(vocab=len(vocabulary())), seed=6), vocabulary(), tmp_path / "other")
    with pytest.raises(DataError, match="features of another vision encoder"):
        features_study(**files, model=tmp_path / "other")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give one"):
        features_study(**files)  # type: ignore[arg-type]
