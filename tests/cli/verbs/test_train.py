"""``restr train``: the model is the best of the run, and every verb reads the run's checkpoints."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from restr.cli.main import main
from restr.errors import WeightsError
from restr.model.weights import load_pretrained
from restr.training import tasks
from restr.training.loop import checkpoint
from restr.training.run.log import read

SMALL = {
    "vision.blocks.depth": 1,
    "language.blocks.depth": 1,
    "fusion.visual_linguistic.depth": 1,
    "fusion.linguistic_seed.depth": 1,
    "preprocess.size": 32,
}
ARGUMENTS = [
    "train",
    "--scenes",
    "2",
    "--batch",
    "4",
    "--per-scene",
    "4",
    "--validation-scenes",
    "2",
    "--log-every",
    "1",
]
ARGUMENTS += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
ARGUMENTS += ["--threads", "1", "--evaluate-every", "1", "--best", "oiou"]


def scored(
    monkeypatch: pytest.MonkeyPatch, scores: list[float], then: Callable[[int], None] = lambda number: None
) -> None:
    """Let the evaluations of a run have these scores, one after the other."""
    left = iter(enumerate(scores, start=1))

    def validate(model: object, **_: object) -> dict[str, float]:
        number, score = next(left)
        then(number)
        return {"miou": 1 - score, "oiou": score}

    monkeypatch.setattr(tasks, "validate", validate)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_pretrained(path)[0].state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_the_model_is_the_best_checkpoint_bit_by_bit_and_the_log_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(monkeypatch, [0.2, 0.9, 0.4])
    run = tmp_path / "run"
    assert main([*ARGUMENTS, "--steps", "3", "--out", str(run)]) == 0
    assert (
        f"{run / 'model'} has the weights of step 2, the best by oiou (0.9000); the run is at step 3"
        in (printed := capsys.readouterr()).out
    )
    assert "oiou             0.9000" in printed.out
    best, last = checkpoint.load(run / "best.pt"), checkpoint.load(run / "step-00000003.pt")
    saved = load_file(run / "model" / "model.safetensors")
    assert best["step"] == 2 and saved.keys() == best["weights"].keys()
    assert all(torch.equal(saved[name], value) for name, value in best["weights"].items())
    assert not all(torch.equal(saved[name], value) for name, value in last["ema"].items())
    assert [line["val_best_step"] for line in read(run / "log.jsonl") if "val_oiou" in line] == [1, 2, 2]
    metrics, record = json.loads((run / "metrics.json").read_text()), json.loads((run / "run.json").read_text())
    assert (metrics["step"], metrics["oiou"], record["metrics"]["oiou"]) == (2, 0.9, 0.9)
    assert (record["step"], record["model"]) == (3, {"step": 2, "best_by": "oiou"})
    assert "Of the run&#x27;s model, which is of step 2: the best by oiou." in (run / "report.html").read_text()

    # the run and its checkpoints are models
    assert same(weights(run / "best.pt"), saved) and not (run / "frozen.safetensors").exists()
    assert same(weights(run / "step-00000003.pt"), last["ema"])
    picture = tmp_path / "picture.png"
    Image.linear_gradient("L").convert("RGB").resize((40, 30)).save(picture)
    answers = {}
    for place in (run, run / "model", run / "best.pt", run / "last", run / "step-00000003.pt"):
        capsys.readouterr()
        assert main(["predict", str(picture), "the circle", "--json", "--save", "prob", "--model", str(place)]) == 0
        answer = json.loads(capsys.readouterr().out)
        answers[place.name] = {name: value for name, value in answer.items() if name not in ("files", "ms")}
    assert answers["run"] == answers["model"] == answers["best.pt"]
    assert answers["last"] == answers["step-00000003.pt"]
    tables = {}
    for name in ("model", "best.pt", "last"):
        out = tmp_path / f"eval-{name}"
        assert main(["eval", "--data", "generated", "--n", "4", "--model", str(run / name), "--out", str(out)]) == 0
        tables[name] = json.loads((out / "metrics.json").read_text())
    assert tables["model"]["overall"] == tables["best.pt"]["overall"]
    hashes = [table["facts"]["model"] for table in tables.values()]
    assert len(set(hashes)) == 3, "results of different files are never taken for each other"

    # a run that an older version began has no config beside its checkpoints
    (run / "config.json").unlink()
    with pytest.raises(WeightsError, match="best.pt is no model without config.json beside it; .* resume the run"):
        load_pretrained(run / "best.pt")
    assert main([*ARGUMENTS, "--steps", "3", "--out", str(run), "--resume"]) == 0
    assert same(weights(run / "best.pt"), saved)


def test_a_stopped_run_hands_on_its_best_weights_so_far_and_so_does_the_resumed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    scored(monkeypatch, [0.5, 0.3, 0.4], lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == 2 else None)
    command = [*ARGUMENTS, "--steps", "5", "--out", str(run)]
    assert main(command) == 128 + signal.SIGTERM
    printed = capsys.readouterr().out
    assert "stopped by SIGTERM after step 3" in printed
    assert "has the weights of step 1, the best by oiou (0.5000); the run is at step 3" in printed
    first = weights(run / "model")
    scored(monkeypatch, [0.5, 0.1])
    assert main([*command, "--resume"]) == 0, "neither is better than 0.5"
    assert "has the weights of step 1, the best by oiou (0.5000); the run is at step 5" in capsys.readouterr().out
    assert same(weights(run / "model"), first)


def test_without_a_score_to_choose_by_the_last_weights_are_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(monkeypatch, [float("nan"), float("nan")])
    run = tmp_path / "run"
    assert main([*ARGUMENTS, "--steps", "2", "--out", str(run)]) == 0
    assert "has the last weights, of step 2: no evaluation had a score to choose by" in capsys.readouterr().out
    assert same(weights(run / "model"), checkpoint.load(run / "step-00000002.pt")["ema"])
    assert json.loads((run / "run.json").read_text())["model"] == {"step": 2, "best_by": None}
    assert not (run / "best.pt").exists()


def test_settings_shape_the_model_and_a_runs_record_repeats_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The released program's preset too: its structure at a small size, as settings make it."""
    scored(monkeypatch, [0.5] * 3)
    small: dict[str, object] = {**SMALL, "vision.patch": 16, "vision.grid": 2, "vision.blocks.drop_path": 0}
    for blocks in ("vision.blocks", "language.blocks", "fusion.visual_linguistic", "fusion.linguistic_seed"):
        small |= {f"{blocks}.width": 32, f"{blocks}.heads": 2, f"{blocks}.mlp": 32}
    lines = "".join(f"{name} = {value}\n" for name, value in (small | {"language.vectors": 32}).items())
    (tmp_path / "small.toml").write_text(
        f'preset = "restr_released"\nsteps = 1\n[set]\n{lines}fusion.normalise = false\n'
    )
    few = ["--scenes", "1", "--batch", "4", "--per-scene", "4", "--validation-scenes", "1", "--threads", "1"]
    one, two = tmp_path / "one", tmp_path / "two"
    command = ["train", "--config", str(tmp_path / "small.toml"), *few, "--set", "fusion.variant=ime"]
    assert main([*command, "--out", str(one)]) == 0
    config = load_pretrained(one / "model")[0].config
    assert (config.name, config.fusion.variant, config.fusion.normalise) == ("restr_released", "ime", False)
    assert config.vision.blocks.width == 32 and config.classifier.kind == "maps"
    assert main(["train", "--config", str(one / "run.json"), "--out", str(two)]) == 0
    assert load_pretrained(two / "model")[0].config == config


def test_a_wrong_setting_is_told_the_right_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", str(tmp_path), "--set", "fusion.varient=ime"]) == 1
    assert "there is no setting 'fusion.varient'; did you mean fusion.variant" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path), "--set", "fusion.variant=imee"]) == 1
    assert "expected one of cme, ime, vme; did you mean ime?" in capsys.readouterr().err
