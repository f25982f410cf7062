"""The training loop, in the order in which you would explain it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from restr.data.batch import Batch
from restr.errors import CheckpointError, ConfigError, DataError, DivergedError
from restr.model.device import keep_freed_memory
from restr.model.folder import BEST
from restr.model.restr import ReSTR
from restr.training.config import WITHOUT_EFFECT, TrainConfig
from restr.training.loop import checkpoint, distributed
from restr.training.loop.engine import DTYPES, Engine, StepGradient
from restr.training.loop.signals import caught_signals
from restr.training.loop.state import ChosenWeights, RunState, StepStatus, Stop, TrainResult
from restr.training.loop.stream import BatchStream
from restr.training.loop.task import Evaluate, Task
from restr.training.run import sheet
from restr.training.run.meter import Meter, weight_norm
from restr.training.run.reporter import RunReporter

_logger = logging.getLogger("restr")


class Trainer:
    """Trains the model of a task; keeps checkpoints, log and best weights in ``folder``.

    A resumed run ends with exactly the weights of an uninterrupted one (same machine, same torch). Within
    ``distributed.process_group`` the processes started by torchrun share every step. Raises ``CheckpointError`` if
    ``folder`` already holds a run, unless ``resume`` is set or torchrun has restarted the processes.
    """

    def __init__(self, task: Task, config: TrainConfig, folder: str | Path, *, resume: bool = False) -> None:
        self.task, self.config, self.folder = task, config, Path(folder)
        self.accumulate = config.accumulate or distributed.size()
        self._check_accumulate()
        device = distributed.device_of_process(config.device)
        dtype = DTYPES.get(config.autocast, torch.float32)
        # before the engine, which may compile or shard the model
        self.meter = Meter(device, task.model, forward=task.forward, dtype=dtype, processes=distributed.size())
        self.engine = Engine(task.model, config, task.forward, task.loss)
        self.state = RunState()
        self._random: dict[str, Any] | None = None  # the state of the random generators to start from
        earlier = checkpoint.list_checkpoints(self.folder)
        if earlier and not (resume or distributed.was_restarted()):
            raise CheckpointError(f"{self.folder} holds a run ({earlier[-1].name}); resume it or name another folder")
        if earlier:
            self._restore()
            self._check_accumulate()

    @property
    def model(self) -> ReSTR:
        """The model in training."""
        return self.engine.model

    @property
    def step(self) -> int:
        """Steps done so far."""
        return self.state.step

    def fit(self) -> TrainResult:
        """Train until the last step, the time limit, or SIGINT/SIGTERM; a checkpoint is saved in every case.

        Steps with a non-finite loss or gradient are skipped; too many in a row roll back to the last checkpoint, and
        too many rollbacks raise ``DivergedError``. Raises ``DataError`` if too many samples cannot be read,
        ``CheckpointError`` if the last checkpoint cannot be written.
        """
        config, state, stop = self.config, self.state, Stop.NO
        if self.engine.device.type == "cpu":
            keep_freed_memory()
        reporter = RunReporter(config, self.folder, self.meter, start=state.step, silent=not distributed.is_first())
        start = last_save = time.monotonic()
        self._begin()
        self.model.train()
        with caught_signals() as signals, reporter:
            self._set_random()  # only now: the imports of a reporter may draw random numbers, as rich's do
            stream = self._stream()
            while state.step < config.steps and not stop:
                logged = (state.step + 1) % config.log_every == 0 or state.step + 1 == config.steps
                gradient = self.engine.gradient(stream, self.accumulate // distributed.size(), with_terms=logged)
                now = time.monotonic()
                status = StepStatus(
                    nonfinite=not gradient.finite,
                    unreadable=len(gradient.unreadable),
                    stop=self._stop(signals, minutes=(now - start) / 60),
                    save=now - last_save >= config.save_minutes * 60,
                ).agree(self.engine.device)
                if status.unreadable:
                    self._note_unreadable(gradient)
                if status.nonfinite and not self._skip(gradient):
                    reporter.rewind(state.step)
                    stream = self._stream()
                    continue
                lr = 0.0 if status.nonfinite else self.engine.update(state.step, 0.5**state.rollbacks)
                state.skipped = state.skipped if status.nonfinite else 0
                state.step += 1
                reporter.advance(state.step)
                if logged and not status.nonfinite:
                    self._log(reporter, gradient, lr)
                if self.task.evaluate and self._due(config.evaluate_every):
                    self._evaluate(self.task.evaluate)
                    reporter.log_evaluation(state.step, state.metrics, state.best, state.best_step)
                patience_over = config.patience and state.stale >= config.patience
                stop = max(status.stop, Stop.PATIENCE if patience_over else Stop.NO)
                last = bool(stop) or state.step == config.steps
                if last or (status.save or self._due(config.save_every)) and not state.skipped:
                    self._save(required=last)
                    last_save = time.monotonic()
        if stop:
            _logger.info("stopped by %s after step %d; resume from %s", stop.reason, state.step, self.folder)
        return TrainResult(step=state.step, stopped=stop.reason, best=state.best, metrics=state.metrics)

    def load_averaged(self) -> ReSTR:
        """The model with the running mean of its weights (or, without EMA, its last weights), in eval mode."""
        return self.engine.inference_model()

    def load_chosen(self) -> tuple[ReSTR, ChosenWeights]:
        """The model that the run hands on, in eval mode, and which weights it has: those of the best evaluation.

        Without an evaluation, as ``load_averaged``.
        """
        best = None
        if distributed.is_first() and self.state.best is not None:
            best = checkpoint.read_best(self.folder)
        if not distributed.all_gather(best is not None)[0]:
            return self.load_averaged(), ChosenWeights(step=self.step, metrics=self.state.metrics, best_by=None)
        content = best or checkpoint.load(self.folder / BEST)
        chosen = ChosenWeights(step=content["step"], metrics=content["metrics"], best_by=self.config.best)
        return self.engine.inference_model(content["weights"]), chosen

    # --- the parts of a step ---------------------------------------------------------------------------------------

    def _stream(self) -> Iterator[Batch]:
        """The batches of this process from the current step on: every ``size()``-th one, starting at its rank."""
        first, last = self.state.step * self.accumulate, self.config.steps * self.accumulate
        positions = range(first + distributed.rank(), last, distributed.size())
        return self.meter.measure(BatchStream(self.task.batches, positions, self.config.workers))

    def _set_random(self) -> None:
        """Set every random generator to the checkpoint's state or, without one, seed it."""
        if self._random:
            checkpoint.set_random_state(self._random)
        else:
            checkpoint.seed_random(self.config.seed + distributed.rank())

    def _check_accumulate(self) -> None:
        if self.accumulate % distributed.size():
            raise ConfigError(
                f"accumulate is {self.accumulate}: {distributed.size()} processes cannot share these batches evenly; "
                "choose a multiple, or start another number of processes"
            )

    def _stop(self, signals: Sequence[str], *, minutes: float) -> Stop:
        """Why this process would stop after this step; a signal counts more than the time limit."""
        if signals:
            return Stop[signals[0]]
        return Stop.TIME if 0 < self.config.max_minutes <= minutes else Stop.NO

    def _due(self, every: int) -> bool:
        """Whether something that is done every n-th step is due; at the last step everything is."""
        return bool(every) and self.state.step % every == 0 or self.state.step == self.config.steps

    def _log(self, reporter: RunReporter, gradient: StepGradient, lr: float) -> None:
        terms = distributed.all_mean(gradient.terms, self.engine.device)
        norms = {"grad_norm": gradient.norm, "weight_norm": weight_norm(self.model)}
        reporter.log_training(self.state.step, {"loss": terms.pop("total"), **terms, "lr": lr, **norms})

    # --- faults ----------------------------------------------------------------------------------------------------

    def _skip(self, gradient: StepGradient) -> bool:
        """Skip this step (True), or roll back to the last checkpoint (False). Raises ``DivergedError``."""
        config, state = self.config, self.state
        self.engine.discard_gradient()
        state.skipped += 1
        what = f"step {state.step} is skipped: the loss is {gradient.loss}, the gradient's norm {gradient.norm}"
        if state.skipped <= config.skips:
            _logger.warning("%s; expected finite numbers", what)
            return True
        if state.rollbacks == config.rollbacks or not checkpoint.list_checkpoints(self.folder):
            raise DivergedError(
                f"{what}, {state.skipped} times in a row; expected finite numbers. Lower lr ({config.lr}), clip harder "
                f"({config.clip}) or look at the batches of these steps, then resume from {self.folder}"
            )
        rollbacks, best = state.rollbacks + 1, (state.best, state.best_step)
        self._restore()
        state.rollbacks, state.skipped = rollbacks, 0
        state.best, state.best_step = best  # best.pt may be newer than the checkpoint
        self._set_random()
        times, lr_factor = config.skips + 1, 0.5**rollbacks
        back = f"back to step {state.step} with {lr_factor:g} of the learning rate"
        _logger.warning("%s, %d times in a row; %s", what, times, back)
        return False

    def _note_unreadable(self, gradient: StepGradient) -> None:
        """Log why samples could not be read. If they become too many, saves the run and raises ``DataError``."""
        reasons = [reason for reasons in distributed.all_gather(gradient.unreadable) for reason in reasons]
        self.state.unreadable += len(reasons)
        count, allowed = self.state.unreadable, self.config.unreadable
        for reason in reasons:
            _logger.warning("a sample is replaced by another of its batch: %s", reason)
        if count > allowed:
            self.engine.discard_gradient()
            self._save(required=True)
            raise DataError(
                f"{count} samples could not be read, more than the {allowed} that may be (unreadable); the last: "
                f"{reasons[-1]}. Mend the data (restr data check), then resume from {self.folder}"
            )

    # --- evaluation ------------------------------------------------------------------------------------------------

    def _evaluate(self, evaluate: Evaluate) -> None:
        """Evaluate the averaged weights; training continues as if it had not been interrupted."""
        state, random = self.state, checkpoint.random_state()
        try:
            with self.meter.paused(), self.engine.averaged_weights() as model, torch.no_grad():
                metrics = {name: float(value) for name, value in evaluate(model).items()}
                if self.task.draw and (distributed.is_first() or distributed.is_sharded(model)):
                    with contextlib.suppress(OSError):  # a full disk costs the sheet, not the run
                        path = sheet.sheet_path(self.folder, state.step)
                        self.task.draw(model, path=path, title=f"step {state.step:,}")
                state.metrics = distributed.all_gather(metrics)[0]  # rank 0 decides for all ranks
                if state.compare(self.config.best):
                    weights = {"weights": self.engine.weights(), "merged": self.engine.merged()}
                    best = {**weights, "step": state.step, "metrics": state.metrics}
                    self._write(best, self.folder / BEST, required=False)
        finally:
            checkpoint.set_random_state(random)

    # --- checkpoints -----------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        return dataclasses.asdict(self.config) | {"accumulate": self.accumulate}

    def _begin(self) -> None:
        with self.meter.paused():
            frozen = self.engine.frozen_weights()
            if distributed.is_first():
                resumed = self.state.step > 0
                checkpoint.write_parts(self.folder, self.model.config, self.task.words, frozen, resumed=resumed)

    def _save(self, *, required: bool) -> None:
        with self.meter.paused():
            content = {
                **dataclasses.asdict(self.state),
                **self.engine.state_dict(),
                "merged": self.engine.merged(averaged=True),
                "random": distributed.all_gather(checkpoint.random_state()),
                "config": self._settings(),
            }
            self._write(content, checkpoint.path_at(self.folder, self.state.step), required=required)
            if distributed.is_first():
                checkpoint.prune(self.folder, self.config.keep)

    def _write(self, content: dict[str, Any], path: Path, *, required: bool) -> None:
        """Write a file by rank 0; if that fails (a full disk), training continues unless the file is required."""
        if not distributed.is_first():
            return
        try:
            checkpoint.save_atomically(content, path)
        except CheckpointError as error:
            if required:
                raise
            _logger.warning("%s; training continues, and the next checkpoint is written when it is due", error)

    def _restore(self) -> None:
        """Resume from the newest checkpoint that can be read."""
        found = checkpoint.newest_readable(self.folder) if distributed.is_first() else None
        path = distributed.all_gather(found and found[0])[0]
        content = found[1] if found else checkpoint.load(path)  # type: ignore[arg-type]  # rank 0 has found it
        try:
            self.engine.load_state_dict(content)
        except CheckpointError as error:
            raise CheckpointError(f"{path} cannot be resumed: {error}") from error
        if not self.config.accumulate:
            self.accumulate = content["config"].get("accumulate") or self.accumulate
        now, before = self._settings(), content["config"]
        changed = [name for name in now if name not in WITHOUT_EFFECT and before.get(name, now[name]) != now[name]]
        if changed:
            _logger.warning("resuming with other settings than before: %s", ", ".join(changed))
        for name, value in dataclasses.asdict(RunState()).items():
            setattr(self.state, name, content.get(name, value))
        if self.state.best is not None and before.get("best", self.config.best) != self.config.best:
            _logger.warning(
                "the best weights so far were chosen by %s; from here on by %s", before["best"], now["best"]
            )
            self.state.forget_best()
        if len(content["random"]) == distributed.size():
            self._random = content["random"][distributed.rank()]
        else:  # another number of processes: dropout draws other numbers, the batches stay the same
            checkpoint.seed_random(hash((self.config.seed, self.state.step, distributed.rank())))
            self._random = checkpoint.random_state()
