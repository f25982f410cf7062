"""A network that learns: one optimiser step, the average of the weights, and all of it as a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from network import Network, Rates, parameter_groups
from objective import SCALES, losses
from torch import Tensor, nn
from views import Batch

from restr.errors import CheckpointError
from restr.training.loop import checkpoint

AVERAGE = 0.998  # of the averaged weights is kept at each step; less in the first steps
LARGEST_NORM = 1.0
lerp_ = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage] - one kernel for all tensors


class Learner:
    """AdamW on a network, and the average of its weights. ``settings``: what a resumed run must have in common.

    bf16: compute in bfloat16 where autocast does. scales: weights of the loss terms.
    """

    def __init__(
        self,
        network: Network,
        rates: Rates,
        device: torch.device,
        settings: dict[str, Any],
        *,
        bf16: bool = False,
        scales: Mapping[str, float] = SCALES,
    ) -> None:
        self.network, self.device, self.settings = network, device, settings
        self.bf16, self.scales = bf16, scales
        groups = parameter_groups(network, rates)
        self.learnt = [value for value in network.parameters() if value.requires_grad]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
        self.average = [value.detach().clone() for value in self.learnt]
        self.step = 0
        self.skipped, self.skipped_in_a_row = (torch.zeros((), device=device) for _ in range(2))

    def update(self, batch: Batch, each: int, factor: float) -> tuple[dict[str, Tensor], Tensor]:
        """One step at ``factor`` of the learning rates -> the losses, and the gradient's norm before it is clipped.

        A gradient that is not finite changes nothing but the count in ``skipped``. That is decided on the device: asking for
        the norm would make a GPU wait in every step.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * factor
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            output, box = self.network(batch.image, batch.ids, each)
        found = losses(output, box, batch, self.scales)
        found["total"].backward()
        norm = nn.utils.clip_grad_norm_(self.learnt, LARGEST_NORM)
        unusable = (~torch.isfinite(norm)).float()
        setattr(self.optimiser, "found_inf", unusable)  # noqa: B010 - the fused step looks here, as for a GradScaler
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.skipped += unusable
        self.skipped_in_a_row = (self.skipped_in_a_row + 1) * unusable
        keep = min(AVERAGE, (self.step + 1) / (self.step + 10))
        lerp_(self.average, [value.detach() for value in self.learnt], 1 - keep)
        self.step += 1
        return found, norm

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within, the network has the averaged weights, is in eval mode and decodes to the pixels."""
        kept = [value.detach().clone() for value in self.learnt]
        coarse = self.network.model.decoder.coarse
        copy(self.average, self.learnt)
        self.network.model.decoder.coarse = 0
        self.network.eval()
        try:
            yield
        finally:
            copy(kept, self.learnt)
            self.network.model.decoder.coarse = coarse
            self.network.train()

    def save(self, path: Path, seconds: float) -> None:
        """Write a checkpoint, whole or not at all; ``seconds``: of training so far."""
        state = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": seconds,
            "skipped": self.skipped,
            "settings": self.settings,
        }
        checkpoint.save_atomically(state, path)

    def load(self, path: Path) -> float:
        """Resume from a checkpoint; returns its seconds. Raises ``CheckpointError`` if its run had other settings."""
        state = checkpoint.load(path)
        for name, value in self.settings.items():
            if state["settings"].get(name) != value:
                raise CheckpointError(
                    f"{path} is of a run with {name} {state['settings'].get(name)}, not {value}; use the same, name another "
                    "--out, or delete the checkpoint to start again"
                )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        copy(state["average"], self.average)
        self.step, self.skipped = state["step"], state["skipped"].to(self.device)
        return state["seconds"]


@torch.no_grad()
def copy(source: Sequence[Tensor], to: Sequence[Tensor]) -> None:
    """Give tensors the values of others, wherever those are."""
    for value, new in zip(to, source, strict=True):
        value.copy_(new)
