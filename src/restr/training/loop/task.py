"""The task of a trainer: a model, its batches, its loss, and its measurement during training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from restr.data.batch import Batch, Batches
from restr.losses import LossTerms, segmentation_loss
from restr.model.restr import ReSTR, ReSTROutput
from restr.text.vocabulary import Vocabulary
from restr.training.loop.forward import forward_batch

Forward = Callable[[ReSTR, Batch], ReSTROutput]
Loss = Callable[[ReSTROutput, Tensor], LossTerms]
Evaluate = Callable[[ReSTR], dict[str, float]]
DrawSheet = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A model and everything that says what it learns; ``restr.training.tasks`` makes the usual ones."""

    model: ReSTR
    """The model to train, in place."""

    words: Vocabulary
    """The model's words, saved with it."""

    batches: Batches
    """Training batches by step."""

    evaluate: Evaluate | None = None
    """Metrics by name of the model, in eval mode and with the running mean of its weights, if there is one."""

    draw: DrawSheet | None = None
    """Draws sample predictions after each evaluation: ``draw(model, path=FILE, title=TEXT)``."""

    final: Evaluate | None = None
    """Further metrics of the finished model."""

    seed_attention: Evaluate | None = None
    """The class seed's attention by source (``restr.model.attention_maps``), on what ``evaluate`` measures."""

    loss: Loss = segmentation_loss
    """(output, masks) -> the loss and its terms."""

    forward: Forward = forward_batch
    """How a batch goes through the model."""
