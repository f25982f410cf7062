"""Where training begins: settings, a trained model with parts of others, and what does not fit together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from restr.errors import ConfigError, WeightsError
from restr.model.build import build_model
from restr.model.weights import save_pretrained, write_tensors
from restr.text.vocabulary import RESERVED, Vocabulary
from restr.training.start import Start
from small_runs import small_config

WORDS = Vocabulary(["left", "dog", "cat"])


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    config = small_config()
    config = dataclasses.replace(config, language=dataclasses.replace(config.language, vocab=len(WORDS)))
    save_pretrained(build_model(config, seed=3), WORDS, tmp_path / "trained")
    return tmp_path / "trained"


def test_settings_change_the_preset() -> None:
    settings = {"fusion.variant": "ime", "vision.blocks.depth": 1, "preprocess.size": 32}
    model, words = Start(preset="restr_tiny", settings=settings).build(WORDS, 0)
    assert (model.config.fusion.variant, model.config.preprocess.size, words) == ("ime", 32, WORDS)
    with pytest.raises(ConfigError, match="language.vocab cannot be set"):
        Start(settings={"language.vocab": 9})


def test_a_trained_model_takes_settings_that_leave_its_weights_as_they_are(trained: Path) -> None:
    plain, _ = Start(folder=trained).build(WORDS, 0)
    settings = {
        "preprocess.size": 64,
        "preprocess.threshold": "0.4",
        "vision.blocks.attention": "windowed",
        "vision.blocks.drop_path": "0.1",
    }
    model, _ = Start(folder=trained, settings=settings).build(WORDS, 0)
    assert (model.config.preprocess.size, model.config.vision.blocks.attention) == (64, "windowed")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in plain.state_dict().items())
    with pytest.raises(WeightsError, match="(?s)cannot take the settings vision.patch=4, .*patch_embed.proj.weight is"):
        Start(folder=trained, settings={"vision.patch": 4}).build(WORDS, 0)


def test_the_words_of_a_trained_model_keep_their_rows_and_follow_its_reading(trained: Path) -> None:
    model, words = Start(folder=trained, settings={"language.reading": "literal"}).build(WORDS, 0)
    assert words.fits(model.config.language) and words.literal and words.words == WORDS.words
    with pytest.raises(ConfigError, match="language.unknown_row is 1 in .* and cannot be changed"):
        Start(folder=trained, settings={"language.unknown_row": 3}).build(WORDS, 0)


def test_a_trained_model_takes_another_vision_encoder_that_fits(trained: Path, tmp_path: Path) -> None:
    other = build_model(small_config(), seed=9).vision
    write_tensors(other.state_dict(), tmp_path / "vit.safetensors")
    plain, _ = Start(folder=trained).build(WORDS, 0)
    model, _ = Start(folder=trained, vision=tmp_path / "vit.safetensors").build(WORDS, 0)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.vision.state_dict().items())
    rest = {name: value for name, value in model.state_dict().items() if not name.startswith("vision.")}
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in rest.items())
    write_tensors(
        {name: value[..., :8].contiguous() for name, value in other.state_dict().items()}, tmp_path / "thin.safetensors"
    )
    with pytest.raises(WeightsError, match="do not fit"):
        Start(folder=trained, vision=tmp_path / "thin.safetensors").build(WORDS, 0)


def vectors(path: Path, rows: dict[str, torch.Tensor]) -> Path:
    path.write_text("".join(f"{word} {' '.join(map(str, row.tolist()))}\n" for word, row in rows.items()))
    return path


def test_a_trained_model_keeps_its_words_and_learns_the_files_others(trained: Path, tmp_path: Path) -> None:
    plain, _ = Start(folder=trained).build(WORDS, 0)
    table = plain.language.vectors.weight.detach()
    known = {word: table[RESERVED + place] + 0.001 for place, word in enumerate(WORDS.words)}
    zebra = torch.arange(16) / 16
    path = vectors(tmp_path / "more.txt", known | {"zebra": zebra})
    model, words = Start(folder=trained, vectors=path).build(WORDS, 0)
    assert words.words == (*WORDS.words, "zebra") and model.config.language.vocab == len(words)
    grown = model.language.vectors.weight.detach()
    assert torch.equal(grown[: len(table)], table) and torch.equal(grown[words.row("zebra")], zebra)
    assert model.language.vectors.weight.requires_grad


def test_vectors_of_another_kind_are_refused_with_the_next_step(trained: Path, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    others = {word: torch.randn(16, generator=generator) for word in (*WORDS.words, "zebra")}
    with pytest.raises(ConfigError, match="over 3 words that both have, the mean cosine .*restr finetune learns"):
        Start(folder=trained, vectors=vectors(tmp_path / "a.txt", others)).build(WORDS, 0)
    with pytest.raises(ConfigError, match="over 0 words"):
        Start(folder=trained, vectors=vectors(tmp_path / "b.txt", {"zebra": others["zebra"]})).build(WORDS, 0)
    with pytest.raises(ConfigError, match="vectors of width 8, test takes 16"):
        Start(folder=trained, vectors=vectors(tmp_path / "c.txt", {"dog": torch.ones(8)})).build(WORDS, 0)
