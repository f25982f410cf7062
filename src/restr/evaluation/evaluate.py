"""Evaluation: a segmenter against samples, each image encoded once, with the shuffled-sentence control beside it."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from restr import masks
from restr.config import PreprocessConfig, PresenceConfig
from restr.data.sample import Sample
from restr.evaluation.calibration import sureness
from restr.evaluation.protocol import PROTOCOLS, EvalProtocol
from restr.fields import seed_of
from restr.metrics import (
    LENGTHS,
    LONGEST,
    SegmentationMetrics,
    boundary_intersection_and_union,
    intersection_and_union,
    length_bin,
    ratio_interval,
)

MOST_OVERLAP = 0.1  # of the smaller region: up to here two targets of an image are different things


class Segmented(Protocol):
    """The part of ``restr.Result`` that is measured: prob, float (H W), score, presence and whether that is enough."""

    @property  # Any: type checkers do not take Result's cached properties for plain ones in a protocol
    def prob(self) -> Any: ...

    @property
    def score(self) -> Any: ...

    @property
    def presence(self) -> float | None: ...

    @property
    def present(self) -> bool: ...


class Segments(Protocol):
    """The part of ``restr.Segmenter`` that is measured: an image and its sentences in, a result for each out."""

    def __call__(
        self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
    ) -> Sequence[Segmented]: ...


@dataclass(frozen=True, kw_only=True)
class Record:
    """One sample and how it went. prediction: the predicted mask as COCO run lengths. control_intersection and
    control_union: this sample's region against the mask of ``control_text``, a sentence for another target of the
    same image; None where the image offers none."""

    id: str
    image_id: str
    text: str
    kind: str
    words: int
    area: int  # pixels of the true region
    intersection: int
    union: int
    iou: float
    score: float
    prediction: dict[str, Any]
    boundary_iou: float = math.nan
    control_text: str | None = None
    control_intersection: int | None = None
    control_union: int | None = None
    presence: float | None = None  # None from a model that does not say

    @property
    def marked(self) -> bool:
        """Whether the predicted mask has any pixel."""
        return self.intersection > 0 or self.union > self.area


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Measures in [0, 1] (see ``restr.metrics``), the protocol that they belong to, and every sample's record.

    overall: besides, boundary_iou, and how sure to be of the answers (``calibration.sureness``).
    intervals: 95% bootstrap over images of oiou and miou, and of each kind's oiou as "oiou/<kind>". control: the
    measures with each sentence replaced by one for another target of its image; control_paired: the right sentences'
    measures on those same samples. Both None where the control was not asked for or no image has two targets.
    """

    protocol: str
    overall: dict[str, float]
    by_kind: dict[str, dict[str, float]]
    by_length: dict[str, dict[str, float]]
    intervals: dict[str, tuple[float, float]]
    images: int
    control: dict[str, float] | None
    control_paired: dict[str, float] | None
    records: tuple[Record, ...]

    def summary(self) -> dict[str, Any]:
        """Everything but the records, in JSON's types (NaN becomes None)."""
        values = {name: value for name, value in vars(self).items() if name != "records"}
        return plain(values)


