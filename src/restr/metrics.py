"""Measures of referring segmentation: overall IoU, mean IoU and Pr@X, summed sample by sample.

One sample is one (region, sentence) pair. oIoU = sum of intersections / sum of unions, so large regions count more;
mIoU = mean of each sample's IoU; Pr@X = share of samples whose IoU is at least X. All are shares in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from restr.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

_Masks = TypeVar("_Masks", np.ndarray, "Tensor")

PRECISION_AT = (0.5, 0.6, 0.7, 0.8, 0.9)
LENGTHS = {"1-2 words": 2, "3-4 words": 4, "5-7 words": 7}  # bins of an expression's length, and the most words of each
LONGEST_BIN = "8 words or more"


def length_bin(text: str) -> str:
    """The bin of an expression's length, by words between spaces."""
    words = len(text.split())
    return next((name for name, most in LENGTHS.items() if words <= most), LONGEST_BIN)


def intersection_and_union(prediction: np.ndarray, target: np.ndarray) -> tuple[int, int]:
    """Pixels in both masks and in either, for bool masks (H W) of one shape; else ``DataError``."""
    if prediction.shape != target.shape:
        raise DataError(
            f"the prediction is {prediction.shape} but the target is {target.shape}; "
            "bring the prediction to the photograph's own size before measuring"
        )
    if prediction.dtype != np.bool_ or target.dtype != np.bool_:
        raise DataError(f"got masks of {prediction.dtype} and {target.dtype}; expected bool, for example prob >= 0.5")
    return int(np.count_nonzero(prediction & target)), int(np.count_nonzero(prediction | target))


def intersections_and_unions(masks: _Masks, targets: _Masks) -> tuple[_Masks, _Masks]:
    """Pixels in both masks and in either, (b) each, for bool masks (b ...) of one shape: NumPy arrays or PyTorch
    tensors."""
    counts: list[Any] = [each.sum(tuple(range(1, masks.ndim))) for each in (masks & targets, masks | targets)]
    return counts[0], counts[1]


def iou(masks: _Masks, targets: _Masks) -> _Masks:
    """Each sample's IoU, (b), for masks as ``intersections_and_unions`` takes them; two empty masks agree (1)."""
    intersections, unions = intersections_and_unions(masks, targets)
    found: Any = (intersections + (unions == 0)) / unions.clip(1)
    return found


@dataclass(kw_only=True)
class Counts:
    """Sums over the samples so far, from which every measure is computed."""

    n: int = 0
    """Samples."""
    intersection: int = 0
    """Pixels of all intersections."""
    union: int = 0
    """Pixels of all unions."""
    iou_sum: float = 0.0
    """The sum of the samples' IoU."""
    hits: list[int] = field(default_factory=lambda: [0] * len(PRECISION_AT))
    """Samples that count for each Pr@X."""
    no_target: int = 0
    """Samples whose true mask is empty."""
    rightly_empty: int = 0
    """Those of them with an empty predicted mask."""
    found: int = 0
    """Samples with a target whose predicted mask has any pixel."""

    def add(self, other: Counts) -> None:
        """Count the other's samples too."""
        self.n += other.n
        self.intersection += other.intersection
        self.union += other.union
        self.iou_sum += other.iou_sum
        self.hits = [mine + theirs for mine, theirs in zip(self.hits, other.hits, strict=True)]
        self.no_target += other.no_target
        self.rightly_empty += other.rightly_empty
        self.found += other.found

    def measures(self, empty_iou: float) -> dict[str, float]:
        """n, oiou, miou and pr@0.5 ... pr@0.9; NaN without samples.

        If some samples mean nothing, also the measures of generalised segmentation: n_acc (their share with an empty
        mask), t_acc (the others' share with any mask), giou (mIoU, a rightly empty mask counts 1) and ciou (= oiou).
        """
        if not self.n:
            return {"n": 0, "oiou": np.nan, "miou": np.nan} | {f"pr@{least}": np.nan for least in PRECISION_AT}
        oiou = self.intersection / self.union if self.union else empty_iou
        found = {"n": self.n, "oiou": oiou, "miou": self.iou_sum / self.n} | {
            f"pr@{least}": hits / self.n for least, hits in zip(PRECISION_AT, self.hits, strict=True)
        }
        if self.no_target:
            targets = self.n - self.no_target
            found |= {
                "giou": (self.iou_sum + (1 - empty_iou) * self.rightly_empty) / self.n,
                "ciou": oiou,
                "n_acc": self.rightly_empty / self.no_target,
                "t_acc": self.found / targets if targets else np.nan,
            }
        return found


