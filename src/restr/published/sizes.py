"""The published sizes of the benchmarks: how many sentences, refs and pictures each split has.

Every number has a source below; a number without one is None, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class SplitSize:
    """What a split holds; None where no number is confirmed."""

    expressions: int | None = None
    """Sentences, each a sample."""

    refs: int | None = None
    """Regions that are referred to; each has one sentence or more."""

    pictures: int | None = None
    """Photographs."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkSize:
    """The published size of a benchmark under one splitter."""

    splits: Mapping[str, SplitSize]
    """Split -> its size."""

    expressions: int | None = None
    """Sentences of all splits together, where the splits' own numbers are not all known."""

    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Split -> the splits of a copy whose samples its number counts, where these are not just the split itself."""

    source: str
    """Where the numbers come from."""


def _splits(**sizes: tuple[int | None, int | None, int | None]) -> dict[str, SplitSize]:
    """Split -> (expressions, refs, pictures)."""
    return {
        name: SplitSize(expressions=expressions, refs=refs, pictures=pictures)
        for name, (expressions, refs, pictures) in sizes.items()
    }


_REFER = "expressions: Yu et al. 2016 and the papers since; refs and pictures: tensorflow.org/datasets/catalog/ref_coco"
_TFDS = "refs and pictures: tensorflow.org/datasets/catalog/ref_coco; expressions: not confirmed"

# NAME or NAME:SPLITTER, as ``restr data check`` takes it.
SIZES: dict[str, BenchmarkSize] = {
    "refcoco:unc": BenchmarkSize(
        splits=_splits(
            train=(120_624, 42_404, 16_994),
            val=(10_834, 3_811, 1_500),
            testA=(5_657, 1_975, 750),
            testB=(5_095, 1_810, 750),
        ),
        source=_REFER,
    ),
    "refcoco:google": BenchmarkSize(
        splits=_splits(train=(None, 40_000, 19_213), val=(None, 5_000, 4_559), test=(None, 5_000, 4_527)),
        source=_TFDS,
    ),
    "refcoco+:unc": BenchmarkSize(
        splits=_splits(
            train=(120_191, 42_278, 16_992),
            val=(10_758, 3_805, 1_500),
            testA=(5_726, 1_975, 750),
            testB=(4_889, 1_798, 750),
        ),
        source=_REFER,
    ),
    "refcocog:umd": BenchmarkSize(
        splits=_splits(train=(80_512, 42_226, 21_899), val=(4_896, 2_573, 1_300), test=(9_602, 5_023, 2_600)),
        source=_REFER,
    ),
    "refcocog:google": BenchmarkSize(
        splits=_splits(train=(85_474, 44_822, 24_698), val=(9_536, 5_000, 4_650)),
        source="expressions: as counted in github.com/kdwonn/SaG/issues/4; refs and pictures: "
        "tensorflow.org/datasets/catalog/ref_coco. The paper's 104,560 expressions include some that the release lacks",
    ),
    "grefcoco:unc": BenchmarkSize(
        splits=_splits(train=(209_344, None, None)),
        expressions=259_859,
        source="github.com/henghuiding/gRefCOCO/issues/6: the paper's 278,232 include some that its authors hold back",
    ),
    "referit": BenchmarkSize(
        splits=_splits(trainval=(59_976, None, None), test=(60_105, None, None)),
        parts={"trainval": ("train", "val")},
        source="the natural-language retrieval release; later papers count 54,127 + 5,842 and 60,103",
    ),
    "phrasecut": BenchmarkSize(
        splits=_splits(train=(310_816, None, 71_746), val=(20_316, None, 2_971), test=(14_354, None, 2_545)),
        parts={"val": ("val", "miniv")},
        source="github.com/ChenyunWu/PhraseCutDataset: val's number counts miniv, which is a file of its own; the first "
        "version had 308,893 / 20,350 / 18,980",
    ),
    "reasonseg": BenchmarkSize(
        splits=_splits(train=(None, None, 239), val=(None, None, 200), test=(None, None, 779)),
        source="Lai et al. 2024 (LISA), section 3",
    ),
}
