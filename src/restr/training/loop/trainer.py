"""The training loop, in the order in which you would explain it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from restr.data.batch import Batches
from restr.errors import CheckpointError, ConfigError, DataError, DivergedError
from restr.losses import segmentation_loss
from restr.model.device import keep_freed_memory
from restr.model.restr import ReSTR
from restr.training.config import WATCHING, TrainConfig
from restr.training.loop import checkpoint, distributed
from restr.training.loop.engine import DTYPES, Engine, Forward, Gradient, Loss
from restr.training.loop.forward import forward_batch
from restr.training.loop.signals import caught_signals
from restr.training.loop.stream import BatchStream
from restr.training.run import sheet
from restr.training.run.meter import Meter, weight_norm
from restr.training.run.reporter import RunReporter
from restr.training.run.run_state import RunState, TrainResult

logger = logging.getLogger("restr")

BEST = "best.pt"
STOPS = ("", "time", "SIGINT", "SIGTERM")  # why to stop; what is further right counts more

Evaluate = Callable[[ReSTR], dict[str, float]]


class Trainer:
    """Trains ``model`` on ``batches`` and keeps checkpoints, log and best weights in ``folder``.

    An interrupted run that is resumed ends with the very weights of one that was not (same machine, same torch). forward and
    loss say how a batch becomes an output and a loss; evaluate is called with the model in eval mode and, where there is
    one, the EMA's weights. Within ``distributed.joined`` the processes that torchrun has started share every step. Raises
    ``CheckpointError`` where ``folder`` holds a run and resume is not asked for (by torchrun either, after a failure).
    """

    def __init__(
        self,
        model: ReSTR,
        batches: Batches,
        config: TrainConfig,
        folder: str | Path,
        *,
        resume: bool = False,
        loss: Loss = segmentation_loss,
        forward: Forward = forward_batch,
        evaluate: Evaluate | None = None,
        draw: Callable[..., None] | None = None,
    ) -> None:
        self.config, self.folder = config, Path(folder)
        self.batches, self.evaluate, self.draw = batches, evaluate, draw
        self.accumulate = config.accumulate or distributed.size()
        self._check_shares()
        device = distributed.device_of_process(config.device)
        dtype = DTYPES.get(config.autocast, torch.float32)
        # before the engine, which may compile or spread the model
        self.meter = Meter(device, model, forward=forward, dtype=dtype, processes=distributed.size())
        self.engine = Engine(model, config, forward, loss)
        self.at = RunState()
        self._random: dict[str, Any] | None = None  # the generators' states to go on from
        earlier = checkpoint.saved(self.folder)
        if earlier and not (resume or distributed.was_restarted()):
            raise CheckpointError(f"{self.folder} holds a run ({earlier[-1].name}); resume it or name another folder")
        if earlier:
            self._restore()
            self._check_shares()

    @property
    def model(self) -> ReSTR:
        return self.engine.model

    @property
    def step(self) -> int:
        """Steps done so far."""
        return self.at.step

    def fit(self) -> TrainResult:
        """Train until the last step, the time limit or SIGINT/SIGTERM; a checkpoint is saved in every case.

        Steps whose loss or gradient is no number are left out; too many in a row lead back to the last checkpoint, and then to
        ``DivergedError``. Raises ``DataError`` where too many samples cannot be read, ``CheckpointError`` where the last
        checkpoint cannot be written.
        """
        config, at, stopped = self.config, self.at, None
        if self.engine.device.type == "cpu":
            keep_freed_memory()
        watch = RunReporter(config, self.folder, self.meter, start=at.step, silent=not distributed.is_first())
        start = last_save = time.monotonic()
        self.model.train()
        with caught_signals() as caught, watch:
            self._begin_random()  # only now: what a watch imports may draw, as rich does
            stream = self.meter.watched(self._stream())
            while at.step < config.steps and not stopped:
                watched = (at.step + 1) % config.log_every == 0 or at.step + 1 == config.steps
                gradient = self.engine.gradient(stream, self.accumulate // distributed.size(), watched=watched)
                now = time.monotonic()
                stop = STOPS.index(caught[0]) if caught else int(0 < config.max_minutes * 60 <= now - start)
                late = now - last_save >= config.save_minutes * 60
                # what one process has seen, all must act on, or they would wait for each other for ever
                unusable, stop, late, lost = distributed.highest(
                    [not gradient.finite, stop, late, len(gradient.unreadable)], self.engine.device
                )
                if lost:
                    self._note_unreadable(gradient)
                if unusable and not self._skip(gradient):
                    watch.rewind(at.step)
                    stream = self.meter.watched(self._stream())
                    continue
                lr = 0.0 if unusable else self.engine.update(at.step, 0.5**at.rollbacks)
                at.skipped = at.skipped if unusable else 0
                at.step += 1
                watch.advance(at.step)

                if watched and not unusable:
                    line = distributed.mean(gradient.numbers, self.engine.device)
                    norms = {"grad_norm": gradient.norm, "weight_norm": weight_norm(self.model)}
                    watch.trained(at.step, {"loss": line.pop("total"), **line, "lr": lr, **norms})

                if self._due(config.evaluate_every) and self.evaluate:
                    with self.meter.paused():
                        self._evaluate(self.evaluate)
                    watch.evaluated(at.step, at.metrics, at.best)

                stopped = STOPS[int(stop)] or None
                if not stopped and config.patience and at.stale >= config.patience:
                    stopped = "patience"
                must = bool(stopped) or at.step == config.steps
                if must or (late or self._due(config.save_every)) and not at.skipped:
                    with self.meter.paused():
                        self._save(must=must)
                    last_save = time.monotonic()
        if stopped:
            logger.info("stopped by %s after step %d; resume from %s", stopped, at.step, self.folder)
        return TrainResult(step=at.step, stopped=stopped, best=at.best, metrics=at.metrics)

    def load_averaged(self) -> ReSTR:
        """The model with the EMA's weights (or its own where there is no EMA), in eval mode: what to ship."""
        return self.engine.finished()

    def load_best(self) -> ReSTR:
        """The model with the weights of the best evaluation (of the averaged ones, where there was none), in eval mode."""
        path = self.folder / BEST
        return self.engine.finished(checkpoint.load(path)["weights"] if path.exists() else None)

    def _stream(self) -> BatchStream:
        """This process's batches from the present step on: of every step's, each so-many-th is its own."""
        first, last = self.at.step * self.accumulate, self.config.steps * self.accumulate
        places = range(first + distributed.rank(), last, distributed.size())
        return BatchStream(self.batches, places, self.config.workers)

    def _begin_random(self) -> None:
        """Every generator as the checkpoint has it or, without one, as the seed says."""
        if self._random:
            checkpoint.set_random_state(self._random)
        else:
            checkpoint.seed_random(self.config.seed + distributed.rank())

    def _check_shares(self) -> None:
        if self.accumulate % distributed.size():
            raise ConfigError(
                f"accumulate is {self.accumulate}: {distributed.size()} processes cannot share so many batches evenly; choose a "
                "multiple, or start another number of processes"
            )

    def _due(self, every: int) -> bool:
        return bool(every) and self.at.step % every == 0 or self.at.step == self.config.steps

    # --- what goes wrong -------------------------------------------------------------------------------------------

    def _skip(self, gradient: Gradient) -> bool:
        """Leave this step out (True), or go back to the last checkpoint (False). Raises ``DivergedError``."""
        config, at = self.config, self.at
        self.engine.leave_out()
        at.skipped += 1
        what = f"step {at.step} is left out: the loss is {gradient.loss}, the gradient's norm {gradient.norm}"
        if at.skipped <= config.skips:
            logger.warning("%s; expected finite numbers", what)
            return True
        earlier = checkpoint.saved(self.folder)
        if at.rollbacks == config.rollbacks or not earlier:
            raise DivergedError(
                f"{what}, {at.skipped} times in a row; expected finite numbers. Lower lr ({config.lr}), clip harder "
                f"({config.clip}) or look at the batches of these steps, then resume from {self.folder}"
            )
        rollbacks = at.rollbacks + 1
        self._restore()
        at.rollbacks, at.skipped = rollbacks, 0
        self._begin_random()
        logger.warning(
            "%s, %d times in a row; back to step %d with %g of the learning rate",
            what, config.skips + 1, at.step, 0.5**rollbacks,
        )  # fmt: skip
        return False

    def _note_unreadable(self, gradient: Gradient) -> None:
        """Say which samples could not be read. Raises ``DataError`` where they become too many; the run is saved first."""
        found = [reason for reasons in distributed.gathered(gradient.unreadable) for reason in reasons]
        self.at.unreadable += len(found)
        for reason in found:
            logger.warning("a sample is replaced by another of its batch: %s", reason)
        if self.at.unreadable > self.config.unreadable:
            self.engine.leave_out()
            self._save(must=True)
            raise DataError(
                f"{self.at.unreadable} samples could not be read, more than the {self.config.unreadable} that may be (unreadable); "
                f"the last: {found[-1]}. Mend the data (restr data check), then resume from {self.folder}"
            )

    # --- evaluation ------------------------------------------------------------------------------------------------

    def _evaluate(self, evaluate: Evaluate) -> None:
        """Measure the averaged weights; training goes on afterwards as if nothing had happened."""
        at, random = self.at, checkpoint.random_state()
        try:
            with self.engine.averaged() as model, torch.no_grad():
                found = {name: float(value) for name, value in evaluate(model).items()}
                if self.draw and (distributed.is_first() or distributed.is_sharded(model)):
                    with contextlib.suppress(OSError):  # a full disk costs the sheet, not the run
                        self.draw(model, path=sheet.sheet_path(self.folder, at.step), title=f"step {at.step:,}")
                at.metrics = distributed.gathered(found)[0]  # one word for all, whatever evaluate does elsewhere
                score = at.metrics.get(self.config.best)
                at.stale += 1
                if score is not None and (at.best is None or score > at.best):
                    at.best, at.stale = score, 0
                    best = {"weights": self.engine.weights(), "step": at.step, "metrics": at.metrics}
                    self._write(best, self.folder / BEST, must=False)
        finally:
            checkpoint.set_random_state(random)

    # --- checkpoints -----------------------------------------------------------------------------------------------

    def _save(self, *, must: bool) -> None:
        state = {
            **dataclasses.asdict(self.at),
            **self.engine.state_dict(),
            "random": distributed.gathered(checkpoint.random_state()),
            "config": dataclasses.asdict(self.config) | {"accumulate": self.accumulate},
        }
        self._write(state, checkpoint.path_of(self.folder, self.at.step), must=must)
        if distributed.is_first():
            checkpoint.prune(self.folder, self.config.keep)

    def _write(self, state: dict[str, Any], path: Path, *, must: bool) -> None:
        """Write a file, by one process; where the disk is full, training goes on, unless this is the last chance (must)."""
        if not distributed.is_first():
            return
        try:
            checkpoint.save_atomically(state, path)
        except CheckpointError as error:
            if must:
                raise
            logger.warning("%s; training goes on, and the next checkpoint is tried when it is due", error)

    def _restore(self) -> None:
        """Go on from the newest checkpoint that can be read."""
        found = checkpoint.newest_sound(self.folder) if distributed.is_first() else None
        path = distributed.gathered(found and found[0])[0]
        state = found[1] if found else checkpoint.load(path)  # type: ignore[arg-type]  # the first has found it
        try:
            self.engine.load_state_dict(state)
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be gone on from: {error}") from error
        if not self.config.accumulate:
            self.accumulate = state["config"].get("accumulate") or self.accumulate
        now = dataclasses.asdict(self.config) | {"accumulate": self.accumulate}
        changed = [n for n in now if n not in WATCHING and state["config"].get(n, now[n]) != now[n]]
        if changed:
            logger.warning("resuming with other settings than before: %s", ", ".join(changed))
        for name, value in dataclasses.asdict(RunState()).items():
            setattr(self.at, name, state.get(name, value))
        if len(state["random"]) == distributed.size():
            self._random = state["random"][distributed.rank()]
        else:  # other processes than before: what is random (dropout) goes on differently, the batches do not
            checkpoint.seed_random(hash((self.config.seed, self.at.step, distributed.rank())))
            self._random = checkpoint.random_state()
