"""The training loop, in the order in which you would explain it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from restr.data.batch import Batch, Batches
from restr.errors import CheckpointError, DivergedError
from restr.losses import LossTerms, segmentation_loss
from restr.model.device import choose_device
from restr.model.restr import ReSTR, ReSTROutput
from restr.training import checkpoint
from restr.training.config import WATCHING, TrainConfig
from restr.training.forward import forward_batch, mean_iou
from restr.training.log import Progress, RunLog
from restr.training.memory import keep_freed_memory
from restr.training.optim import Ema, build_optimizer, learning_rate, set_learning_rate, trained
from restr.training.signals import caught_signals, leave_signals_to_the_trainer

logger = logging.getLogger("restr")

BEST = "best.pt"

Loss = Callable[[ReSTROutput, Tensor], LossTerms]
Forward = Callable[[ReSTR, Batch], ReSTROutput]
Evaluate = Callable[[ReSTR], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """step: steps done in all. stopped: why before the end ("time", "patience", "SIGINT", "SIGTERM"), None when finished.
    best: highest value of the chosen metric; metrics: the last evaluation."""

    step: int
    stopped: str | None
    best: float | None
    metrics: dict[str, float]


class Trainer:
    """Trains ``model`` on ``batches`` and keeps checkpoints, log and best weights in ``folder``.

    An interrupted run that is resumed ends with the very weights of one that was not (same machine, same torch).
    forward and loss say how a batch becomes an output and a loss; evaluate is called with the model in eval mode
    and, where there is one, the EMA's weights. Raises ``CheckpointError`` where ``folder`` holds a run and resume
    is not asked for.
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
    ) -> None:
        self.config, self.folder = config, Path(folder)
        self.batches, self.loss, self.forward, self.evaluate = batches, loss, forward, evaluate
        self.device = choose_device(config.device)
        self.model = model.to(self.device)
        self.optimizer = build_optimizer(self.model, config)
        self.ema = Ema(self.model, config.ema) if config.ema else None
        self.frozen = _fingerprint(self.model)
        self.step = 0
        self.best: float | None = None
        self.stale = 0  # evaluations since the best
        self.metrics: dict[str, float] = {}
        earlier = checkpoint.saved(self.folder)
        if earlier and not resume:
            raise CheckpointError(f"{self.folder} holds a run ({earlier[-1].name}); resume it or name another folder")
        self._random: dict[str, Any] | None = None  # the generators' states to go on from
        if earlier:
            self._restore(earlier[-1])

    def fit(self) -> TrainResult:
        """Train until the last step, the time limit or SIGINT/SIGTERM; a checkpoint is saved in every case.

        Raises ``DivergedError`` on a loss or gradient that is not finite; the last checkpoint is from before it.
        """
        config, stopped = self.config, None
        if self.device.type == "cpu":
            keep_freed_memory()
        log = RunLog(self.folder / "log.jsonl", from_step=self.step)
        start = last_save = time.monotonic()
        seen, since = 0, start
        if self._random:
            checkpoint.set_random_state(self._random)
        else:
            torch.manual_seed(config.seed)
        self.model.train()
        with caught_signals() as caught, Progress(config.steps, self.step) as progress, contextlib.closing(log):
            stream = self._stream()
            while self.step < config.steps:
                line = self._train_step(stream)
                seen += line.pop("rows")
                progress.advance(self.step)

                if self.step % config.log_every == 0 or self.step == config.steps:
                    now = time.monotonic()
                    line = {"loss": line.pop("total"), **line}
                    line |= {"samples_per_s": seen / (now - since), "minutes": (now - start) / 60}
                    log.write(step=self.step, **line)
                    progress.show(self.step, line)
                    seen, since = 0, now

                if self._due(config.evaluate_every) and self.evaluate:
                    self._evaluate(self.evaluate)
                    log.write(step=self.step, **{f"val_{name}": value for name, value in self.metrics.items()})
                    progress.show(self.step, self.metrics)
                    since = time.monotonic()  # evaluation is not training time

                if caught:
                    stopped = caught[0]
                elif config.patience and self.stale >= config.patience:
                    stopped = "patience"
                elif config.max_minutes and time.monotonic() - start >= config.max_minutes * 60:
                    stopped = "time"
                late = time.monotonic() - last_save >= config.save_minutes * 60
                if late or stopped or self._due(config.save_every):
                    self._save()
                    last_save = time.monotonic()
                if stopped:
                    logger.info("stopped by %s after step %d; resume from %s", stopped, self.step, self.folder)
                    break
        return TrainResult(step=self.step, stopped=stopped, best=self.best, metrics=self.metrics)

    def load_averaged(self) -> ReSTR:
        """The model with the EMA's weights (or its own where there is no EMA), in eval mode: what to ship."""
        if self.ema:
            _load(self.model, self.ema.weights)
        return self.model.eval()

    def load_best(self) -> ReSTR:
        """The model with the weights of the best evaluation (of the averaged ones, where there was none), in eval mode."""
        path = self.folder / BEST
        if not path.exists():
            return self.load_averaged()
        _load(self.model, checkpoint.load(path)["weights"])
        return self.model.eval()

    # --- one step --------------------------------------------------------------------------------------------------

    def _train_step(self, stream: Iterator[Batch]) -> dict[str, float]:
        """One update; its numbers for the log (loss terms and IoU only on steps that are logged)."""
        config = self.config
        lr = learning_rate(self.step, config)
        set_learning_rate(self.optimizer, lr)
        self.optimizer.zero_grad(set_to_none=True)
        log: dict[str, float] = dict.fromkeys((*LossTerms._fields, "iou", "rows"), 0.0)
        watched = (self.step + 1) % config.log_every == 0 or self.step + 1 == config.steps
        for _ in range(config.accumulate):
            batch = next(stream).to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=config.autocast == "bf16"):
                output = self.forward(self.model, batch)
            terms = self.loss(output, batch.mask)
            if not torch.isfinite(terms.total):
                raise DivergedError(self._diverged("the loss", terms.total))
            (terms.total / config.accumulate).backward()
            log["rows"] += len(batch)
            if watched:
                for name, value in zip(LossTerms._fields, terms, strict=True):
                    log[name] += value.item() / config.accumulate
                log["iou"] += mean_iou(output.logits, batch.mask) / config.accumulate
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
        if not torch.isfinite(norm):
            raise DivergedError(self._diverged("the gradient's norm", norm))
        self.optimizer.step()
        if self.ema:
            self.ema.update(self.model, self.step)
        self.step += 1
        return log | {"lr": lr, "grad_norm": norm.item()}

    def _stream(self) -> Iterator[Batch]:
        """Batches from the present step on; with workers, prepared in other processes while this one computes."""
        first, last = self.step * self.config.accumulate, self.config.steps * self.config.accumulate
        loader = DataLoader(
            range(first, last),  # type: ignore[arg-type]  # the "dataset" is the steps, each "collated" into its batch
            batch_size=None,
            num_workers=self.config.workers,
            collate_fn=self.batches.batch,  # type: ignore[arg-type]
            worker_init_fn=_worker,
            generator=torch.Generator(),  # the loader draws a seed: not from the generator that a resume restores
        )
        return iter(loader)

    def _due(self, every: int) -> bool:
        return bool(every) and self.step % every == 0 or self.step == self.config.steps

    def _diverged(self, what: str, value: Tensor) -> str:
        return (
            f"{what} is {value.item()} at step {self.step}; expected a finite number. Lower lr ({self.config.lr}), clip "
            f"harder ({self.config.clip}) or look at the batch of this step, then resume from {self.folder}"
        )

    # --- evaluation ------------------------------------------------------------------------------------------------

    def _evaluate(self, evaluate: Evaluate) -> None:
        """Measure the averaged weights; training goes on afterwards as if nothing had happened."""
        own = {name: value.clone() for name, value in trained(self.model).items()}
        random = checkpoint.random_state()
        _load(self.model, self.ema.weights if self.ema else own)
        self.model.eval()
        try:
            with torch.no_grad():
                self.metrics = {name: float(value) for name, value in evaluate(self.model).items()}
            score = self.metrics.get(self.config.best)
            self.stale += 1
            if score is not None and (self.best is None or score > self.best):
                self.best, self.stale = score, 0
                best = {"weights": trained(self.model), "step": self.step, "metrics": self.metrics}
                checkpoint.save_atomically(best, self.folder / BEST)
        finally:
            _load(self.model, own)
            self.model.train()
            checkpoint.set_random_state(random)

    # --- checkpoints -----------------------------------------------------------------------------------------------

    def _save(self) -> None:
        state = {
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "metrics": self.metrics,
            "model": trained(self.model),
            "frozen": self.frozen,
            "ema": self.ema.weights if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "random": checkpoint.random_state(),
            "config": dataclasses.asdict(self.config),
        }
        checkpoint.save_atomically(state, checkpoint.path_of(self.folder, self.step))
        checkpoint.prune(self.folder, self.config.keep)

    def _restore(self, path: Path) -> None:
        state = checkpoint.load(path)
        own = trained(self.model)
        shapes = {name: tuple(value.shape) for name, value in own.items()}
        if shapes != {name: tuple(value.shape) for name, value in state["model"].items()}:
            raise CheckpointError(f"{path} is of another model: its trained weights' names or shapes differ")
        if not math.isclose(state["frozen"], self.frozen, rel_tol=1e-9):
            raise CheckpointError(f"{path} was trained on other frozen weights; build the model from the same files")
        if bool(self.ema) != (state["ema"] is not None):
            raise CheckpointError(f"{path} was trained {'without' if self.ema else 'with'} EMA; set ema as it was")
        now = dataclasses.asdict(self.config)
        changed = [name for name in now if name not in WATCHING and state["config"].get(name) != now[name]]
        if changed:
            logger.warning("resuming with other settings than before: %s", ", ".join(changed))
        _load(self.model, state["model"])
        if self.ema:
            for name, value in self.ema.weights.items():
                value.copy_(state["ema"][name])
        current = [{name: group[name] for name in ("scale", "weight_decay")} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, settings in zip(self.optimizer.param_groups, current, strict=True):
            group |= settings  # the config's word counts, not the checkpoint's
        self.step, self.best, self.metrics = state["step"], state["best"], state["metrics"]
        self.stale, self._random = state.get("stale", 0), state["random"]


def _worker(_: int) -> None:
    """How a process that prepares batches begins: one thread, since each core has a process of its own to feed."""
    leave_signals_to_the_trainer()
    keep_freed_memory()
    torch.set_num_threads(1)


def _load(model: ReSTR, weights: dict[str, Tensor]) -> None:
    """Copy trained weights in, in place; through load_state_dict, so that modules drop what they have cached."""
    model.load_state_dict(weights, strict=False)


def _fingerprint(model: ReSTR) -> float:
    """A number that another set of frozen weights would hardly have."""
    frozen = [value for value in model.parameters() if not value.requires_grad]
    return float(sum(value.double().abs().sum().item() for value in frozen))
