"""What is left of a model's accuracy when sentences or pictures are changed, and what it marks when nothing is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from restr.data.sample import Sample, SampleSource
from restr.errors import DataError
from restr.evaluation.evaluate import Record, Reframable, measure_image
from restr.evaluation.grouping import by_image, join_sentences
from restr.evaluation.journal import refuse_others
from restr.evaluation.protocol import EvalProtocol
from restr.evaluation.robustness.perturbations import CLEAN, PERTURBATIONS, Perturbation, sentences_of_others
from restr.files import write_whole
from restr.metrics import bootstrap_interval, ratio_interval

_SHOWN = 4  # images of the picture sheet
SIDED = "mirror, sides only"  # the row of mirror over the sentences that side-swap changes
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Retained:
    """Accuracy on the ``n`` sentences that a perturbation changes, in [0, 1], that on the same ones unchanged (clean),
    and the one divided by the other, with 95% intervals (bootstrap over images, paired)."""

    name: str
    n: int
    images: int
    oiou: float
    miou: float
    clean_oiou: float
    clean_miou: float
    retained_oiou: float
    retained_oiou_interval: Interval
    retained_miou: float
    retained_miou_interval: Interval


@dataclass(frozen=True, kw_only=True)
class MarkedNothing:
    """What a model marks where nothing is named. empty: share of the masks that are empty; marked: mean share of the
    picture in the mask; score: mean. clean_marked, clean_score: those of the right sentences of the same images."""

    name: str
    n: int
    images: int
    empty: float
    empty_interval: Interval
    marked: float
    clean_marked: float
    score: float
    clean_score: float


@dataclass(frozen=True, kw_only=True)
class RobustnessResult:
    """clean: of all sentences as they are. retained and nothing: a row for each perturbation, of which there is one."""

    protocol: str
    seed: int
    n: int
    images: int
    clean_oiou: float
    clean_miou: float
    retained: tuple[Retained, ...]
    nothing: tuple[MarkedNothing, ...]


class Measured:
    """A folder's finished perturbations, a file of records each, with the facts that all of them depend on."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Open or begin one. Raises ``DataError`` where other facts are written there."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path, text = folder / "facts.json", json.dumps(dict(facts), indent=2, ensure_ascii=False) + "\n"
        if path.exists():
            refuse_others(_read(path), json.loads(text), f"{folder} holds measurements")
        write_whole(path, text)

    def names(self) -> list[str]:
        """The perturbations that are done, in the order of ``PERTURBATIONS``; ``CLEAN`` is not among them."""
        return [name for name in PERTURBATIONS if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether a perturbation, or ``CLEAN``, is done."""
        return self._path(name).exists()

    def read(self, name: str) -> list[Record] | None:
        """The records of a perturbation; None where it is not done."""
        if not self.has(name):
            return None
        try:
            return [Record(**record) for record in _read(self._path(name))["records"]]
        except (KeyError, TypeError) as error:
            raise DataError(f"{self._path(name)} is damaged ({error}); delete it to measure it again") from error

    def write(self, name: str, records: Sequence[Record]) -> None:
        """Keep the records of a perturbation that is done."""
        content = {"records": [asdict(record) for record in records]}
        write_whole(self._path(name), json.dumps(content, ensure_ascii=False) + "\n")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def passes(names: Sequence[str], done: Collection[str] = ()) -> list[list[str]]:
    """What is measured together: all that leaves the picture as it is, then each new picture by itself."""
    left = [name for name in (CLEAN, *names) if name not in done]
    same = [name for name in left if name == CLEAN or not PERTURBATIONS[name].new_picture]
    return [same] * bool(same) + [[name] for name in left if name not in same]


def measure(
    segmenter: Reframable,
    samples: SampleSource,
    names: Sequence[str],
    *,
    protocol: EvalProtocol,
    seed: int = 0,
    store: Measured | None = None,
    progress: Callable[[Sequence[str]], None] | None = None,
) -> dict[str, list[Record]]:
    """The records of the samples as they are (``CLEAN``) and under each perturbation of ``names``.

    An image is encoded once for itself and all its sentences, and once for each other picture made of it. Only the images
    of ``shown`` keep their predicted masks. store: what it holds is not measured again. progress: called after each image
    with the names of the pass.
    """
    found: dict[str, list[Record]] = {}
    for name in (CLEAN, *names):
        if store and (records := store.read(name)) is not None:
            found[name] = records
    kept = shown(samples, seed)
    framed = segmenter.with_framing(protocol.framing(segmenter.framing))
    strangers = sentences_of_others(samples, seed) if "unrelated" in names and "unrelated" not in found else []
    for together in passes(names, found):
        measured: dict[str, list[Record]] = {name: [] for name in together}
        for group in by_image(samples):
            if protocol.joined:
                group = join_sentences(group)
            parts = {name: perturbed(name, group, seed, strangers) for name in together}
            asked = [sample for part in parts.values() for sample in part]
            rule = replace(protocol, joined=False)  # done above, before sentences of several kinds stood side by side
            records = iter(measure_image(framed, asked, rule, None) if asked else ())
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


def perturbed(name: str, group: Sequence[Sample], seed: int, strangers: Sequence[tuple[str, str]] = ()) -> list[Sample]:
    """An image's samples under a perturbation, or as they are."""
    return list(group) if name == CLEAN else PERTURBATIONS[name](group, seed, strangers)


def shown(samples: SampleSource, seed: int) -> frozenset[str]:
    """The ids of the samples of the picture sheet: all those of a few images, drawn by seed."""
    groups, ids = samples.image_groups(), samples.ids()
    drawn: list[int] = np.random.default_rng(seed).permutation(len(groups))[:_SHOWN].tolist()
    return frozenset(ids[number] for image in drawn for number in groups[image])


def summarise(records: Mapping[str, Sequence[Record]], conditions: str, *, seed: int) -> RobustnessResult:
    """The result of ``measure``'s records. conditions: the protocol's sentence."""
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
    """What is left on the sentences that were changed."""
    before = [clean[record.id] for record in changed]
    groups = [record.image_id for record in changed]
    columns = [[getattr(r, field) for r in each] for each in (changed, before) for field in ("intersection", "union")]
    nowhere = (math.nan, math.nan)  # of nothing, no share is left
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
        retained_oiou_interval=bootstrap_interval(_share, columns, groups) if any(columns[2]) else nowhere,
        retained_miou=_ratio(_mean(ious), _mean(before_ious)),
        retained_miou_interval=ratio_interval(ious, before_ious, groups) if any(before_ious) else nowhere,
    )


def marked_of(name: str, changed: Sequence[Record], clean: Sequence[Record]) -> MarkedNothing:
    """What is marked for the sentences that name nothing."""
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
    """oIoU by oIoU before."""
    return shared / union * union_before / shared_before


def _pixels(record: Record) -> int:
    """Of the predicted mask."""
    return record.union - record.area + record.intersection


def _marked(record: Record) -> float:
    height, width = record.prediction["size"]
    return _pixels(record) / (height * width)


def _size(record: Record) -> dict[str, Any]:
    """A prediction's size without its pixels, which would fill a disk."""
    return {"size": record.prediction["size"]}


def _oiou(records: Sequence[Record]) -> float:
    union = sum(record.union for record in records)
    return sum(record.intersection for record in records) / union if union else math.nan


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _ratio(changed: float, before: float) -> float:
    return changed / before if before else math.nan


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); delete it to measure it again") from error
