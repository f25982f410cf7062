"""The torchmetrics metric against ``SegmentationMetrics``, alone, in a collection, and over several processes."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from restr.errors import ConfigError, DataError
from restr.metrics import SegmentationMetrics

torchmetrics = pytest.importorskip("torchmetrics")
from restr.evaluation.torch_metric import ReferringSegmentationMetrics  # noqa: E402

KINDS = ("left", "red")


def batches(seed: int = 0, count: int = 5) -> list[tuple[Tensor, Tensor, list[str]]]:
    """Batches of random masks; of each quarter of the samples the truth, the prediction, both or none is empty."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size = int(rng.integers(1, 7))
        prediction = rng.random((size, 6, 5)) < rng.random((size, 1, 1))
        truth = np.where(rng.random((size, 1, 1)) < 0.5, prediction ^ (rng.random((size, 6, 5)) < 0.15), prediction)
        which = rng.integers(0, 4, size)
        prediction[which % 2 == 1] = False
        truth[which >= 2] = False
        kinds = [KINDS[i] for i in rng.integers(0, 2, size)]
        found.append((torch.from_numpy(prediction), torch.from_numpy(truth), kinds))
    return found


def expected(samples: list[tuple[Tensor, Tensor, list[str]]], **rules: Any) -> dict[str, float]:
    metrics = SegmentationMetrics(**rules)
    for predictions, truths, kinds in samples:
        for prediction, truth, kind in zip(predictions, truths, kinds, strict=True):
            metrics.update(prediction.numpy(), truth.numpy(), kind)
    by_kind = metrics.compute_by_kind()
    return metrics.compute() | {f"{name}/{k}": value for k in by_kind for name, value in by_kind[k].items()}


def values(computed: dict[str, Tensor]) -> dict[str, float]:
    assert all(value.ndim == 0 and value.dtype == torch.float64 for value in computed.values())
    return {name: value.item() for name, value in computed.items()}


def same(computed: dict[str, Tensor], wanted: dict[str, float]) -> None:
    assert values(computed) == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def filled(samples: list[tuple[Tensor, Tensor, list[str]]], **rules: Any) -> ReferringSegmentationMetrics:
    metric = ReferringSegmentationMetrics(kinds=KINDS, **rules)
    for each in samples:
        metric.update(*each)
    return metric


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rules", [{}, {"empty_iou": 0.0}, {"above": True}])
def test_agrees_with_segmentation_metrics(seed: int, rules: dict[str, Any]) -> None:
    samples = batches(seed)
    assert any(not truth.any() for _, truths, _ in samples for truth in truths)
    same(filled(samples, **rules).compute(), expected(samples, **rules))


def test_pr_counts_its_bound_by_the_rule() -> None:
    prediction, truth = torch.zeros(2, 1, 2, dtype=torch.bool), torch.ones(2, 1, 2, dtype=torch.bool)
    prediction[0, 0, 0] = prediction[1] = True  # IoU 1/2 and 1
    for above, share in ((False, 1.0), (True, 0.5)):
        metric = ReferringSegmentationMetrics(above=above)
        metric.update(prediction, truth)
        assert metric.compute()["pr@0.5"] == share


def test_probabilities_logits_and_masks_are_one() -> None:
    logits = torch.randn(3, 1, 8, 9, generator=torch.Generator().manual_seed(0))
    logits[0, 0, 0, 0] = 0.0  # probability 0.5: inside
    truth = torch.rand(3, 8, 9, generator=torch.Generator().manual_seed(1)) > 0.5
    results = []
    for metric, preds, target in (
        (ReferringSegmentationMetrics(), logits >= 0, truth),
        (ReferringSegmentationMetrics(), logits.sigmoid()[:, 0], truth[:, None]),
        (ReferringSegmentationMetrics(logits=True), logits, truth.long()),
    ):
        metric.update(preds, target)
        results.append(values(metric.compute()))
    assert results[0] == results[1] == results[2]
    metric = ReferringSegmentationMetrics(threshold=0.8)
    metric.update(logits.sigmoid(), truth)
    assert values(metric.compute()) != results[0]
    single = ReferringSegmentationMetrics()
    single.update(logits[0, 0] >= 0, truth[0])
    assert single.compute()["n"] == 1


