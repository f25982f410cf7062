"""Places of a model: a folder, a run, its checkpoints; and the errors of other places."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from restr.errors import WeightsError
from restr.inference.locate import describe_model, model_folder
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained
from small_runs import WORDS, small_config, trainer


def test_a_run_is_its_model_and_last_its_newest_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("best.pt", "step-00000002.pt", "step-00000010.pt"):
        (tmp_path / "run" / name).touch()
    run = tmp_path / "run"
    assert model_folder(run / "last") == run / "step-00000010.pt"
    assert model_folder(run / "best.pt") == run / "best.pt"
    with pytest.raises(WeightsError, match="has not saved its model yet; pass .*best.pt or .*last"):
        model_folder(run)
    save_pretrained(build_model(small_config(), seed=0), WORDS, run / "model")
    assert model_folder(run) == model_folder(run / "model") == run / "model"


def test_other_places_are_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no checkpoint"):
        model_folder(tmp_path / "last")
    with pytest.raises(WeightsError, match="no model folder"):
        model_folder(tmp_path / "none")
    (tmp_path / "restr.pth").touch()
    with pytest.raises(WeightsError, match="restr convert-checkpoint .*restr.pth --vocabulary FILE"):
        model_folder(tmp_path / "restr.pth")
    save_pretrained(build_model(small_config(), seed=0), WORDS, tmp_path)
    torch.save({"some": "thing"}, tmp_path / "other.pt")
    (tmp_path / "broken.pt").write_bytes(b"x")
    with pytest.raises(WeightsError, match="other.pt is no checkpoint of a run"):
        load_pretrained(tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="broken.pt cannot be read") as error:
        load_pretrained(tmp_path / "broken.pt")
    assert "weights_only" not in str(error.value)


def test_a_checkpoint_of_a_run_with_a_frozen_part_is_the_whole_model(tmp_path: Path) -> None:
    run = trainer(tmp_path, model=build_model(small_config(frozen=True), seed=1))
    run.fit()
    whole, _ = run.load_chosen()
    loaded, words = load_pretrained(model_folder(tmp_path / "best.pt"))
    assert words.words == WORDS.words and loaded.config == whole.config
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in whole.state_dict().items())
    assert describe_model(tmp_path / "best.pt").hash != describe_model(model_folder(tmp_path / "last")).hash
