"""The measures of ``restr.metrics`` as a torchmetrics metric, for training loops that use torchmetrics.

Needs torchmetrics (extra ``metrics``). Sums only: synchronising processes and merging states is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from restr.errors import ConfigError, DataError
from restr.metrics import PRECISION_AT, Counts, intersections_and_unions

try:
    from torchmetrics import Metric
except ImportError as error:
    raise ConfigError("torchmetrics is not installed; run: pip install 'restr[metrics]'") from error

_OTHER = "other"  # the kind of samples without one
# Columns of the state; it has a row for each kind. _EMPTY: both masks are empty. From _HITS on: the hits of each Pr@X.
_N, _INTERSECTION, _UNION, _NO_TARGET, _EMPTY, _FOUND, _HITS = range(7)


class ReferringSegmentationMetrics(Metric):
    """oIoU, mIoU and Pr@X over batches, equal to ``restr.metrics.SegmentationMetrics`` to the last digit.

    ``compute`` gives float64 scalars by name: n, oiou, miou, pr@0.5 ... (see ``Counts.measures``), and "oiou/left" and
    so on for each of ``kinds``. In a ``MetricCollection``, give two that differ in ``threshold`` or ``above``
    ``compute_groups=False``, as torchmetrics shares the state of metrics that agree on the first batch.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    counts: Tensor  # int64 (kinds columns)
    iou_sum: Tensor  # float64 (kinds), without samples whose masks are both empty

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        logits: bool = False,
        empty_iou: float = 1.0,
        above: bool = False,
        kinds: Sequence[str] = (),
        **options: object,
    ) -> None:
        """threshold: the least probability of a pixel of the mask. logits: take float predictions as logits, not as
        probabilities. empty_iou, above: as in ``SegmentationMetrics``. kinds: all kinds of sentences to break down by,
        as the state has a fixed size. options: torchmetrics' own. Raises ``ConfigError``."""
        super().__init__(**options)
        if not 0.0 < threshold < 1.0:
            raise ConfigError(f"threshold is {threshold}; it must be between 0 and 1")
        if empty_iou not in (0.0, 1.0):
            raise ConfigError(f"empty_iou is {empty_iou}; two empty masks agree wholly (1) or not at all (0)")
        if len(set(kinds)) < len(kinds) or isinstance(kinds, str):
            raise ConfigError(
                f"kinds is {kinds!r}; give each kind of sentence once, for example ('position', 'colour')"
            )
        self.threshold, self.logits, self.empty_iou, self.above = threshold, logits, float(empty_iou), above
        self.kinds = tuple(kinds)
        self._rows = {kind: row for row, kind in enumerate(dict.fromkeys((*kinds, _OTHER)))}
        columns = _HITS + len(PRECISION_AT)
        self.add_state("counts", torch.zeros(len(self._rows), columns, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("iou_sum", torch.zeros(len(self._rows), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, kinds: Sequence[str] | None = None) -> None:
        """Count a batch.

        preds: bool, or float probabilities or logits; (b H W), (b 1 H W), or (H W) for one sample. target: bool, or
        numbers 0 and 1, of the same shape, except for the 1. kinds: of each sentence, for the breakdown. Raises
        ``DataError``.
        """
        found, truth = self._masks(preds), _truth(target)
        if found.shape != truth.shape:
            raise DataError(
                f"preds are {tuple(preds.shape)} but target is {tuple(target.shape)}; bring both to (b H W) of one "
                "size, best the photographs' own"
            )
        rows = self._rows_of(kinds, len(found)).to(found.device)
        intersection, union = intersections_and_unions(found, truth)
        area, marked = truth.flatten(1).any(1), found.flatten(1).any(1)
        empty = union == 0
        iou = intersection.double() / union.clamp(min=1).double()  # 0 if both masks are empty; compute adds empty_iou
        least = torch.tensor(PRECISION_AT, dtype=torch.float64, device=iou.device)
        hits = iou[:, None] > least if self.above else iou[:, None] >= least
        one = [torch.ones_like(union), intersection, union, ~area, empty, area & marked]
        counted = torch.cat([torch.stack([column.long() for column in one], 1), hits.long()], 1)
        self.counts.index_add_(0, rows, counted)
        self.iou_sum.index_add_(0, rows, iou)

    def compute(self) -> dict[str, Tensor]:
        """The measures over all samples, and of each of ``kinds`` as "<measure>/<kind>"; NaN without samples."""
        found = self._measures(self.counts.sum(0), self.iou_sum.sum())
        for kind in self.kinds:
            row = self._rows[kind]
            of_kind = self._measures(self.counts[row], self.iou_sum[row])
            found |= {f"{name}/{kind}": value for name, value in of_kind.items()}
        return {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in found.items()}

    def _measures(self, counts: Tensor, iou_sum: Tensor) -> dict[str, float]:
        """The measures of one row of the state. Only here ``empty_iou`` is used, so that states do not depend on it."""
        row = [int(value) for value in counts.tolist()]
        of_empty = int(self.empty_iou) * row[_EMPTY]
        return Counts(
            n=row[_N],
            intersection=row[_INTERSECTION],
            union=row[_UNION],
            iou_sum=float(iou_sum) + of_empty,
            hits=[hits + of_empty for hits in row[_HITS:]],
            no_target=row[_NO_TARGET],
            rightly_empty=row[_EMPTY],
            found=row[_FOUND],
        ).measures(self.empty_iou)

    def _masks(self, preds: Tensor) -> Tensor:
        if preds.dtype == torch.bool:
            return _batched(preds, "preds")
        if not preds.is_floating_point():
            raise DataError(f"preds are {preds.dtype}; expected bool masks, probabilities or logits")
        prob = preds.float().sigmoid() if self.logits else preds
        if not self.logits and preds.numel() and not bool(((preds >= 0) & (preds <= 1)).all()):
            raise DataError(
                f"preds reach from {float(preds.min()):g} to {float(preds.max()):g}; expected probabilities in [0, 1], "
                "or say logits=True"
            )
        return _batched(prob >= self.threshold, "preds")

    def _rows_of(self, kinds: Sequence[str] | None, count: int) -> Tensor:
        """The state's row of each sample."""
        if kinds is None:
            kinds = [_OTHER] * count
        if len(kinds) != count or isinstance(kinds, str):
            raise DataError(f"kinds is {kinds!r} for {count} samples; give one kind per sample")
        if unknown := [kind for kind in kinds if kind not in self._rows]:
            raise DataError(
                f"the kind {unknown[0]!r} was not announced; name it in kinds, which is {list(self.kinds)}, when "
                "making the metric"
            )
        return torch.tensor([self._rows[kind] for kind in kinds], dtype=torch.int64)


def _batched(masks: Tensor, name: str) -> Tensor:
    """Masks as (b H W)."""
    if masks.ndim == 4 and masks.shape[1] == 1:
        return masks[:, 0]
    if masks.ndim == 2:
        return masks[None]
    if masks.ndim != 3:
        raise DataError(f"{name}: the shape is {tuple(masks.shape)}; expected (b H W), (b 1 H W) or (H W)")
    return masks


def _truth(target: Tensor) -> Tensor:
    if target.dtype != torch.bool and not bool(((target == 0) | (target == 1)).all()):
        raise DataError(
            f"target holds values besides 0 and 1, the largest is {float(target.max()):g}; give a bool mask"
        )
    return _batched(target.bool(), "target")
