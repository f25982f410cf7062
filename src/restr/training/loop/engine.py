"""One step of training: batches in, changed weights out; on one process or several, in any precision."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

from restr.data.batch import Batch
from restr.errors import CheckpointError
from restr.losses import LossTerms
from restr.model.build import build_model
from restr.model.restr import ReSTR, ReSTROutput
from restr.nn.transformer import Transformer
from restr.training.config import TrainConfig
from restr.training.loop import distributed
from restr.training.loop.forward import mean_iou
from restr.training.loop.optim import Ema, build_optimizer, learning_rate, set_learning_rate, trainable_weights
from restr.training.loop.task import Forward, Loss

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_MIN_SCALE = 1.0  # of the loss in fp16: at this scale an overflow is no longer due to the scaling


class StepGradient(NamedTuple):
    """Sums over one step's batches of this process; the gradient itself is in the parameters."""

    loss: float
    """Mean loss of the batches."""

    terms: dict[str, float]
    """Loss terms and IoU; empty unless asked for."""

    norm: float
    """Norm of the gradient over all processes, before clipping."""

    finite: bool
    """Whether the weights may be updated with it."""

    unreadable: tuple[str, ...]
    """Why samples could not be read and were replaced, one message each."""


class ForwardModule(nn.Module):
    """The forward pass as a module, to be compiled and wrapped by DistributedDataParallel."""

    def __init__(self, model: ReSTR, function: Forward) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, batch: Batch) -> ReSTROutput:
        """The model's output for a batch."""
        return self.function(self.model, batch)


