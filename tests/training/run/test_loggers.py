"""Loggers: what arrives in them, that a resumed run continues in the same place, and that none can stop a run."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from restr.errors import ConfigError
from restr.training.run.loggers import open_loggers

SETTINGS = {"data": "generated", "train": {"lr": 0.1}}


class Recorder:
    """Stands in for wandb, mlflow and trackio: it notes what it is asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple, dict]] = []
        self.broken = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **named: Any) -> Any:
            if name == self.broken:
                raise ConnectionError("no network")
            self.calls.append((name, arguments, named))
            return SimpleNamespace(info=SimpleNamespace(run_id="m1")) if name == "start_run" else self

        return call

    def of(self, name: str) -> list[tuple[tuple, dict]]:
        return [(arguments, named) for called, arguments, named in self.calls if called == name]


@pytest.fixture
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    stand_in = Recorder()
    monkeypatch.setitem(sys.modules, request.param, stand_in)  # type: ignore[arg-type]
    return stand_in


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 6), (200, 0, 0)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def run(name: str, folder: Path, picture: Path, *, start: int = 0) -> None:
    (logger,) = open_loggers([name], folder, SETTINGS, start=start)
    logger.log(start + 1, {"step": start + 1, "loss": 0.5, "grad_norm": float("inf"), "note": None})
    logger.log(start + 2, {"val_miou": 0.25})
    logger.picture(start + 2, "sheet", picture)
    logger.close()


def test_tensorboard_has_each_step_once_after_a_resumed_run(tmp_path: Path, picture: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run("tensorboard", tmp_path / "run", picture)
    run("tensorboard", tmp_path / "run", picture, start=1)  # step 2 comes again
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("train/loss")] == [(1, 0.5), (2, 0.5)]
    assert [(event.step, event.value) for event in found.Scalars("val/miou")] == [(3, 0.25)]
    assert [(event.step, event.width, event.height) for event in found.Images("sheet")] == [(3, 8, 6)]
    assert found.Tags()["scalars"] == ["train/loss", "val/miou"]  # nothing that is no finite number
    assert found.Tags()["tensors"] == ["settings/text_summary"]


@pytest.mark.parametrize("recorder", ["wandb"], indirect=True)
def test_wandb_resumes_the_same_run(recorder: Recorder, tmp_path: Path, picture: Path) -> None:
    run("wandb", tmp_path / "run", picture)
    run("wandb", tmp_path / "run", picture, start=2)
    (_, first), (_, second) = recorder.of("init")
    assert first["id"] == second["id"] and first["resume"] == "allow" and first["config"] == SETTINGS
    logged = [values for (values,), _ in recorder.of("log")]
    assert logged[0] == {"step": 1, "train/loss": 0.5} and logged[1] == {"step": 2, "val/miou": 0.25}
    assert set(logged[2]) == {"step", "sheet"} and [values["step"] for values in logged[3:]] == [3, 4, 4]
    assert recorder.of("Image")[0][0] == (str(picture),) and len(recorder.of("finish")) == 2


@pytest.mark.parametrize("recorder", ["mlflow"], indirect=True)
def test_mlflow_resumes_the_same_run(recorder: Recorder, tmp_path: Path, picture: Path) -> None:
    run("mlflow", tmp_path / "run", picture)
    run("mlflow", tmp_path / "run", picture, start=2)
    assert recorder.of("start_run") == [((), {"run_name": "run"}), ((), {"run_id": "m1"})]
    assert recorder.of("log_params") == [(({"data": "generated", "train.lr": 0.1},), {})]  # once: it lets none change
    steps = [(values, named["step"]) for (values,), named in recorder.of("log_metrics")]
    assert steps == [
        ({"train/loss": 0.5}, 1),
        ({"val/miou": 0.25}, 2),
        ({"train/loss": 0.5}, 3),
        ({"val/miou": 0.25}, 4),
    ]
    assert recorder.of("log_artifact")[0] == ((str(picture), "sheet"), {"run_id": "m1"})
    assert len(recorder.of("end_run")) == 2


@pytest.mark.parametrize("recorder", ["trackio"], indirect=True)
def test_trackio_resumes_the_same_run(recorder: Recorder, tmp_path: Path, picture: Path) -> None:
    run("trackio", tmp_path / "run", picture)
    run("trackio", tmp_path / "run", picture, start=2)
    run("trackio", tmp_path / "other" / "run", picture)
    names = [named["name"] for _, named in recorder.of("init")]
    assert names[0] == names[1] != names[2]  # a folder of the same name elsewhere is another run
    assert recorder.of("log")[0] == (({"train/loss": 0.5},), {"step": 1})
    assert recorder.of("Image")[0][0] == (str(picture),) and len(recorder.of("finish")) == 3


@pytest.mark.parametrize("recorder", ["trackio"], indirect=True)
def test_a_logger_that_fails_is_reported_once_and_left_out(
    recorder: Recorder, tmp_path: Path, picture: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (logger,) = open_loggers(["trackio"], tmp_path, SETTINGS)
    recorder.broken = "log"
    with caplog.at_level(logging.WARNING, "restr"):
        for step in range(3):
            logger.log(step, {"loss": 1.0})
    recorder.broken = ""
    logger.log(3, {"loss": 1.0})
    logger.picture(3, "sheet", picture)
    logger.close()
    assert [record.getMessage() for record in caplog.records] == [
        "the logger trackio has failed and is ignored from now on; log.jsonl is still written "
        "(ConnectionError: no network)"
    ]
    assert recorder.of("log") == [] and recorder.of("finish") == []


@pytest.mark.parametrize("recorder", ["wandb"], indirect=True)
def test_a_logger_that_cannot_begin_says_so_before_training(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Recorder()
    monkeypatch.setitem(sys.modules, "trackio", other)  # type: ignore[arg-type]
    recorder.broken = "init"
    with pytest.raises(ConfigError, match="no network.*WANDB_MODE=offline"):
        open_loggers(["trackio", "wandb"], tmp_path, SETTINGS)
    assert len(other.of("finish")) == 1  # what was open already is closed


def test_unknown_and_missing_loggers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no logger 'tensorbord'; choose from tensorboard, wandb, mlflow, trackio"):
        open_loggers(["tensorbord"], tmp_path, {})
    monkeypatch.setitem(sys.modules, "mlflow", None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"pip install 'restr\[mlflow\]'"):
        open_loggers(["mlflow"], tmp_path, {})
    assert open_loggers([], tmp_path / "none", {}) == [] and not (tmp_path / "none").exists()
