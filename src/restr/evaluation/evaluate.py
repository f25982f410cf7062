"""Evaluation of a segmenter on samples; each image is encoded once.

With a control that swaps the sentences of an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from restr import masks
from restr.config import PresenceConfig
from restr.data.sample import Sample
from restr.evaluation.calibration import calibration_measures
from restr.evaluation.grouping import by_image, image_generator, join_sentences, other_targets
from restr.evaluation.protocol import PROTOCOLS, EvalProtocol
from restr.evaluation.sizes import measures_by_size
from restr.fields import seed_of
from restr.metrics import (
    LENGTHS,
    LONGEST_BIN,
    SegmentationMetrics,
    boundary_intersection_and_union,
    intersection_and_union,
    length_bin,
    ratio_interval,
)
from restr.preprocess import Framing


class Segmented(Protocol):
    """The part of ``restr.Result`` that is measured."""

    @property  # Any: type checkers do not take Result's cached properties for plain ones in a protocol
    def prob(self) -> Any:
        """Probabilities, float (H W)."""
        ...

    @property
    def score(self) -> Any:
        """The probability that the mask is right."""
        ...

    @property
    def presence(self) -> float | None:
        """The probability that the sentence means anything; None if unknown."""
        ...

    @property
    def present(self) -> bool:
        """Whether the presence suffices; if not, the mask is empty."""
        ...


class Segments(Protocol):
    """The part of ``restr.Segmenter`` that is measured: an image and its sentences in, a result for each out."""

    @property
    def framing(self) -> Framing:
        """How it frames images."""
        ...

    def __call__(
        self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
    ) -> Sequence[Segmented]: ...


class Reframable(Segments, Protocol):
    """A segmenter that any protocol can measure, such as ``restr.Segmenter``."""

    def with_framing(self, framing: Framing, /) -> Segments:
        """The same segmenter with another framing."""
        ...


@dataclass(frozen=True, kw_only=True)
class Record:
    """One measured sample."""

    id: str
    """The sample's id."""
    image_id: str
    """The image's id, or the sample's if it has none."""
    text: str
    """The sentence."""
    kind: str
    """The sample's kind."""
    words: int
    """Words of the sentence, between spaces."""
    area: int
    """Pixels of the true mask."""
    intersection: int
    """Pixels in both masks."""
    union: int
    """Pixels in either mask."""
    iou: float
    """Their ratio; the protocol's ``empty_iou`` if both masks are empty."""
    score: float
    """The segmenter's probability that its mask is right."""
    prediction: dict[str, Any]
    """The predicted mask as COCO run lengths."""
    boundary_iou: float = math.nan
    """IoU of the masks' borders."""
    control_text: str | None = None
    """A sentence for another target of the same image; None if the image has none."""
    control_intersection: int | None = None
    """Pixels in both the mask of ``control_text`` and this sample's true mask."""
    control_union: int | None = None
    """Pixels in either of the two."""
    presence: float | None = None
    """Probability that the sentence means anything; None from a model without presence."""

    @property
    def share(self) -> float:
        """The share of the picture that the true mask covers."""
        return self.area / math.prod(self.prediction["size"])

    @property
    def marked(self) -> bool:
        """Whether the predicted mask has any pixels."""
        return self.intersection > 0 or self.union > self.area


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Measures in [0, 1] (see ``restr.metrics``), their protocol, and every sample's record."""

    protocol: str
    """The protocol's sentence; quote it with every number."""
    overall: dict[str, float]
    """Measures of all samples, boundary_iou and those of ``calibration_measures`` included."""
    by_kind: dict[str, dict[str, float]]
    """Measures of each kind of sentence, the most frequent first."""
    by_length: dict[str, dict[str, float]]
    """Measures by the sentences' number of words."""
    by_size: dict[str, dict[str, float]]
    """Measures by how much of the picture the true mask covers; see ``measures_by_size``."""
    intervals: dict[str, tuple[float, float]]
    """95% intervals (bootstrap over images) of oiou and miou, and of each kind's oiou as "oiou/<kind>"."""
    images: int
    """The number of images."""
    control: dict[str, float] | None
    """Measures with sentences for another target of the image; None without control, or if no image has two targets."""
    control_paired: dict[str, float] | None
    """Measures of the right sentences on the samples of ``control``."""
    records: tuple[Record, ...]
    """One for each sample."""

    def summary(self) -> dict[str, Any]:
        """Everything except the records, in JSON's types (NaN becomes None)."""
        values = {name: value for name, value in vars(self).items() if name != "records"}
        return rounded_json(values)