class SegmentationMetrics:
    """Streaming oIoU, mIoU and Pr@X, over all samples and by kind of sentence; sums only, so merging is exact.

    empty_iou: the IoU of two empty masks: 1 (LISA's rule) or 0 (LAVT's, mmdet's). Such samples never change oIoU, as
    they add nothing to either sum.
    """

    def __init__(self, *, empty_iou: float = 1.0, above: bool = False) -> None:
        """above: Pr@X counts IoU > X (CRIS), not IoU >= X."""
        if empty_iou not in (0.0, 1.0):
            raise ConfigError(f"empty_iou is {empty_iou}; two empty masks agree wholly (1) or not at all (0)")
        self.empty_iou, self.above = float(empty_iou), above
        self._kinds: dict[str, Counts] = {}

    def update(self, prediction: np.ndarray, target: np.ndarray, kind: str = "all") -> float:
        """Count one sample, bool masks (H W) of one shape, and return its IoU."""
        counts = intersection_and_union(prediction, target)
        return self.update_counts(*counts, kind, area=int(np.count_nonzero(target)))

    def update_counts(self, intersection: int, union: int, kind: str = "all", *, area: int | None = None) -> float:
        """Count one sample, given its numbers of pixels, and return its IoU.

        area: pixels of the true mask; without it, the sample counts as one with a target.
        """
        if not 0 <= intersection <= union:
            raise DataError(f"intersection {intersection} and union {union}: expected 0 <= intersection <= union")
        share = intersection / union if union else self.empty_iou
        hits = [int(share > least if self.above else share >= least) for least in PRECISION_AT]
        one = Counts(n=1, intersection=intersection, union=union, iou_sum=share, hits=hits)
        if area == 0:
            one.no_target, one.rightly_empty = 1, int(union == 0)
        else:
            one.found = int(area is None or intersection > 0 or union > area)
        self._kinds.setdefault(kind, Counts()).add(one)
        return share

    def compute(self) -> dict[str, float]:
        """n, oiou, miou and pr@0.5 ... pr@0.9 over all samples; NaN without samples."""
        total = Counts()
        for counts in self._kinds.values():
            total.add(counts)
        return total.measures(self.empty_iou)

    def compute_by_kind(self) -> dict[str, dict[str, float]]:
        """The same for each kind, in order of first appearance."""
        return {kind: counts.measures(self.empty_iou) for kind, counts in self._kinds.items()}

    def merge(self, other: SegmentationMetrics) -> None:
        """Add another process's counts. Raises ``ConfigError`` if its rules differ."""
        if (other.empty_iou, other.above) != (self.empty_iou, self.above):
            raise ConfigError(
                f"cannot merge counts with empty_iou {other.empty_iou}, above {other.above} into {self.empty_iou}, "
                f"{self.above}; measure both with one rule"
            )
        for kind, counts in other._kinds.items():
            self._kinds.setdefault(kind, Counts()).add(counts)

    def state_dict(self) -> dict[str, Any]:
        """The counts in JSON's types."""
        return {
            "empty_iou": self.empty_iou,
            "above": self.above,
            "kinds": {kind: asdict(counts) for kind, counts in self._kinds.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the counts by those of ``state_dict``."""
        self.empty_iou, self.above = float(state["empty_iou"]), bool(state.get("above", False))
        self._kinds = {
            kind: Counts(**{**counts, "hits": list(counts["hits"])}) for kind, counts in state["kinds"].items()
        }


def area_under_curve(present: Sequence[float], absent: Sequence[float]) -> float:
    """The ROC curve's area: how often a value of ``present`` exceeds one of ``absent``, ties half; NaN without both."""
    if not len(present) or not len(absent):
        return float("nan")
    ordered = np.sort(np.asarray(absent, np.float64))
    below, not_above = (np.searchsorted(ordered, np.asarray(present, np.float64), side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(ordered)))


def expected_calibration_error(scores: Sequence[float], correct: Sequence[bool], *, bins: int = 15) -> float:
    """How far scores are from the shares of correct masks (Guo et al. 2017); NaN without scores.

    The mean of |mean score - share correct| over ``bins`` equal parts of [0, 1], weighted by their number of scores.
    Raises ``DataError`` for a score outside [0, 1].
    """
    found = calibration_bins(scores, correct, bins=bins)
    return sum(each.n * abs(each.score - each.correct) for each in found) / len(scores) if found else float("nan")


class CalibrationBin(NamedTuple):
    """A part of [0, 1] and the scores in it."""

    low: float
    """Where the part begins."""
    high: float
    """Where it ends; exclusive, except for the last one."""
    n: int
    """The number of scores."""
    score: float
    """Their mean."""
    correct: float
    """The share of them that was right."""


def calibration_bins(scores: Sequence[float], correct: Sequence[bool], *, bins: int = 15) -> list[CalibrationBin]:
    """The parts of [0, 1] with any of ``scores``; a score on an edge belongs to the upper part.

    Raises ``DataError``.
    """
    values, right = np.asarray(scores, np.float64), np.asarray(correct, bool)
    if values.shape != right.shape or not ((values >= 0) & (values <= 1)).all():
        raise DataError(
            f"{values.size} scores and {right.size} verdicts, the scores not all from 0 to 1; give a probability and a "
            "bool a mask"
        )
    place = np.minimum((values * bins).astype(int), bins - 1)
    found = []
    for part in np.unique(place).tolist():
        here = place == part
        mean, share = float(values[here].mean()), float(right[here].mean())
        found.append(CalibrationBin(part / bins, (part + 1) / bins, int(here.sum()), mean, share))
    return found


def boundary_intersection_and_union(
    prediction: np.ndarray, target: np.ndarray, *, width: float = 0.02
) -> tuple[int, int]:
    """``intersection_and_union`` of the masks' inner borders, for boundary IoU (Cheng et al. 2021).

    width: of a border, as a share of the picture's diagonal. A border is the mask minus its erosion by a square; the
    picture's edge counts as outside, as in the authors' program.
    """
    reach = max(1, round(width * float(np.hypot(*prediction.shape))))
    return intersection_and_union(_border(prediction, reach), _border(target, reach))


def _border(mask: np.ndarray, reach: int) -> np.ndarray:
    side = 2 * reach + 1
    sums = np.pad(mask, reach).astype(np.int64).cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    full = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return mask & (full < side * side)


def ratio_interval(
    numerators: Sequence[float],
    denominators: Sequence[float],
    groups: Sequence[str],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of sum(numerators) / sum(denominators), resampling whole groups (images).

    Sentences of one image succeed and fail together, so resampling single samples would give too narrow an interval.
    With intersections and unions it is oIoU's interval, with IoUs and ones mIoU's. NaN without samples.
    """
    return bootstrap_interval(
        np.divide, (numerators, denominators), groups, level=level, resamples=resamples, seed=seed
    )


def bootstrap_interval(
    statistic: Callable[..., np.ndarray],
    columns: Sequence[Sequence[float]],
    groups: Sequence[str],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of ``statistic(sum of each column)``; a resample takes the same groups from all columns."""
    _, index = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if index.size == 0:
        return float("nan"), float("nan")
    count = int(index.max()) + 1
    sums = [np.bincount(index, np.asarray(column, np.float64), count) for column in columns]
    draws = np.random.default_rng(seed).integers(0, count, (resamples, count))
    with np.errstate(invalid="ignore", divide="ignore"):
        values = statistic(*(each[draws].sum(1) for each in sums))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
