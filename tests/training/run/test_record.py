"""Settings from files, the record that a run leaves, and the list of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from restr.cli.config_file import options_of, with_config
from restr.cli.main import main
from restr.errors import ConfigError, DataError
from restr.training.run.record import find_runs, revision

SETTINGS = {
    ".json": '{"lr": 0.002, "train": {"steps": 7, "resume": false, "betas": [0.9, 0.95]}, "patch_share": null}',
    ".toml": 'lr = 0.002\npatch_share = "None"\n[train]\nsteps = 7\nresume = false\nbetas = [0.9, 0.95]\n',
    ".yaml": "lr: 0.002\ntrain:\n  steps: 7\n  resume: false\n  betas: [0.9, 0.95]\npatch_share: null\n",
}


@pytest.mark.parametrize("suffix", SETTINGS)
def test_a_settings_file_is_as_good_as_typing(tmp_path: Path, suffix: str) -> None:
    if suffix == ".yaml":
        pytest.importorskip("yaml")
    path = tmp_path / f"run{suffix}"
    path.write_text(SETTINGS[suffix])
    typed = sorted(" ".join(words) for words in options_of(path))
    assert typed == ["--betas 0.9 0.95", "--lr 0.002", "--no-resume", "--patch-share None", "--steps 7"]
    found = with_config(["--lr", "1e-5", "--config", str(path), "--resume"])
    assert found[:3] == ["--lr", "1e-5", "--resume"] and "--no-resume" not in found and "0.002" not in found
    assert found[found.index("--steps") + 1] == "7"
    assert with_config([f"--config={path}", "--steps=3"])[0] == "--steps=3"


def test_other_files_than_settings_are_refused(tmp_path: Path) -> None:
    for name, text, problem in (
        ("a.ini", "x", "expected a .json, .toml or .yaml"),
        ("a.json", "{", "is damaged"),
        ("a.toml", "x", "is damaged"),
        ("b.json", "[1]", "holds a list"),
        ("c.json", '{"a": [{"b": 1}], "d": {"e": {}}}', ""),
    ):
        (tmp_path / name).write_text(text)
        if problem:
            with pytest.raises(ConfigError, match=problem):
                options_of(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read"):
        with_config(["--config", str(tmp_path / "none.toml")])
    with pytest.raises(ConfigError, match="needs a file"):
        with_config(["--config"])


def test_a_run_records_everything_needed_to_repeat_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    few = {"scenes": 2, "per_scene": 4, "batch": 4, "validation_scenes": 2, "train": {"steps": 2, "log_every": 1}}
    (tmp_path / "few.json").write_text(json.dumps(few))
    one, two = tmp_path / "runs" / "one", tmp_path / "runs" / "two"
    assert main(["train", "--config", str(tmp_path / "few.json"), "--out", str(one)]) == 0
    record = json.loads((one / "run.json").read_text())
    assert record["settings"]["scenes"] == 2 and record["settings"]["train"]["steps"] == 2
    assert record["step"] == 2 and record["stopped"] is None and "miou" in record["metrics"]
    assert record["torch"] and record["git"] == revision() and f"--out {one}" in record["command"]
    assert main(["train", "--config", str(one / "run.json"), "--out", str(two), "--lr", "0.5"]) == 0
    again = json.loads((two / "run.json").read_text())["settings"]
    assert again["train"].pop("lr") == 0.5 and record["settings"]["train"].pop("lr") == 1e-3
    assert again | {"out": ""} == record["settings"] | {"out": ""}
    capsys.readouterr()
    assert main(["runs", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("finished") == 2 and "differing" not in printed
    assert main(["runs", str(one), str(two), "--out", str(tmp_path / "both.png")]) == 0
    assert "lr: 0.001 | 0.5" in capsys.readouterr().out
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_runs_says_where_there_are_none_and_which_were_killed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no run below"):
        find_runs(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text('{"verb": "train", "settings": {}}')
    (tmp_path / "a" / "log.jsonl").write_text('{"step": 3, "loss": 0.5}\n{"step": 4, "lo')
    assert find_runs(tmp_path)[0].state == "running or killed" and find_runs(tmp_path)[0].last == {
        "step": 3,
        "loss": 0.5,
    }
    (tmp_path / "a" / "run.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        find_runs(tmp_path)
