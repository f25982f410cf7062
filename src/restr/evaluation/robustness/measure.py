"""Robustness: how much accuracy remains when sentences or pictures change, and what is marked if nothing is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from restr.data.sample import Sample, SampleSource
from restr.evaluation.evaluate import Record, Reframable, measure_image
from restr.evaluation.grouping import by_image, join_sentences
from restr.evaluation.protocol import EvalProtocol
from restr.evaluation.robustness.perturbations import CLEAN, PERTURBATIONS, Perturbation, sentences_of_others
from restr.evaluation.robustness.store import Measured
from restr.metrics import bootstrap_interval, ratio_interval

_SHOWN = 4  # images on the picture sheet
SIDED = "mirror, sides only"  # a row: mirror, on the sentences that side-swap changes
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Retained:
    """Accuracy, in [0, 1], on the sentences that a perturbation changes, and before the change (clean)."""

    name: str
    """The perturbation."""
    n: int
    """Sentences that it changes."""
    images: int
    """Their images."""
    oiou: float
    """oIoU of the changed sentences."""
    miou: float
    """mIoU of the changed sentences."""
    clean_oiou: float
    """oIoU of the same sentences unchanged."""
    clean_miou: float
    """mIoU of the same sentences unchanged."""
    retained_oiou: float
    """``oiou`` / ``clean_oiou``."""
    retained_oiou_interval: Interval
    """95% interval: paired bootstrap over images."""
    retained_miou: float
    """``miou`` / ``clean_miou``."""
    retained_miou_interval: Interval
    """95% interval: paired bootstrap over images."""


@dataclass(frozen=True, kw_only=True)
class MarkedNothing:
    """The masks for sentences that name nothing in the image, and for the right sentences of its image (clean)."""

    name: str
    """The perturbation."""
    n: int
    """Sentences that name nothing."""
    images: int
    """Their images."""
    empty: float
    """Share of empty masks."""
    empty_interval: Interval
    """95% interval: bootstrap over images."""
    marked: float
    """Mean share of the picture in the mask."""
    clean_marked: float
    """The same for the right sentences."""
    score: float
    """Mean score."""
    clean_score: float
    """The same for the right sentences."""


@dataclass(frozen=True, kw_only=True)
class RobustnessResult:
    """Accuracy without perturbation, and a row for each perturbation."""

    protocol: str
    """The protocol's sentence."""
    seed: int
    """The seed of the perturbations."""
    n: int
    """All sentences."""
    images: int
    """Their images."""
    clean_oiou: float
    """oIoU of all sentences, unchanged."""
    clean_miou: float
    """mIoU of all sentences, unchanged."""
    retained: tuple[Retained, ...]
    """Rows of perturbations whose sentences still mean something."""
    nothing: tuple[MarkedNothing, ...]
    """Rows of perturbations whose sentences name nothing."""


def passes(names: Sequence[str], done: Collection[str] = ()) -> list[list[str]]:
    """Groups to measure together: all perturbations that keep the picture, then each of the others alone."""
    left = [name for name in (CLEAN, *names) if name not in done]
    same_picture = [name for name in left if name == CLEAN or not PERTURBATIONS[name].new_picture]
    return ([same_picture] if same_picture else []) + [[name] for name in left if name not in same_picture]


def measure_robustness(
    segmenter: Reframable,
    samples: SampleSource,
    names: Sequence[str],
    *,
    protocol: EvalProtocol,
    seed: int = 0,
    store: Measured | None = None,
    progress: Callable[[Sequence[str]], None] | None = None,
) -> dict[str, list[Record]]:
    """The records of the samples unchanged (``CLEAN``) and under each perturbation of ``names``.

    An image is encoded once for all its sentences, and once for each picture made from it. Only the samples of
    ``sheet_samples`` keep their predicted masks. store: perturbations in it are not measured again. progress: called
    after each image with the names of the pass.
    """
    found: dict[str, list[Record]] = {}
    for name in (CLEAN, *names):
        if store and (records := store.read(name)) is not None:
            found[name] = records
    kept = sheet_samples(samples, seed)
    framed = segmenter.with_framing(protocol.framing(segmenter.framing))
    strangers = sentences_of_others(samples, seed) if "unrelated" in names and "unrelated" not in found else []
    for together in passes(names, found):
        measured: dict[str, list[Record]] = {name: [] for name in together}
        for group in by_image(samples):
            if protocol.joined:
                group = join_sentences(group)
            parts = {name: perturb(name, group, seed, strangers) for name in together}
            changed = [sample for part in parts.values() for sample in part]
            # sentences were joined above: ``changed`` mixes those of several perturbations
            rule = replace(protocol, joined=False)
            records = iter(measure_image(framed, changed, rule, None) if changed else ())
            for name, part in parts.items():
                some = islice(records, len(part))
                measured[name] += [one if one.id in kept else replace(one, prediction=_size(one)) for one in some]
            if progress:
                progress(together)
        for name, records in measured.items():
            found[name] = records
            if store:
                store.write(name, records)
    return {name: found[name] for name in (CLEAN, *names)}