def evaluate(
    segmenter: Reframable,
    samples: Iterable[Sample],
    protocol: EvalProtocol = PROTOCOLS["own"],
    *,
    presence: PresenceConfig | None = None,
    control: bool = True,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> EvaluationResult:
    """Measure ``segmenter`` on ``samples`` as ``protocol`` says.

    samples: those of one image must follow each other, so that it is encoded once. presence: the segmenter's. control:
    also match each region with a sentence drawn (by seed) for another target of its image; it costs no further
    prediction. progress: called after each image with its number of samples.
    """
    framing, seed = protocol.framing(segmenter.framing), seed_of(seed)
    framed = segmenter.with_framing(framing)
    records: list[Record] = []
    for group in by_image(samples):
        records += measure_image(framed, group, protocol, seed if control else None)
        if progress:
            progress(len(group))
    return summarise(records, protocol.describe(framing, presence), protocol)


def measure_image(
    segmenter: Segments, group: Sequence[Sample], protocol: EvalProtocol, seed: int | None
) -> list[Record]:
    """The records of one image's samples.

    segmenter: framed as the protocol demands (``EvalProtocol.framing``). seed: of the control's sentences; None for no
    control.
    """
    framing = segmenter.framing
    if protocol.joined:
        group = join_sentences(group)
    image, targets = protocol.frame(group[0].image, [sample.mask for sample in group], framing)
    results = segmenter(
        image, [sample.text for sample in group], threshold=framing.threshold, presence=protocol.presence
    )
    found = [protocol.mask(result.prob, framing.threshold) & result.present for result in results]
    others = [None] * len(group) if seed is None else other_targets(group, image_generator(seed, group[0]))
    records = []
    for sample, target, result, mask, other in zip(group, targets, results, found, others, strict=True):
        record = measure_mask(sample, target, mask, float(result.score), protocol, result.presence)
        if other is not None:
            shared, union = intersection_and_union(found[other], target)
            record = replace(record, control_text=group[other].text, control_intersection=shared, control_union=union)
        records.append(record)
    return records


def measure_mask(
    sample: Sample,
    target: np.ndarray,
    mask: np.ndarray,
    score: float,
    protocol: EvalProtocol,
    presence: float | None = None,
) -> Record:
    """The record of one predicted mask. target: the true mask at the size at which masks are compared."""
    shared, union = intersection_and_union(mask, target)
    border = boundary_intersection_and_union(mask, target)
    return Record(
        id=sample.id,
        image_id=sample.image_id or sample.id,
        text=sample.text,
        kind=sample.kind,
        words=len(sample.text.split()),
        area=int(np.count_nonzero(target)),
        intersection=shared,
        union=union,
        iou=shared / union if union else protocol.empty_iou,
        score=round(score, 4),
        prediction=masks.rle_encode(mask),
        presence=None if presence is None else round(presence, 4),
        boundary_iou=border[0] / border[1] if border[1] else protocol.empty_iou,
    )


def summarise(records: Sequence[Record], conditions: str, protocol: EvalProtocol) -> EvaluationResult:
    """The result of records. conditions: the protocol's sentence."""
    kinds, lengths, sizes, wrong, paired = (
        SegmentationMetrics(empty_iou=protocol.empty_iou, above=protocol.precision_rule == ">") for _ in range(5)
    )
    for record in records:
        kinds.update_counts(record.intersection, record.union, record.kind, area=record.area)
        lengths.update_counts(record.intersection, record.union, length_bin(record.text), area=record.area)
        if record.control_intersection is not None and record.control_union is not None:
            wrong.update_counts(record.control_intersection, record.control_union)
            paired.update_counts(record.intersection, record.union)
    by_kind = kinds.compute_by_kind()
    intervals = {"oiou": _oiou_interval(records), "miou": _miou_interval(records)}
    for kind in by_kind:
        intervals[f"oiou/{kind}"] = _oiou_interval([record for record in records if record.kind == kind])
    by_length = lengths.compute_by_kind()
    return EvaluationResult(
        protocol=conditions,
        overall=kinds.compute()
        | {"boundary_iou": _mean([record.boundary_iou for record in records])}
        | calibration_measures(records),
        by_kind=dict(sorted(by_kind.items(), key=lambda item: -item[1]["n"])),
        by_length={name: by_length[name] for name in (*LENGTHS, LONGEST_BIN) if name in by_length},
        by_size=measures_by_size(records, sizes),
        intervals=intervals,
        images=len({record.image_id for record in records}),
        control=wrong.compute() if wrong.compute()["n"] else None,
        control_paired=paired.compute() if wrong.compute()["n"] else None,
        records=tuple(records),
    )


def record_lines(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """Records in JSON's types, one object each."""
    for record in records:
        yield asdict(record)


def _oiou_interval(records: Sequence[Record]) -> tuple[float, float]:
    groups = [record.image_id for record in records]
    return ratio_interval([record.intersection for record in records], [record.union for record in records], groups)


def _miou_interval(records: Sequence[Record]) -> tuple[float, float]:
    groups = [record.image_id for record in records]
    return ratio_interval([record.iou for record in records], [1.0] * len(records), groups)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def rounded_json(value: Any) -> Any:
    """A value in JSON's types, with six decimals, NaN as None."""
    if isinstance(value, dict):
        return {key: rounded_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded_json(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value
