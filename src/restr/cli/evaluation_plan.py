"""The plan of ``restr eval`` and ``restr robustness``: model, protocol and samples; the weights are loaded later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restr import __version__
from restr.cli.options import DataOptions
from restr.config import PresenceConfig
from restr.data.sample import SampleSource
from restr.errors import ConfigError
from restr.evaluation.protocol import EvalProtocol
from restr.evaluation.samples import title_of
from restr.inference.locate import describe_model, model_folder
from restr.preprocess import Framing


@dataclass(frozen=True, kw_only=True)
class EvalPlan:
    """Everything that an evaluation needs, except the loaded model."""

    folder: Path
    """The model's."""

    framing: Framing
    """The model's own."""

    presence: PresenceConfig
    """The model's own."""

    protocol: EvalProtocol
    """How to measure."""

    samples: SampleSource
    """What to measure on."""

    title: str
    """A short description of the samples."""

    facts: dict[str, Any]
    """All that a number depends on, in JSON's types."""

    @property
    def conditions(self) -> str:
        """The protocol's sentence."""
        return self.protocol.describe(self.framing, self.presence)


def plan_evaluation(
    data: DataOptions, model: Path | None, protocol: EvalProtocol, *, precision: str = "auto"
) -> EvalPlan:
    """Open everything but the weights. Raises ``RestrError`` for what does not exist or does not fit together."""
    if data.n < 1:
        raise ConfigError(f"n is {data.n}; ask for at least one sentence")
    folder = model_folder(model)
    info = describe_model(folder)
    framing = info.config.framing
    samples = data.open(size=framing.size)
    return EvalPlan(
        folder=folder,
        framing=framing,
        presence=info.config.presence,
        protocol=protocol,
        samples=samples,
        title=title_of(data.data, split=data.split, seed=data.seed),
        facts={
            "restr": __version__,
            "data": data.data,
            "root": str(data.root),
            "split": data.split,
            "n": data.n,
            "seed": data.seed,
            "samples": len(samples),
            "size": framing.size,
            "model": info.hash,
            "precision": info.precision or precision.replace("auto", "fp32"),
            "protocol": protocol.describe(framing, info.config.presence),
        },
    )