def test_forward_gives_the_batch_and_keeps_the_sum() -> None:
    samples = batches(1)
    metric = ReferringSegmentationMetrics(kinds=KINDS)
    for each in samples:
        of_batch = values(metric(*each))
        wanted = expected([each])
        assert {name: of_batch[name] for name in wanted} == pytest.approx(wanted, abs=1e-12, nan_ok=True)
    same(metric.compute(), expected(samples))
    metric.reset()
    metric.update(*samples[0])
    assert metric.compute()["n"] == len(samples[0][0])


def test_kinds_are_optional_and_kinds_without_samples_are_nan() -> None:
    metric = ReferringSegmentationMetrics(kinds=KINDS)
    prediction, truth, _ = batches(2)[0]
    metric.update(prediction, truth)
    computed = metric.compute()
    assert computed["n"] == len(truth) and computed["n/left"] == 0 and computed["oiou/left"].isnan()


def test_a_state_is_saved_loaded_and_merged() -> None:
    first, second = batches(3), batches(4)
    metric, other = filled(first), filled(second)
    metric.persistent(True)
    loaded = ReferringSegmentationMetrics(kinds=KINDS)
    loaded.load_state_dict(copy.deepcopy(metric.state_dict()))
    loaded.merge_state(other)
    loaded._update_count = 1  # else torchmetrics warns that nothing was updated: loading states does not count
    same(loaded.compute(), expected(first + second))
    same(other.compute(), expected(second))


def test_stands_in_a_collection_beside_another_rule() -> None:
    samples = batches(5)
    collection = torchmetrics.MetricCollection(
        {
            "lisa": ReferringSegmentationMetrics(kinds=KINDS),
            "lavt": ReferringSegmentationMetrics(kinds=KINDS, empty_iou=0.0),
        },
        prefix="val/",
    )
    for prediction, truth, kinds in samples:
        collection.update(prediction, truth, kinds=kinds)
    computed = collection.compute()
    for rule, wanted in ((1.0, expected(samples)), (0.0, expected(samples, empty_iou=0.0))):
        name = "lisa" if rule else "lavt"
        mine = {k.removeprefix(f"val/{name}_"): v for k, v in computed.items() if k.startswith(f"val/{name}_")}
        same(mine, wanted)


PROCESS = """
import sys, torch, torch.distributed as dist
sys.path[:0] = sys.argv[3:]
from test_torch_metric import batches, expected, filled, same
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
samples = batches(6, 6)
same(filled(samples[rank::2]).compute(), expected(samples))
dist.destroy_process_group()
"""


def test_two_processes_agree_on_all_samples(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS]
    arguments = [str(tmp_path / "meeting"), str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]
    running = [
        subprocess.Popen([*command, str(rank), *arguments], stderr=subprocess.PIPE, text=True) for rank in (0, 1)
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_wrong_use_is_refused() -> None:
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    metric = ReferringSegmentationMetrics(kinds=KINDS)
    with pytest.raises(DataError, match=r"\(2, 4, 3\)"):
        metric.update(mask.transpose(1, 2), mask)
    with pytest.raises(DataError, match="logits=True"):
        metric.update(mask.float() - 3, mask)
    with pytest.raises(DataError, match="torch.int64"):
        metric.update(mask.long(), mask)
    with pytest.raises(DataError, match="the largest is 255"):
        metric.update(mask, torch.full((2, 3, 4), 255))
    with pytest.raises(DataError, match="'blue' was not announced"):
        metric.update(mask, mask, ["left", "blue"])
    with pytest.raises(DataError, match="one kind per sample"):
        metric.update(mask, mask, ["left"])
    with pytest.raises(DataError, match=r"expected \(b H W\)"):
        metric.update(mask[:, None].expand(2, 3, 3, 4), mask)
    for options in ({"threshold": 1.0}, {"empty_iou": 0.5}, {"kinds": ("left", "left")}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            ReferringSegmentationMetrics(**options)  # type: ignore[arg-type]


def test_without_torchmetrics_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torchmetrics'] = None\n"
        "import restr.metrics\n"
        "from restr.errors import ConfigError\n"
        "try:\n    import restr.evaluation.torch_metric\n"
        "except ConfigError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'restr[metrics]'" in done.stdout
