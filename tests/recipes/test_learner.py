"""recipes/restr_small: what a training step computes, and what is left of it after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from packed_data import made_data, module, recipe_modules, view
from restr.config import PreprocessConfig
from restr.errors import CheckpointError, DivergedError
from restr.model.restr import ReSTROutput
from restr.nn.transformer import initialise
from restr.presets import restr_tiny

ONE, ABSENT = 0, 2


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    with recipe_modules():
        yield


def test_the_products_enlarge_as_the_decoder_does() -> None:
    from restr.config import DecoderConfig
    from restr.model.decoder import Upsample

    block = Upsample(6, 4, DecoderConfig())
    block.apply(initialise)
    for enlarge in (True, False):
        first = torch.randn(2, 5, 7, 6, requires_grad=True)
        second = first.detach().clone().requires_grad_()
        own = block(first, enlarge=enlarge)
        products = module("compiled").enlarge_by_products(block, second, enlarge=enlarge)
        torch.testing.assert_close(products, own)
        weight = torch.randn_like(own)
        (own * weight).sum().backward()
        (products * weight).sum().backward()
        torch.testing.assert_close(second.grad, first.grad)


def test_losses_of_a_perfect_answer_and_of_what_does_not_count() -> None:
    views, objective = module("views"), module("objective")
    mask = torch.zeros(3, 1, 8, 8)
    mask[0, 0, 2:6, 0:4] = 1
    mask[2] = torch.rand(1, 8, 8)  # does not count
    box = views.boxes(mask)
    assert box[0].tolist() == [0, 0.25, 0.5, 0.75] and box[1].tolist() == [0, 0, 0, 0]
    present, weight = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    batch = views.Batch(torch.zeros(3, 3, 8, 8), torch.zeros(3, 2), mask, present, weight, box)
    sure = (mask * 2 - 1) * 30
    share = F.adaptive_avg_pool2d(mask, (2, 2)).flatten(1).clamp(1e-6, 1 - 1e-6)
    output = ReSTROutput(sure, share.logit(), (2, 2), torch.tensor([30.0, -30.0, -30.0]))
    guess = torch.tensor([[0.25, 0.5, 0.5, 0.5]]).repeat(3, 1)
    found = objective.losses(output, guess, batch)
    perfect = {name: found[name].item() for name in ("mask", "dice", "presence", "box", "giou")}
    assert perfect == pytest.approx(dict.fromkeys(perfect, 0.0), abs=1e-5)
    entropy = -(share * share.log() + (1 - share) * (1 - share).log()).mean(1)
    assert found["patch"].item() == pytest.approx((entropy[0] + 0.3 * entropy[1]).item() / 2, abs=1e-5)
    assert found["total"].item() == pytest.approx(0.5 * found["patch"].item(), abs=1e-5)
    astray = objective.losses(output, guess + 0.3, batch, {"patch": 2.0, "presence": 1.0})
    assert astray["box"] > 0.05 and astray["total"].item() == pytest.approx(2 * found["patch"].item(), abs=1e-5)
    a, b = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]])
    assert objective.generalised_iou(a, b).item() == pytest.approx(-1 / 3)


def learner_of(**settings: Any) -> Any:
    """A learner with a small network of its own."""
    network, learner = module("network"), module("learner")
    config = replace(restr_tiny(vocab=512), presence=replace(restr_tiny().presence, kind="region"))
    torch.manual_seed(0)
    return learner.Learner(
        network.Network(config), network.Rates(1e-3, 5e-4, 2e-4, 0.5, 0.05), torch.device("cpu"), settings
    )


def test_every_weight_learns_once_and_early_blocks_slowly() -> None:
    learner = learner_of()
    rates = {id(p): g["base"] for g in learner.optimiser.param_groups for p in g["params"]}
    decays = {id(p): g["weight_decay"] for g in learner.optimiser.param_groups for p in g["params"]}
    named = dict(learner.network.named_parameters())
    assert len(rates) == len(named) == sum(len(g["params"]) for g in learner.optimiser.param_groups)
    expected = {
        "model.vision.patch_embed.proj.weight": 5e-4 / 8,
        "model.vision.blocks.0.attn.qkv.weight": 5e-4 / 4,
        "model.vision.blocks.2.mlp.fc1.bias": 5e-4,
        "model.vision.norm.weight": 5e-4,
        "model.language.encoder.blocks.0.mlp.fc1.weight": 2e-4,
        "model.language.proj_out.weight": 1e-3,
        "model.decoder.head.weight": 1e-3,
        "box.0.weight": 1e-3,
    }
    assert {name: rates[id(named[name])] for name in expected} == pytest.approx(expected)
    assert decays[id(named["box.0.weight"])] == 0.05 and decays[id(named["box.0.bias"])] == 0


def test_a_step_without_a_finite_gradient_changes_nothing_and_is_counted() -> None:
    learner = learner_of()
    data = made_data([(0, 0, ONE, False), (0, -1, ABSENT, False)])
    learner.network.model.decoder.coarse = 1
    batch = module("views").collate(view((6, 0), (6, 0), False, (48, 64), 2), data, 2, PreprocessConfig(), train=False)
    learner.update(batch, 2, 1.0)
    before = [value.detach().clone() for value in learner.learnt]
    steps = [float(state["step"]) for state in learner.optimiser.state.values()]
    _, norm = learner.update(batch._replace(image=batch.image * float("nan")), 2, 1.0)
    assert not torch.isfinite(norm) and float(learner.skipped) == float(learner.skipped_in_a_row) == 1
    assert all(torch.equal(value, was) for value, was in zip(learner.learnt, before, strict=True))
    assert [float(state["step"]) for state in learner.optimiser.state.values()] == steps
    _, norm = learner.update(batch, 2, 1.0)
    assert torch.isfinite(norm) and (float(learner.skipped), float(learner.skipped_in_a_row)) == (1, 0)
    assert not any(torch.equal(value, was) for value, was in zip(learner.learnt[:3], before, strict=False))


def test_a_checkpoint_is_taken_up_whole_and_another_runs_is_refused(tmp_path: Path) -> None:
    data, path = made_data([(0, 0, ONE, False), (0, -1, ABSENT, False)]), tmp_path / "checkpoint.pt"
    batch = module("views").collate(view((6, 0), (6, 0), False, (48, 64), 2), data, 1, PreprocessConfig(), train=False)
    learner = learner_of(lr=1e-3)
    learner.network.eval()  # no stochastic depth: the same numbers twice
    for _ in range(3):
        learner.update(batch, 2, 1.0)
    learner.save(path, 12.5)
    learner.update(batch, 2, 0.5)
    other = learner_of(lr=1e-3)
    other.network.eval()
    assert other.load(path) == 12.5 and other.step == 3
    other.update(batch, 2, 0.5)
    torch.testing.assert_close(other.learnt, learner.learnt)
    torch.testing.assert_close(other.average, learner.average)
    with pytest.raises(CheckpointError, match=r"lr 0\.001, not 0\.002"):
        learner_of(lr=2e-3).load(path)


def test_a_run_without_finite_gradients_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, learner = module("train"), learner_of()
    monkeypatch.setattr(train, "MOST_SKIPPED", 4)
    args = train.arguments(
        ["--data", ".", "--out", str(tmp_path), "--steps", "200", "--log-every", "1", "--device", "cpu"]
    )
    args.photos, args.each, args.flavour = 1, 1, "tiny"
    with torch.no_grad():
        learner.learnt[0].fill_(float("nan"))
    data = made_data([(0, 0, ONE, False)])
    with pytest.raises(DivergedError, match="4 steps in a row"):
        train.Run(args, data, learner).fit()


def test_averaged_weights_are_in_place_only_within() -> None:
    learner = learner_of()
    own = [value.detach().clone() for value in learner.learnt]
    learner.average = [value + 1 for value in own]
    learner.network.model.decoder.coarse = 2
    with learner.averaged():
        assert all(torch.equal(v, w + 1) for v, w in zip(learner.learnt, own, strict=True))
        assert learner.network.model.decoder.coarse == 0 and not learner.network.training
    assert all(torch.equal(v, w) for v, w in zip(learner.learnt, own, strict=True))
    assert learner.network.model.decoder.coarse == 2 and learner.network.training


def test_separation_is_the_share_of_pairs_in_order() -> None:
    there, absent = np.array([0.9, 0.8, 0.4, 0.7]), np.array([0.1, 0.75, 0.2])
    found = module("measure").separation(there, absent)
    assert found["auc"] == pytest.approx(np.mean(there[:, None] > absent[None]))
    assert found["n_acc"] == pytest.approx(2 / 3) and found["threshold"] == pytest.approx(np.quantile(there, 0.05))
