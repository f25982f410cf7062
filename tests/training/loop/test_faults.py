"""Faults while training and their outcomes: a non-finite loss, a missing file, a full disk, a dead worker."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from restr.data.batch import Batch, SampleBatches
from restr.errors import CheckpointError, DataError, DivergedError
from restr.losses import LossTerms, segmentation_loss
from restr.model.restr import ReSTROutput
from restr.text.tokenizer import Tokenizer
from restr.training.loop import checkpoint
from restr.training.loop.optim import learning_rate
from restr.training.loop.stream import BatchStream
from restr.training.loop.trainer import Trainer
from restr.training.run.log import read
from small_runs import SETTINGS, WORDS, batches, samples, small_config, trainer


class Spoilt:
    """The loss, made NaN at the given calls, counted from 1, and from call ``on``."""

    def __init__(self, *calls: int, on: int = 10**9) -> None:
        self.calls, self.on, self.called = calls, on, 0

    def __call__(self, output: ReSTROutput, mask: torch.Tensor) -> LossTerms:
        self.called += 1
        terms = segmentation_loss(output, mask)
        spoil = self.called in self.calls or self.called >= self.on
        return terms._replace(total=terms.total * float("nan")) if spoil else terms


def test_a_loss_that_is_no_number_stops_the_run_before_it_spoils_the_weights(tmp_path: Path) -> None:
    run = trainer(tmp_path, dataclasses.replace(SETTINGS, skips=0, rollbacks=0), loss=Spoilt(5))
    with pytest.raises(DivergedError, match="step 4 is skipped: the loss is nan"):
        run.fit()
    (path,) = checkpoint.list_checkpoints(tmp_path)
    assert all(torch.isfinite(value).all() for value in checkpoint.load(path)["model"].values())
    assert all(torch.isfinite(value).all() for value in run.model.parameters())


def test_a_step_without_a_number_is_left_out(tmp_path: Path, caplog) -> None:
    run = trainer(tmp_path, dataclasses.replace(SETTINGS, evaluate_every=0), loss=Spoilt(5))
    assert run.fit().step == 8
    assert "step 4 is skipped: the loss is nan" in caplog.text
    assert [line["step"] for line in read(tmp_path / "log.jsonl") if "loss" in line] == [1, 2, 3, 4, 6, 7, 8]
    assert all(torch.isfinite(value).all() for value in run.model.parameters())


def test_many_steps_without_a_number_lead_back_to_the_last_checkpoint(tmp_path: Path, caplog) -> None:
    settings = dataclasses.replace(SETTINGS, evaluate_every=0, skips=1)
    run = trainer(tmp_path / "once", settings, loss=Spoilt(6, 7))
    assert run.fit().step == 8  # saved at 3, lost at 5 and 6
    assert "2 times in a row; back to step 3 with 0.5 of the learning rate" in caplog.text
    lines = read(tmp_path / "once/log.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert lines[4]["lr"] == pytest.approx(0.5 * learning_rate(4, settings), rel=1e-5)
    lost = trainer(tmp_path / "lost", settings, loss=Spoilt(on=6))
    with pytest.raises(DivergedError, match="in a row"):
        lost.fit()
    assert trainer(tmp_path / "lost", settings, resume=True).step == 3


def test_the_best_weights_outlast_a_way_back_to_an_older_checkpoint(tmp_path: Path) -> None:
    scores = iter([0.1, 0.9, 0.2, 0.5, 0.3, 0.4])  # after steps 2, 4, 6, and after the way back to 3 after 4, 6, 8
    settings = dataclasses.replace(SETTINGS, skips=1)
    run = trainer(tmp_path, settings, loss=Spoilt(6, 7), evaluate=lambda model: {"miou": next(scores)})
    assert run.fit().best == 0.9
    assert run.load_chosen()[1].metrics == {"miou": 0.9}


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, caplog) -> None:
    first = trainer(tmp_path, dataclasses.replace(SETTINGS, save_every=2, keep=3))
    first.fit()
    last = checkpoint.list_checkpoints(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:1000])
    second = trainer(tmp_path, resume=True)
    assert second.step == 6 and "cannot be read" in caplog.text
    assert not last.exists() and (tmp_path / "damaged-step-00000008.pt").exists()
    assert second.fit().step == 8
    assert all(torch.equal(a, b) for a, b in zip(second.model.parameters(), first.model.parameters(), strict=True))


def test_a_full_disk_costs_a_checkpoint_but_the_last_one_must_be_written(tmp_path: Path, monkeypatch, caplog) -> None:
    real, full = torch.save, True

    def save(*arguments: Any) -> None:
        if full:
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(torch, "save", save)
    run = trainer(tmp_path)
    with pytest.raises(CheckpointError, match="step-00000008.pt cannot be written .*No space left on device"):
        run.fit()
    assert run.step == 8 and caplog.text.count("training continues") >= 2
    assert not checkpoint.list_checkpoints(tmp_path) and not list(tmp_path.glob(".*"))
    full = False
    assert trainer(tmp_path, resume=True).fit().step == 8


class Vanishing:
    """Samples; some can no longer be read."""

    def __init__(self, *gone: int) -> None:
        self.gone = gone

    def __len__(self) -> int:
        return len(samples())

    def __getitem__(self, index: int) -> Any:
        if index in self.gone:
            raise DataError(f"there is no image {index}")
        return samples()[index]


def test_unreadable_samples_are_replaced_until_they_are_too_many(tmp_path: Path, caplog) -> None:
    config = small_config()

    def without(folder: str, *numbers: int, allowed: int, resume: bool = False) -> Trainer:
        few = SampleBatches(Vanishing(*numbers), Tokenizer(WORDS, 16), config, size=4, together=2, seed=5)
        settings = dataclasses.replace(SETTINGS, unreadable=allowed)
        return trainer(tmp_path / folder, settings, resume=resume, batches=few, evaluate=None)

    run = without("some", 3, allowed=2)
    assert run.fit().step == 8 and run.state.unreadable == 2  # two epochs
    assert caplog.text.count("there is no image 3") == 2
    with pytest.raises(DataError, match="2 samples could not be read, more than the 1 .* there is no image 3"):
        without("many", 3, allowed=1).fit()
    mended = without("many", allowed=1, resume=True)
    assert 4 <= mended.step < 8 and mended.fit().step == 8
    with pytest.raises(DataError, match="none of the 4 samples of batch 0 can be read"):
        without("all", *range(16), allowed=99).fit()


class Killing:
    """Batches whose worker is killed the first ``times`` that it prepares a certain one, as the kernel does when memory
    is short."""

    def __init__(self, inner: SampleBatches, at: int, times: int) -> None:
        self.inner, self.at = inner, at
        self.left = multiprocessing.Value("i", times)

    def batch(self, step: int) -> Batch:
        if step == self.at and multiprocessing.parent_process() is not None and self.left.value:
            self.left.value -= 1
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.batch(step)


def test_a_worker_that_dies_is_started_again_and_nothing_else_changes(tmp_path: Path, caplog, monkeypatch) -> None:
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    settings = dataclasses.replace(SETTINGS, steps=5, evaluate_every=0)
    straight = trainer(tmp_path / "straight", settings)
    straight.fit()
    killing = Killing(batches(small_config()), 3, 2)
    broken = trainer(tmp_path / "broken", dataclasses.replace(settings, workers=1), batches=killing)
    assert broken.fit().step == 5
    assert caplog.text.count("has died and is started again") == 2
    assert all(torch.equal(a, b) for a, b in zip(straight.model.parameters(), broken.model.parameters(), strict=True))
    killing = Killing(batches(small_config()), 2, 99)
    hopeless = trainer(tmp_path / "hopeless", dataclasses.replace(settings, workers=1), batches=killing)
    with pytest.raises(DataError, match="has died for the 4th time"):
        hopeless.fit()


class Seeing:
    """Batches that are the handler of SIGCHLD in the process that prepares them."""

    def batch(self, step: int) -> Any:
        return signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL


def test_no_handler_of_dead_workers_runs_while_workers_start() -> None:
    def other(number: int, frame: object) -> None: ...

    before = signal.signal(signal.SIGCHLD, other)  # as torch leaves its own, which raises
    try:
        assert list(BatchStream(Seeing(), range(1), workers=1)) == [True]
        assert signal.getsignal(signal.SIGCHLD) is other
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_torchs_handler_of_another_loader_is_not_put_back() -> None:
    """It would raise a death in the middle of whatever this process does, also while the death is logged."""

    def torchs(number: int, frame: object) -> None: ...

    torchs.__module__ = "torch.utils.data._utils.signal_handling"
    before = signal.signal(signal.SIGCHLD, torchs)
    try:
        assert list(BatchStream(Seeing(), range(1), workers=1)) == [True]
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_error_of_a_worker_is_raised_as_it_was(tmp_path: Path) -> None:
    few = SampleBatches(Vanishing(*range(16)), Tokenizer(WORDS, 16), small_config(), size=4)
    settings = dataclasses.replace(SETTINGS, workers=1)
    with pytest.raises(DataError, match="^none of the 4 samples of batch 0 can be read; the first: there is no image"):
        trainer(tmp_path, settings, batches=few, evaluate=None).fit()
