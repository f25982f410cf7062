"""``restr eval --seed-attention``: the same shares as sentence by sentence, and no export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from restr.cli.main import main
from restr.data.generated import vocabulary
from restr.errors import ConfigError
from restr.evaluation.datasets import drawn_scenes
from restr.evaluation.protocol import PROTOCOLS
from restr.evaluation.seed_attention import measure_seed_attention, refuse_export, seed_attention_lines
from restr.inference.locate import model_folder
from restr.model.attention_maps import record_seed_attention
from restr.model.build import build_model
from restr.model.weights import load_pretrained, save_pretrained
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING
from small_runs import trainer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(restr_tiny(vocab=len(vocabulary())), seed=0), vocabulary(), folder)
    return folder


def test_the_share_over_a_split_is_the_mean_of_its_sentences(model: Path) -> None:
    samples = drawn_scenes(10)
    found = measure_seed_attention(model, samples, PROTOCOLS["own"], device="cpu")
    loaded, words = load_pretrained(model)
    tokenizer, expected = Tokenizer.of(words, loaded.config), []
    for sample in samples:
        image = torch.from_numpy(loaded.config.framing.prepare(sample.image))[None]
        ids = torch.from_numpy(tokenizer([sample.text]))
        with torch.no_grad(), record_seed_attention(loaded.fusion, ids == PADDING) as recorder:
            loaded(image, ids)
        expected.append(recorder.shares().effective[0, 0].item())
    assert found["n"] == 10 and found["seed_effective_patches"] == pytest.approx(sum(expected) / 10, abs=1e-6)
    lines = seed_attention_lines(found)
    assert "| the seed's attention, n = 10 | patches | words | seed |" in lines and "| direct, block 2 | 0.0 |" in lines


def test_the_verb_writes_them_and_refuses_exports(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "eval",
        "--data",
        "generated",
        "--n",
        "4",
        "--model",
        str(model),
        "--out",
        str(tmp_path),
        "--no-control",
    ]
    assert main([*arguments, "--seed-attention"]) == 0
    shares = json.loads((tmp_path / "seed_attention.json").read_text())
    assert shares["n"] == 4 and shares["seed_direct_patches"] == 0
    assert "effective (attention rollout)" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="is no model folder"):
        measure_seed_attention(tmp_path, drawn_scenes(2), PROTOCOLS["own"])


def test_a_checkpoint_of_a_run_is_measured_and_an_export_refused_before_the_evaluation(tmp_path: Path) -> None:
    trainer(tmp_path / "run").fit()
    shares = measure_seed_attention(
        model_folder(tmp_path / "run" / "last"), drawn_scenes(2), PROTOCOLS["own"], device="cpu"
    )
    assert shares["n"] == 2
    with pytest.raises(ConfigError, match="not in an export"):
        refuse_export(tmp_path)