class Engine:
    """A model and everything that changes its weights: optimiser, running mean, loss scale, and parallelism.

    ``state_dict`` holds full tensors, so that a run can be resumed on more or fewer processes, with either strategy.
    """

    def __init__(self, model: ReSTR, config: TrainConfig, forward: Forward, loss: Loss) -> None:
        self.config, self.loss = config, loss
        self.device = distributed.device_of_process(config.device)
        self.model = model.to(self.device)
        self.frozen = _sum_of_frozen(model)
        for module in model.modules():
            if isinstance(module, Transformer):
                module.recompute = config.recompute and any(p.requires_grad for p in module.parameters())
        if config.strategy == "fsdp":
            distributed.shard(model)
        self.optimizer = build_optimizer(model, config)
        self.ema = Ema(model, config.ema) if config.ema else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.autocast == "fp16")
        self.forward: nn.Module = ForwardModule(model, forward)
        if config.compile:
            self.forward.compile()
        if config.strategy == "ddp" and distributed.size() > 1:
            self.forward = DistributedDataParallel(
                self.forward, device_ids=[self.device] if self.device.type == "cuda" else None
            )

    # --- a step ----------------------------------------------------------------------------------------------------

    def gradient(self, batches: Iterator[Batch], count: int, *, with_terms: bool) -> StepGradient:
        """Compute the mean gradient over the next ``count`` batches of every process; the weights do not change."""
        self.optimizer.zero_grad(set_to_none=True)
        terms: dict[str, float] = dict.fromkeys((*LossTerms._fields, "iou"), 0.0) if with_terms else {}
        loss, unreadable = 0.0, []
        for number in range(count):
            batch = next(batches).to(self.device)
            with self._synchronised(number + 1 == count):
                with torch.autocast(self.device.type, DTYPES.get(self.config.autocast), enabled=self.autocast):
                    output = self.forward(batch)
                found = self.loss(output, batch.mask)
                self.scaler.scale(found.total / count).backward()
            loss += found.total.item() / count
            unreadable += batch.unreadable
            if with_terms:
                for name, value in zip(LossTerms._fields, found, strict=True):
                    terms[name] += value.item() / count
                terms["iou"] += mean_iou(output.logits, batch.mask) / count
        self.scaler.unscale_(self.optimizer)
        clipped = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip or math.inf)
        norm = distributed.full_tensors(clipped).item()
        # an overflow may be due to the scale: then the scaler skips the step and lowers it
        scaled = self.scaler.is_enabled() and self.scaler.get_scale() > _MIN_SCALE
        finite = math.isfinite(loss) and (math.isfinite(norm) or scaled)
        return StepGradient(loss, terms, norm, finite, tuple(unreadable))

    def update(self, step: int, lr_factor: float) -> float:
        """Update the weights with the gradient; returns the learning rate of the step."""
        lr = learning_rate(step, self.config) * lr_factor
        set_learning_rate(self.optimizer, lr)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.ema:
            self.ema.update(self.model, step)
        return lr

    def discard_gradient(self) -> None:
        """Drop the gradient without an update."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler.is_enabled():
            self.scaler.update()

    @property
    def autocast(self) -> bool:
        """Whether the forward pass is computed in half precision."""
        return self.config.autocast != "off"

    @contextmanager
    def _synchronised(self, last: bool) -> Iterator[None]:
        """Let processes exchange gradients only with the last batch of a step."""
        if isinstance(self.forward, DistributedDataParallel):
            with nullcontext() if last else self.forward.no_sync():
                yield
        else:
            if distributed.is_sharded(self.model):
                self.model.set_requires_gradient_sync(last)  # type: ignore[operator]  # FSDP's method
            yield

    # --- weights ---------------------------------------------------------------------------------------------------

    @contextmanager
    def averaged_weights(self) -> Iterator[ReSTR]:
        """A context in which the model has the running mean of its weights and is in eval mode."""
        own = {name: value.clone() for name, value in trainable_weights(self.model).items()}
        if self.ema:
            _copy(self.ema.weights, self.model)
        self.model.eval()
        try:
            yield self.model
        finally:
            distributed.reshard(self.model)
            _copy(own, self.model)
            self.model.train()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Copy full trained weights into the model. Raises ``CheckpointError`` if they are of another model."""
        own = trainable_weights(self.model)
        shapes = {name: tuple(value.shape) for name, value in own.items()}
        if shapes != {name: tuple(value.shape) for name, value in weights.items()}:
            raise CheckpointError("the checkpoint is of another model: its trained weights' names or shapes differ")
        _copy({name: distributed.shard_like(value, own[name]) for name, value in weights.items()}, self.model)

    def inference_model(self, weights: dict[str, Tensor] | None = None) -> ReSTR:
        """The model in eval mode, with these full weights or those of the running mean; a sharded model is copied."""
        found: dict[str, Tensor] = weights or distributed.full_tensors(
            self.ema.weights if self.ema else trainable_weights(self.model)
        )
        if not distributed.is_sharded(self.model):
            self.load_weights(found)
            return self.model.eval()
        state = distributed.full_tensors(self.model.state_dict()) | found
        model = build_model(self.model.config).to(self.device)
        model.load_state_dict(state)
        return model.eval()

    def weights(self) -> dict[str, Tensor]:
        """The trained weights as full tensors."""
        return distributed.full_tensors(trainable_weights(self.model))

    def merged(self, *, averaged: bool = False) -> dict[str, Tensor]:
        """Weights that are computed from trained ones (a table with learnt rows), by the names that they have in use.

        averaged: from the running mean of the trained ones, and not from the present ones.
        """
        computed = [(name, each) for name, each in self.model.named_modules() if parametrize.is_parametrized(each)]
        if not computed:
            return {}
        with self.averaged_weights() if averaged else nullcontext():
            return distributed.full_tensors(
                {
                    f"{name}.{part}": getattr(module, part).detach().clone()
                    for name, module in computed
                    for part in module.parametrizations  # type: ignore[union-attr]
                }
            )

    def frozen_weights(self) -> dict[str, Tensor]:
        """What the model has in use beside ``weights`` and ``merged``, as full tensors on the CPU."""
        kept = self.model.state_dict().keys()
        buffers = {name: value for name, value in self.model.named_buffers() if name in kept}
        frozen = {name: value for name, value in self.model.named_parameters() if not value.requires_grad}
        found = {name: value for name, value in (buffers | frozen).items() if ".parametrizations." not in name}
        return {name: value.detach().cpu().contiguous() for name, value in distributed.full_tensors(found).items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that an exact continuation needs, as full tensors."""
        return {
            "model": self.weights(),
            "frozen": self.frozen,
            "ema": distributed.full_tensors(self.ema.weights) if self.ema else None,
            "optimizer": distributed.full_tensors(self.optimizer.state_dict()),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``. Raises ``CheckpointError`` if it is of another model or its settings do not fit."""
        if not math.isclose(state["frozen"], self.frozen, rel_tol=1e-9):
            raise CheckpointError(
                "the checkpoint was trained on other frozen weights; build the model from the same files"
            )
        if bool(self.ema) != (state["ema"] is not None):
            raise CheckpointError(
                f"the checkpoint was trained {'without' if self.ema else 'with'} EMA; set ema as it was"
            )
        self.load_weights(state["model"])
        if self.ema:
            for name, value in self.ema.weights.items():
                value.copy_(distributed.shard_like(state["ema"][name], value))
        self._load_optimizer(state["optimizer"])
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        """Restore the optimiser's running means; its settings come from the config, which overrides the checkpoint."""
        groups = self.optimizer.param_groups
        settings = [{name: group[name] for name in ("scale", "weight_decay", "betas", "name")} for group in groups]
        parameters = [parameter for group in groups for parameter in group["params"]]

        def shard(value: Any, parameter: Tensor) -> Any:
            same_shape = isinstance(value, Tensor) and value.shape == parameter.shape
            return distributed.shard_like(value, parameter) if same_shape else value

        means = {
            index: {name: shard(value, parameters[index]) for name, value in values.items()}
            for index, values in state["state"].items()
        }
        self.optimizer.load_state_dict({**state, "state": means})
        for group, own in zip(self.optimizer.param_groups, settings, strict=True):
            group |= own


@torch.no_grad()
def _copy(weights: dict[str, Tensor], model: ReSTR) -> None:
    """Copy trained weights into a model."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


def _sum_of_frozen(model: ReSTR) -> float:
    """The sum of all absolute frozen weights: other frozen weights would hardly have the same."""
    frozen = [value for value in model.parameters() if not value.requires_grad]
    return float(sum(value.double().abs().sum().item() for value in frozen))
