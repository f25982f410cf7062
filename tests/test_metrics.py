"""The measures against their definitions, sample by sample."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from restr.errors import ConfigError, DataError
from restr.metrics import (
    PRECISION_AT,
    SegmentationMetrics,
    boundary_intersection_and_union,
    intersection_and_union,
    intersections_and_unions,
    iou,
    ratio_interval,
)

MASKS = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape), st.sampled_from(["left", "red"]))
)
SAMPLES = st.lists(MASKS, min_size=1, max_size=12)


def by_definition(samples, empty_iou):
    """The measures pixel by pixel and with exact fractions."""
    pairs = []
    for prediction, target, _ in samples:
        pixels = [(p, t) for p, t in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)]
        pairs.append((sum(p and t for p, t in pixels), sum(p or t for p, t in pixels)))
    ious = [Fraction(i, u) if u else Fraction(int(empty_iou)) for i, u in pairs]
    total = sum(u for _, u in pairs)
    measures = {
        "n": len(pairs),
        "oiou": float(Fraction(sum(i for i, _ in pairs), total)) if total else empty_iou,
        "miou": float(sum(ious) / len(ious)),
    }
    for tenths in range(5, 10):
        measures[f"pr@0.{tenths}"] = sum(iou >= Fraction(tenths, 10) for iou in ious) / len(ious)
    nothing = [not prediction.any() for prediction, target, _ in samples if not target.any()]
    something = [prediction.any() for prediction, target, _ in samples if target.any()]
    if nothing:
        right = [Fraction(i, u) if u else Fraction(1) for i, u in pairs]
        measures |= {"giou": float(sum(right) / len(right)), "ciou": measures["oiou"]}
        measures |= {"n_acc": sum(nothing) / len(nothing)}
        measures |= {"t_acc": sum(something) / len(something) if something else float("nan")}
    return measures


def filled(samples, empty_iou=1.0):
    metrics = SegmentationMetrics(empty_iou=empty_iou)
    for prediction, target, kind in samples:
        metrics.update(prediction, target, kind)
    return metrics


@settings(max_examples=60, deadline=None)
@given(SAMPLES, st.sampled_from([0.0, 1.0]))
def test_equals_the_definition(samples, empty_iou):
    metrics = filled(samples, empty_iou)
    assert metrics.compute() == pytest.approx(by_definition(samples, empty_iou), abs=1e-12, nan_ok=True)
    for kind, measures in metrics.compute_by_kind().items():
        of_kind = [sample for sample in samples if sample[2] == kind]
        assert measures == pytest.approx(by_definition(of_kind, empty_iou), abs=1e-12, nan_ok=True)


@settings(max_examples=20, deadline=None)
@given(SAMPLES, SAMPLES)
def test_merge_is_as_one_run_and_state_survives_json(first, second):
    whole, part = filled(first + second), filled(first)
    other = SegmentationMetrics()
    other.load_state_dict(json.loads(json.dumps(filled(second).state_dict())))
    part.merge(other)
    assert part.compute() == pytest.approx(whole.compute(), abs=1e-12, nan_ok=True)
    assert part.compute_by_kind().keys() == whole.compute_by_kind().keys()


def test_loaded_state_is_not_shared():
    first = filled([(np.ones((2, 2), bool), np.ones((2, 2), bool), "left")])
    second = SegmentationMetrics()
    second.load_state_dict(first.state_dict())
    second.update(np.zeros((2, 2), bool), np.ones((2, 2), bool), "left")
    assert first.compute()["n"] == 1 and first.compute()["pr@0.5"] == 1.0
    assert second.compute()["n"] == 2 and second.compute()["pr@0.5"] == 0.5


@pytest.mark.parametrize("tenths", range(5, 10))
def test_precision_includes_its_threshold(tenths):
    metrics = SegmentationMetrics()
    metrics.update_counts(tenths, 10)
    metrics.update_counts(tenths * 1000 - 1, 10_000)
    assert metrics.compute()[f"pr@{PRECISION_AT[tenths - 5]}"] == 0.5


def test_empty_on_empty_follows_the_stated_rule_and_never_changes_oiou():
    nothing, something = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    for rule, miou in ((1.0, 1.0), (0.0, 0.5)):
        metrics = SegmentationMetrics(empty_iou=rule)
        assert metrics.update(nothing, nothing) == rule
        assert metrics.update(something, something) == 1.0
        assert metrics.compute()["oiou"] == 1.0
        assert metrics.compute()["miou"] == miou


def test_oiou_weighs_by_pixels_and_miou_by_samples():
    metrics = SegmentationMetrics()
    metrics.update_counts(900, 1000, "large")
    metrics.update_counts(0, 10, "small")
    assert metrics.compute()["oiou"] == pytest.approx(900 / 1010)
    assert metrics.compute()["miou"] == pytest.approx(0.45)


def test_no_samples_give_nan():
    measures = SegmentationMetrics().compute()
    assert measures["n"] == 0 and np.isnan(measures["oiou"]) and np.isnan(measures["pr@0.9"])


def test_wrong_use_is_refused():
    mask = np.zeros((2, 3), bool)
    with pytest.raises(DataError, match=r"\(3, 2\)"):
        intersection_and_union(mask.T, mask)
    with pytest.raises(DataError, match="bool"):
        SegmentationMetrics().update(mask.astype(np.uint8), mask)
    with pytest.raises(DataError, match="intersection 3"):
        SegmentationMetrics().update_counts(3, 2)
    with pytest.raises(ConfigError, match="empty_iou"):
        SegmentationMetrics(empty_iou=0.5)
    with pytest.raises(ConfigError, match="one rule"):
        SegmentationMetrics().merge(SegmentationMetrics(empty_iou=0.0))


def test_interval_covers_the_ratio_and_narrows_with_more_images():
    rng = np.random.default_rng(0)
    widths = []
    for images in (10, 400):
        intersections = rng.integers(0, 100, images)
        low, high = ratio_interval(intersections.tolist(), [100] * images, [str(i) for i in range(images)])
        assert low <= intersections.sum() / (100 * images) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_interval_resamples_images_not_sentences():
    values = [0.0, 1.0] * 10
    together = [f"{number % 2}" for number in range(20)]  # two images, one all wrong, one all right
    assert ratio_interval(values, [1.0] * 20, together) == (0.0, 1.0)
    alone = [str(number) for number in range(20)]
    low, high = ratio_interval(values, [1.0] * 20, alone)
    assert 0.1 < low < high < 0.9


def test_pr_counts_above_or_from_its_threshold_on():
    """CRIS counts IoU > X: a sample of exactly X is in one number and not in the other."""
    for above, share in ((False, 1.0), (True, 0.0)):
        metrics = SegmentationMetrics(above=above)
        metrics.update_counts(1, 2)
        assert metrics.compute()["pr@0.5"] == share


def eroded(mask, times):
    """``times`` erosions by 3 x 3, the outside being background, pixel by pixel."""
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = np.all(
            [padded[i : i + mask.shape[0], j : j + mask.shape[1]] for i in range(3) for j in range(3)], axis=0
        )
    return mask


@settings(max_examples=40, deadline=None)
@given(MASKS, st.sampled_from([0.02, 0.2, 0.4]))
def test_boundary_iou_equals_its_definition(sample, width):
    prediction, target, _ = sample
    reach = max(1, round(width * np.hypot(*target.shape)))
    borders = [mask & ~eroded(mask, reach) for mask in (prediction, target)]
    expected = (int((borders[0] & borders[1]).sum()), int((borders[0] | borders[1]).sum()))
    assert boundary_intersection_and_union(prediction, target, width=width) == expected


def test_iou_of_batches_is_the_same_for_arrays_and_tensors() -> None:
    """Half, none, all, and two empty masks, which agree."""
    masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]], [[0, 1, 1, 1]], [[0, 0, 0, 0]]], bool)
    targets = np.array([[[1, 0, 0, 0]], [[0, 0, 0, 1]], [[0, 1, 1, 1]], [[0, 0, 0, 0]]], bool)
    assert iou(masks, targets).tolist() == [0.5, 0.0, 1.0, 1.0]
    assert iou(torch.from_numpy(masks), torch.from_numpy(targets)).tolist() == [0.5, 0.0, 1.0, 1.0]
    assert all(len(each) == 0 for each in intersections_and_unions(masks[:0], targets[:0]))
