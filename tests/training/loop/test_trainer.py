"""Training: groups, schedule, exact resume, checkpoints, signals, and that it learns."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
from pathlib import Path

import pytest
import torch

from restr.data.batch import Batch, SampleBatches
from restr.data.generated import GeneratedScenes
from restr.errors import CheckpointError, ConfigError, DataError
from restr.losses import segmentation_loss
from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.presets import restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.training.config import TrainConfig
from restr.training.loop import checkpoint
from restr.training.loop.forward import forward_batch
from restr.training.loop.optim import learning_rate, parameter_groups, trainable_weights
from restr.training.loop.validate import validate, validate_swaps
from restr.training.run.log import read
from small_runs import SETTINGS, WORDS, batches, small_config, trainer


class Interrupting:
    """Batches that send this process a signal while they prepare one of them."""

    def __init__(self, inner: SampleBatches, at: int, number: int) -> None:
        self.inner, self.at, self.number = inner, at, number

    def batch(self, step: int) -> Batch:
        if step == self.at:
            os.kill(os.getpid(), self.number)
        return self.inner.batch(step)


def test_every_trainable_parameter_is_in_exactly_one_group() -> None:
    config = small_config()
    model = build_model(
        dataclasses.replace(
            config,
            vision=dataclasses.replace(config.vision, registers=1),
            language=dataclasses.replace(config.language, positions="learnt"),
        )
    )
    settings = TrainConfig(weight_decay=0.3, vision_lr_scale=0.1)
    groups = {group["name"]: group for group in parameter_groups(model, settings)}
    assert set(groups) == {"vision", "vision, not decayed", "rest", "rest, not decayed"}
    assert sum(len(group["params"]) for group in groups.values()) == len(list(model.parameters()))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    undecayed = {names[id(p)] for g in groups.values() if g["weight_decay"] == 0 for p in g["params"]}
    assert {
        "vision.pos_embed",
        "vision.cls_token",
        "language.vectors.weight",
        "vision.blocks.0.norm1.weight",
    } <= undecayed
    assert all(name.endswith("bias") for name in names.values() if name.endswith("bias") and name in undecayed)
    assert "vision.blocks.0.attn.qkv.weight" not in undecayed
    assert {name for name in names.values() if name.endswith(("reg_token", "positions"))} <= undecayed
    assert groups["vision"]["scale"] == 0.1 and groups["rest"]["scale"] == 1.0
    frozen = build_model(small_config(frozen=True))
    assert {group["name"] for group in parameter_groups(frozen, settings)} == {"rest", "rest, not decayed"}
    with pytest.raises(ConfigError, match="no trainable"):
        parameter_groups(frozen.requires_grad_(False), settings)


@pytest.mark.parametrize(("schedule", "half"), [("poly", 0.5**0.9), ("cosine", 0.5)])
def test_the_learning_rate_rises_linearly_then_decays(schedule, half) -> None:
    settings = TrainConfig(steps=110, lr=1.0, warmup=10 / 110, schedule=schedule)
    rates = [learning_rate(step, settings) for step in range(111)]
    assert rates[:3] == pytest.approx([1 / 11, 2 / 11, 3 / 11])
    assert rates[10] == 1.0 and rates[60] == pytest.approx(half) and rates[110] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_and_resumed_run_ends_with_the_same_bits(tmp_path: Path, number: int) -> None:
    straight = trainer(tmp_path / "straight")
    assert straight.fit().stopped is None
    result = trainer(tmp_path / "broken", batches=Interrupting(batches(small_config()), 4, number)).fit()
    assert (result.step, result.stopped) == (5, signal.Signals(number).name)
    torch.manual_seed(99)  # whatever happened meanwhile
    torch.rand(7)
    second = trainer(tmp_path / "broken", resume=True)
    assert second.step == 5
    assert second.fit().step == 8
    for name, value in trainable_weights(straight.model).items():
        assert torch.equal(value, trainable_weights(second.model)[name]), name
    assert straight.engine.ema and second.engine.ema
    for name, value in straight.engine.ema.weights.items():
        assert torch.equal(value, second.engine.ema.weights[name]), name
    assert straight.state.best == second.state.best
    ends = [checkpoint.load(tmp_path / folder / "step-00000008.pt")["random"][0] for folder in ("straight", "broken")]
    assert ends[0]["python"] == ends[1]["python"] and torch.equal(ends[0]["torch"], ends[1]["torch"])
    lines, others = read(tmp_path / "straight/log.jsonl"), read(tmp_path / "broken/log.jsonl")
    assert [line["step"] for line in lines] == [line["step"] for line in others]
    assert [line.get("loss") for line in lines] == [line.get("loss") for line in others]


def test_evaluation_leaves_training_as_it_was(tmp_path: Path) -> None:
    def disturb(model: ReSTR) -> dict[str, float]:
        assert not model.training
        return {"miou": float(torch.rand(()))}

    quiet = trainer(tmp_path / "quiet", dataclasses.replace(SETTINGS, steps=4), evaluate=None)
    disturbed = trainer(
        tmp_path / "disturbed", dataclasses.replace(SETTINGS, steps=4, evaluate_every=1), evaluate=disturb
    )
    quiet.fit()
    disturbed.fit()
    assert all(torch.equal(a, b) for a, b in zip(quiet.model.parameters(), disturbed.model.parameters(), strict=True))


def test_the_last_checkpoints_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    run = trainer(tmp_path, dataclasses.replace(SETTINGS, save_every=1, keep=2))
    result = run.fit()
    assert [path.name for path in checkpoint.list_checkpoints(tmp_path)] == ["step-00000007.pt", "step-00000008.pt"]
    best = checkpoint.load(tmp_path / "best.pt")
    assert best["metrics"]["miou"] == result.best == max(
        line["val_miou"] for line in read(tmp_path / "log.jsonl") if "val_miou" in line
    ) or best["metrics"]["miou"] == pytest.approx(result.best, rel=1e-5)
    assert not list(tmp_path.glob(".*"))  # nothing half-written
    assert torch.equal(run.load_averaged().decoder.head.weight, run.engine.ema.weights["decoder.head.weight"])  # type: ignore[union-attr]


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path, dataclasses.replace(SETTINGS, steps=1)).fit()
    with pytest.raises(CheckpointError, match="resume"):
        trainer(tmp_path)
    config = dataclasses.replace(small_config(), vision=dataclasses.replace(small_config().vision, patch=4))
    with pytest.raises(CheckpointError, match="another model"):
        trainer(tmp_path, model=build_model(config), resume=True)
    (path,) = checkpoint.list_checkpoints(tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        trainer(tmp_path, resume=True)


def test_the_time_limit_stops_and_saves(tmp_path: Path) -> None:
    result = trainer(tmp_path, dataclasses.replace(SETTINGS, max_minutes=1e-9)).fit()
    assert (result.stopped, result.step) == ("time", 1)
    assert checkpoint.list_checkpoints(tmp_path)


def test_bf16_and_accumulation_train(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, steps=2, autocast="bf16", accumulate=2, evaluate_every=0)
    run = trainer(tmp_path, settings)
    before = {name: value.clone() for name, value in trainable_weights(run.model).items()}
    run.fit()
    assert all(value.dtype == torch.float32 for value in run.model.parameters())
    assert any(not torch.equal(before[name], value) for name, value in trainable_weights(run.model).items())


def test_activations_computed_again_change_nothing(tmp_path: Path) -> None:
    runs = [trainer(tmp_path / str(on), dataclasses.replace(SETTINGS, steps=3, recompute=on)) for on in (False, True)]
    for run in runs:
        run.fit()
    assert all(torch.equal(a, b) for a, b in zip(*(run.model.parameters() for run in runs), strict=True))


def test_fp16_scales_the_loss_and_clips_what_is_unscaled(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, steps=6, autocast="fp16", evaluate_every=0)
    run = trainer(tmp_path / "half", settings)
    run.fit()
    assert run.engine.scaler.is_enabled() and run.engine.scaler.get_scale() > 1
    norms = [line["grad_norm"] for line in read(tmp_path / "half/log.jsonl") if "loss" in line]
    whole = trainer(tmp_path / "whole", dataclasses.replace(settings, autocast="off"))
    whole.fit()
    others = [line["grad_norm"] for line in read(tmp_path / "whole/log.jsonl") if "loss" in line]
    assert norms[-1] < 100 and others[-1] < 100  # not the scaled gradient's, which is 65,536 times as long
    again = trainer(tmp_path / "half", dataclasses.replace(settings, steps=7), resume=True)
    assert again.engine.scaler.get_scale() == run.engine.scaler.get_scale()


def test_deeper_vision_blocks_learn_faster() -> None:
    config = small_config()
    deep = dataclasses.replace(config.vision, blocks=dataclasses.replace(config.vision.blocks, depth=3))
    model = build_model(dataclasses.replace(config, vision=deep))
    groups = parameter_groups(model, TrainConfig(layer_decay=0.5, vision_lr_scale=0.1))
    scales = {group["name"].removesuffix(", not decayed"): group["scale"] for group in groups}
    assert scales == {"rest": 1, "vision 0": 0.1 / 8, "vision 1": 0.1 / 4, "vision 2": 0.1 / 2, "vision 3": 0.1}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    of = {id(parameter): group["name"] for group in groups for parameter in group["params"]}
    assert of[id(model.vision.norm.weight)] == "vision 3, not decayed"
    assert of[id(model.vision.patch_embed.proj.weight)] == "vision 0"


@pytest.mark.slow
def test_worker_processes_change_nothing(tmp_path: Path) -> None:
    runs = [trainer(tmp_path / str(n), dataclasses.replace(SETTINGS, steps=3, workers=n)) for n in (0, 1)]
    for run in runs:
        run.fit()
    assert all(torch.equal(a, b) for a, b in zip(*(run.model.parameters() for run in runs), strict=True))


def test_cached_features_give_what_the_image_gives() -> None:
    config = small_config(frozen=True)
    model = build_model(config, seed=2).eval()
    batch = batches(config).batch(0)
    assert batch.image is not None
    features = model.vision(batch.image)
    cached = dataclasses.replace(batch, image=None, patches=features.patches, grid=features.grid)
    assert torch.allclose(forward_batch(model, batch).logits, forward_batch(model, cached).logits, atol=1e-6)
    with pytest.raises(DataError, match="either an image or patches"):
        dataclasses.replace(batch, image=None)


def test_an_epoch_visits_every_sample_once_and_keeps_scenes_together() -> None:
    source = batches(small_config())
    visited = [index for step in range(len(source)) for index in source._indices(step)]
    assert sorted(visited) == list(range(16)) and visited != list(range(16))
    assert all(visited[i] + 1 == visited[i + 1] for i in range(0, 16, 2))
    assert source._indices(0) != source._indices(len(source))


def test_curves_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from restr.training.run.curves import plot_curves

    with pytest.raises(DataError, match="no lines"):
        plot_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    trainer(tmp_path, dataclasses.replace(SETTINGS, steps=3)).fit()
    plot_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_trains_saves_and_resumes(tmp_path: Path) -> None:
    from restr.cli.verbs.train import main
    from restr.model.weights import load_pretrained

    arguments = [
        "--out",
        str(tmp_path),
        "--scenes",
        "2",
        "--batch",
        "4",
        "--validation-scenes",
        "2",
        "--per-scene",
        "4",
    ]
    assert main([*arguments, "--steps", "1"]) == 0
    assert main([*arguments, "--steps", "2", "--resume"]) == 0
    model, words = load_pretrained(tmp_path / "model")
    assert model.config.name == "restr_tiny" and len(words) == len(WORDS)
    assert {"log.jsonl", "metrics.json", "best.pt", "step-00000002.pt"} <= {path.name for path in tmp_path.iterdir()}


def test_the_tiny_model_learns_a_few_scenes_by_heart(tmp_path: Path) -> None:
    """The small version of recipes/restr_tiny's over-fitting run."""
    config = restr_tiny(vocab=len(WORDS))
    scenes = GeneratedScenes(4, 11, per_scene=2)
    few = [scenes[index] for index in range(len(scenes))]
    tokenizer = Tokenizer(WORDS, config.language.max_words)
    settings = TrainConfig(steps=200, lr=1e-3, vision_lr_scale=1.0, warmup=0.1, ema=0.9, weight_decay=0.0)
    run = trainer(
        tmp_path,
        settings,
        model=build_model(config, seed=0),
        batches=SampleBatches(few, tokenizer, config, size=8),
        loss=functools.partial(segmentation_loss, dice_weight=1.0),
        evaluate=None,
    )
    run.fit()
    model = run.load_averaged()
    assert validate(model, few, tokenizer)["miou"] > 0.5
    assert validate_swaps(model, scenes, tokenizer)["swaps"] >= 1
