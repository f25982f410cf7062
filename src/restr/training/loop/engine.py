"""One step of training: batches in, changed weights out; on one process or several, in any precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from restr.data.batch import Batch
from restr.errors import CheckpointError
from restr.losses import LossTerms
from restr.model.build import build_model
from restr.model.restr import ReSTR, ReSTROutput
from restr.nn.transformer import Transformer
from restr.training.config import TrainConfig
from restr.training.loop import distributed
from restr.training.loop.forward import mean_iou
from restr.training.loop.optim import Ema, build_optimizer, learning_rate, set_learning_rate, trained

Loss = Callable[[ReSTROutput, Tensor], LossTerms]
Forward = Callable[[ReSTR, Batch], ReSTROutput]

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_SCALE = 1.0  # of the loss in fp16; gradients that overflow below it are not the scale's fault


class Gradient(NamedTuple):
    """What this process's batches of a step came to. numbers: loss terms and IoU, where they were asked for. norm: of everybody's
    gradient. finite: whether the weights may be changed by it. rows: sentences. unreadable: why samples were replaced."""

    loss: float
    numbers: dict[str, float]
    norm: float
    finite: bool
    rows: int
    unreadable: tuple[str, ...]


class Computation(nn.Module):
    """A batch to an output: the module that is compiled, and that DistributedDataParallel wraps."""

    def __init__(self, model: ReSTR, function: Forward) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, batch: Batch) -> ReSTROutput:
        return self.function(self.model, batch)


class Engine:
    """A model and everything that changes its weights: optimiser, running mean, loss scale, and the way that processes share
    the work. Its state is whole and the same for every way, so that a run may go on on more or fewer processes."""

    def __init__(self, model: ReSTR, config: TrainConfig, forward: Forward, loss: Loss) -> None:
        self.config, self.loss = config, loss
        self.device = distributed.device_of_process(config.device)
        self.model = model.to(self.device)
        self.frozen = _fingerprint(model)
        for module in model.modules():
            if isinstance(module, Transformer):
                module.recompute = config.recompute and any(p.requires_grad for p in module.parameters())
        if config.strategy == "fsdp":
            distributed.shard(model)
        self.optimizer = build_optimizer(model, config)
        self.ema = Ema(model, config.ema) if config.ema else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.autocast == "fp16")
        self.computation: nn.Module = Computation(model, forward)
        if config.compile:
            self.computation.compile()
        if config.strategy == "ddp" and distributed.size() > 1:
            self.computation = DistributedDataParallel(
                self.computation, device_ids=[self.device] if self.device.type == "cuda" else None
            )

    # --- a step ----------------------------------------------------------------------------------------------------

    def gradient(self, batches: Iterator[Batch], count: int, *, watched: bool) -> Gradient:
        """The mean gradient of this process's next ``count`` batches and of everybody else's; the weights stay."""
        self.optimizer.zero_grad(set_to_none=True)
        numbers: dict[str, float] = dict.fromkeys((*LossTerms._fields, "iou"), 0.0) if watched else {}
        loss, rows, unreadable = 0.0, 0, []
        for number in range(count):
            batch = next(batches).to(self.device)
            with self._alone_until(number + 1 == count):
                with torch.autocast(self.device.type, DTYPES.get(self.config.autocast), enabled=self.autocast):
                    output = self.computation(batch)
                terms = self.loss(output, batch.mask)
                self.scaler.scale(terms.total / count).backward()
            loss += terms.total.item() / count
            rows += len(batch)
            unreadable += batch.unreadable
            if watched:
                for name, value in zip(LossTerms._fields, terms, strict=True):
                    numbers[name] += value.item() / count
                numbers["iou"] += mean_iou(output.logits, batch.mask) / count
        self.scaler.unscale_(self.optimizer)
        clipped = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip or math.inf)
        norm = distributed.whole(clipped).item()
        rescaled = self.scaler.is_enabled() and self.scaler.get_scale() > LEAST_SCALE
        finite = math.isfinite(loss) and (rescaled or math.isfinite(norm))
        return Gradient(loss, numbers, norm, finite, rows, tuple(unreadable))

    def update(self, step: int, lr_factor: float) -> float:
        """Change the weights by the gradient; returns the learning rate that was used."""
        lr = learning_rate(step, self.config) * lr_factor
        set_learning_rate(self.optimizer, lr)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema:
            self.ema.update(self.model, step)
        return lr

    def leave_out(self) -> None:
        """Forget the gradient; the weights stay as they are."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler.is_enabled():
            self.scaler.update()

    @property
    def autocast(self) -> bool:
        return self.config.autocast != "off"

    @contextmanager
    def _alone_until(self, last: bool) -> Iterator[None]:
        """Processes exchange gradients once a step, with the last of its batches."""
        if isinstance(self.computation, DistributedDataParallel):
            with nullcontext() if last else self.computation.no_sync():
                yield
        else:
            if distributed.is_sharded(self.model):
                self.model.set_requires_gradient_sync(last)  # type: ignore[operator]  # FSDP's method
            yield

    # --- its weights -----------------------------------------------------------------------------------------------

    @contextmanager
    def averaged(self) -> Iterator[ReSTR]:
        """Within it, the model has the running mean of its weights and is in eval mode; then it trains on as before."""
        own = {name: value.clone() for name, value in trained(self.model).items()}
        if self.ema:
            _copy(self.ema.weights, self.model)
        self.model.eval()
        try:
            yield self.model
        finally:
            distributed.reshard(self.model)
            _copy(own, self.model)
            self.model.train()

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take over whole trained weights, in place."""
        own = trained(self.model)
        shapes = {name: tuple(value.shape) for name, value in own.items()}
        if shapes != {name: tuple(value.shape) for name, value in weights.items()}:
            raise CheckpointError("the checkpoint is of another model: its trained weights' names or shapes differ")
        _copy({name: distributed.spread_like(value, own[name]) for name, value in weights.items()}, self.model)

    def finished(self, weights: dict[str, Tensor] | None = None) -> ReSTR:
        """The model to use, in eval mode, with these whole weights, or else the running mean's; this one where it is not sharded."""
        found: dict[str, Tensor] = weights or distributed.whole(self.ema.weights if self.ema else trained(self.model))
        if not distributed.is_sharded(self.model):
            self.load(found)
            return self.model.eval()
        state = distributed.whole(self.model.state_dict()) | found
        model = build_model(self.model.config).to(self.device)
        model.load_state_dict(state)
        return model.eval()

    def weights(self) -> dict[str, Tensor]:
        """The trained weights, whole."""
        return distributed.whole(trained(self.model))

    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact continuation needs, whole."""
        return {
            "model": self.weights(),
            "frozen": self.frozen,
            "ema": distributed.whole(self.ema.weights) if self.ema else None,
            "optimizer": distributed.whole(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``. Raises ``CheckpointError`` where it is another model's, or its settings do not fit."""
        if not math.isclose(state["frozen"], self.frozen, rel_tol=1e-9):
            raise CheckpointError(
                "the checkpoint was trained on other frozen weights; build the model from the same files"
            )
        if bool(self.ema) != (state["ema"] is not None):
            raise CheckpointError(
                f"the checkpoint was trained {'without' if self.ema else 'with'} EMA; set ema as it was"
            )
        self.load(state["model"])
        if self.ema:
            for name, value in self.ema.weights.items():
                value.copy_(distributed.spread_like(state["ema"][name], value))
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        current = [
            {name: group[name] for name in ("scale", "weight_decay", "betas", "name")}
            for group in self.optimizer.param_groups
        ]
        kept = {
            index: {
                name: distributed.spread_like(value, parameters[index])
                if isinstance(value, Tensor) and value.shape == parameters[index].shape
                else value
                for name, value in values.items()
            }
            for index, values in state["optimizer"]["state"].items()
        }
        self.optimizer.load_state_dict({**state["optimizer"], "state": kept})
        for group, settings in zip(self.optimizer.param_groups, current, strict=True):
            group |= settings  # the config's word counts, not the checkpoint's
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])


@torch.no_grad()
def _copy(weights: dict[str, Tensor], model: ReSTR) -> None:
    """Copy trained weights in, in place."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


def _fingerprint(model: ReSTR) -> float:
    """A number that another set of frozen weights would hardly have."""
    frozen = [value for value in model.parameters() if not value.requires_grad]
    return float(sum(value.double().abs().sum().item() for value in frozen))