def perturb(name: str, group: Sequence[Sample], seed: int, strangers: Sequence[tuple[str, str]] = ()) -> list[Sample]:
    """An image's samples under a perturbation; unchanged for ``CLEAN``."""
    return list(group) if name == CLEAN else PERTURBATIONS[name](group, seed, strangers)


def sheet_samples(samples: SampleSource, seed: int) -> frozenset[str]:
    """The ids of the samples on the picture sheet: all samples of a few images, drawn by seed."""
    groups, ids = samples.image_groups(), samples.ids()
    drawn: list[int] = np.random.default_rng(seed).permutation(len(groups))[:_SHOWN].tolist()
    return frozenset(ids[number] for image in drawn for number in groups[image])


def summarise_robustness(records: Mapping[str, Sequence[Record]], conditions: str, *, seed: int) -> RobustnessResult:
    """The result of ``measure_robustness``'s records. conditions: the protocol's sentence."""
    clean = {record.id: record for record in records[CLEAN]}
    kinds: list[Perturbation] = [PERTURBATIONS[name] for name in records if name != CLEAN]
    retained = [retained_of(each.name, records[each.name], clean) for each in kinds if each.family != "nothing"]
    if "mirror" in records and "side-swap" in records:
        sided = {record.id for record in records["side-swap"]}
        row = retained_of(SIDED, [record for record in records["mirror"] if record.id in sided], clean)
        retained.insert([each.name for each in retained].index("mirror") + 1, row)
    return RobustnessResult(
        protocol=conditions,
        seed=seed,
        n=len(clean),
        images=len({record.image_id for record in clean.values()}),
        clean_oiou=_oiou(list(clean.values())),
        clean_miou=_mean([record.iou for record in clean.values()]),
        retained=tuple(retained),
        nothing=tuple(
            marked_of(each.name, records[each.name], list(clean.values())) for each in kinds if each.family == "nothing"
        ),
    )


def retained_of(name: str, changed: Sequence[Record], clean: Mapping[str, Record]) -> Retained:
    """The row of a perturbation, from its records and those of the unchanged sentences by id."""
    before = [clean[record.id] for record in changed]
    groups = [record.image_id for record in changed]
    columns = [[getattr(r, field) for r in each] for each in (changed, before) for field in ("intersection", "union")]
    unknown = (math.nan, math.nan)  # if the accuracy was 0 before
    ious, before_ious = [record.iou for record in changed], [record.iou for record in before]
    return Retained(
        name=name,
        n=len(changed),
        images=len(set(groups)),
        oiou=_oiou(changed),
        miou=_mean(ious),
        clean_oiou=_oiou(before),
        clean_miou=_mean(before_ious),
        retained_oiou=_ratio(_oiou(changed), _oiou(before)),
        retained_oiou_interval=bootstrap_interval(_share, columns, groups) if any(columns[2]) else unknown,
        retained_miou=_ratio(_mean(ious), _mean(before_ious)),
        retained_miou_interval=ratio_interval(ious, before_ious, groups) if any(before_ious) else unknown,
    )


def marked_of(name: str, changed: Sequence[Record], clean: Sequence[Record]) -> MarkedNothing:
    """The row of a perturbation whose sentences name nothing."""
    groups = [record.image_id for record in changed]
    images = set(groups)
    before = [record for record in clean if record.image_id in images]
    empty = [float(_pixels(record) == 0) for record in changed]
    return MarkedNothing(
        name=name,
        n=len(changed),
        images=len(images),
        empty=_mean(empty),
        empty_interval=ratio_interval(empty, [1.0] * len(empty), groups),
        marked=_mean([_marked(record) for record in changed]),
        clean_marked=_mean([_marked(record) for record in before]),
        score=_mean([record.score for record in changed]),
        clean_score=_mean([record.score for record in before]),
    )


def _share(shared: np.ndarray, union: np.ndarray, shared_before: np.ndarray, union_before: np.ndarray) -> np.ndarray:
    """oIoU divided by oIoU before."""
    return shared / union * union_before / shared_before


def _pixels(record: Record) -> int:
    """The predicted mask's number of pixels."""
    return record.union - record.area + record.intersection


def _marked(record: Record) -> float:
    height, width = record.prediction["size"]
    return _pixels(record) / (height * width)


def _size(record: Record) -> dict[str, Any]:
    """A prediction's size without its mask: all masks would take too much memory and disk."""
    return {"size": record.prediction["size"]}


def _oiou(records: Sequence[Record]) -> float:
    union = sum(record.union for record in records)
    return sum(record.intersection for record in records) / union if union else math.nan


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _ratio(changed: float, before: float) -> float:
    return changed / before if before else math.nan
