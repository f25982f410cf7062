"""Which evaluation of a run is the best."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from restr.training.loop import checkpoint
from restr.training.loop.state import RunState
from small_runs import SETTINGS, trainer


def test_the_first_of_equal_scores_is_the_best_and_nan_never_is(caplog: pytest.LogCaptureFixture) -> None:
    state, verdicts = RunState(), []
    for step, score in enumerate((math.nan, 0.2, 0.2, 0.5, math.nan, 0.4), start=1):
        state.step, state.metrics = step, {"miou": score}
        verdicts.append(state.compare("miou"))
    assert verdicts == [False, True, False, True, False, False]
    assert (state.best, state.best_step, state.stale) == (0.5, 4, 2)
    assert not state.compare("mIoU") and "no weights can be chosen by 'mIoU'; the evaluation has miou" in caplog.text


def test_another_metric_chooses_among_the_evaluations_from_then_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def falling(model: torch.nn.Module) -> dict[str, float]:
        falling.calls += 1  # type: ignore[attr-defined]
        return {"miou": -float(falling.calls), "oiou": float(falling.calls)}  # type: ignore[attr-defined]

    falling.calls = 0  # type: ignore[attr-defined]
    settings = dataclasses.replace(SETTINGS, steps=4, evaluate_every=1, save_every=2, keep=9)
    trainer(tmp_path, settings, evaluate=falling).fit()
    assert checkpoint.load(tmp_path / "best.pt")["step"] == 1
    (tmp_path / "step-00000004.pt").unlink()
    again = trainer(tmp_path, dataclasses.replace(settings, best="oiou"), evaluate=falling, resume=True)
    assert "chosen by miou; from here on by oiou" in caplog.text
    again.fit()
    model, chosen = again.load_chosen()
    assert (chosen.step, chosen.best_by) == (4, "oiou") and str(chosen).startswith(
        "the weights of step 4, the best by oiou"
    )
    (tmp_path / "best.pt").write_bytes(b"damaged")
    last, chosen = again.load_chosen()
    assert chosen.best_by is None and "the best weights are lost" in caplog.text
    assert last is model, "one model, whose weights are replaced"