def evaluate(
    segmenter: Segments,
    samples: Iterable[Sample],
    *,
    preprocess: PreprocessConfig,
    presence: PresenceConfig | None = None,
    protocol: EvalProtocol = PROTOCOLS["own"],
    patch: int = 16,
    control: bool = True,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> EvaluationResult:
    """Measure ``segmenter`` on ``samples`` as ``protocol`` says.

    samples: those of one image must follow each other, so that it is encoded once. preprocess, presence, patch: of the
    segmenter, which has to prepare its images as ``protocol.preprocess`` says. control: also match each region with a sentence drawn
    (by seed) for another target of its image; it costs no further prediction. progress: called with the number of samples
    after each image.
    """
    config, seed = protocol.preprocess(preprocess), seed_of(seed)
    records: list[Record] = []
    for group in by_image(samples):
        records += measure_image(segmenter, group, protocol, config, patch, seed if control else None)
        if progress:
            progress(len(group))
    return summarise(records, protocol.describe(preprocess, presence), protocol)


def measure_image(
    segmenter: Segments,
    group: Sequence[Sample],
    protocol: EvalProtocol,
    config: PreprocessConfig,
    patch: int,
    seed: int | None,
) -> list[Record]:
    """The records of one image's samples. seed: draws the control's sentences, whatever came before; None for no control."""
    if protocol.joined:
        group = joined(group)
    image, targets = protocol.frame(group[0].image, [sample.mask for sample in group], config, patch)
    results = segmenter(
        image, [sample.text for sample in group], threshold=config.threshold, presence=protocol.presence
    )
    found = [protocol.mask(result.prob, config.threshold) & result.present for result in results]
    others = [None] * len(group) if seed is None else other_targets(group, image_generator(seed, group[0]))
    records = []
    for sample, target, result, mask, other in zip(group, targets, results, found, others, strict=True):
        record = judged(sample, target, mask, float(result.score), protocol, result.presence)
        if other is not None:
            shared, union = intersection_and_union(found[other], target)
            record = replace(record, control_text=group[other].text, control_intersection=shared, control_union=union)
        records.append(record)
    return records


def judged(
    sample: Sample,
    target: np.ndarray,
    mask: np.ndarray,
    score: float,
    protocol: EvalProtocol,
    presence: float | None = None,
) -> Record:
    """The record of one predicted mask. target: the sample's mask at the size at which masks are compared."""
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


def joined(group: Sequence[Sample]) -> list[Sample]:
    """An image's samples with the sentences of one region, which follow each other, joined to one text."""
    regions: list[list[Sample]] = []
    for sample in group:
        if regions and np.array_equal(regions[-1][0].mask, sample.mask):
            regions[-1].append(sample)
        else:
            regions.append([sample])
    return [replace(region[0], text=". ".join(sample.text for sample in region)) for region in regions]


def summarise(records: Sequence[Record], conditions: str, protocol: EvalProtocol) -> EvaluationResult:
    """The result of records, new or read from a file. conditions: the protocol's sentence."""
    kinds, lengths, wrong, paired = (
        SegmentationMetrics(empty_iou=protocol.empty_iou, above=protocol.precision_rule == ">") for _ in range(4)
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
        | sureness(records),
        by_kind=dict(sorted(by_kind.items(), key=lambda item: -item[1]["n"])),
        by_length={name: by_length[name] for name in (*LENGTHS, LONGEST) if name in by_length},
        intervals=intervals,
        images=len({record.image_id for record in records}),
        control=wrong.compute() if wrong.compute()["n"] else None,
        control_paired=paired.compute() if wrong.compute()["n"] else None,
        records=tuple(records),
    )


def by_image(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Runs of samples of the same image; a sample without an image_id stands alone, and one id with other pixels is another image."""
    for _, group in itertools.groupby(samples, key=lambda sample: sample.image_id or f"sample {sample.id}"):
        run: list[Sample] = []
        for sample in group:
            if run and sample.image is not run[0].image and not np.array_equal(sample.image, run[0].image):
                yield run
                run = []
            run.append(sample)
        yield run


def image_generator(seed: int, sample: Sample) -> np.random.Generator:
    """The random numbers of a sample's image: the same whichever process measures it, and when."""
    return np.random.default_rng((seed, zlib.crc32((sample.image_id or sample.id).encode())))


def other_targets(group: Sequence[Sample], rng: np.random.Generator) -> list[int | None]:
    """For each sample of an image, another sample (its index) that names a different region; None if there is none.

    Different means nearly disjoint: for a man and his hat, a mask of the man would rightly meet the hat's.
    """
    found: list[int | None] = []
    for sample in group:
        choices = [index for index, other in enumerate(group) if _different(sample.mask, other.mask)]
        found.append(int(rng.choice(choices)) if choices else None)
    return found


def record_lines(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """Records in JSON's types, one object each."""
    for record in records:
        yield asdict(record)


def _different(mask: np.ndarray, other: np.ndarray) -> bool:
    smaller = min(np.count_nonzero(mask), np.count_nonzero(other))
    return bool(smaller) and bool(np.count_nonzero(mask & other) <= MOST_OVERLAP * smaller)


def _oiou_interval(records: Sequence[Record]) -> tuple[float, float]:
    groups = [record.image_id for record in records]
    return ratio_interval([record.intersection for record in records], [record.union for record in records], groups)


def _miou_interval(records: Sequence[Record]) -> tuple[float, float]:
    groups = [record.image_id for record in records]
    return ratio_interval([record.iou for record in records], [1.0] * len(records), groups)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def plain(value: Any) -> Any:
    """In JSON's types, six decimals, NaN as None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value
