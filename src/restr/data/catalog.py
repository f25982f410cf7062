"""Datasets by name: which files each needs, how it is read, and how large its splits are known to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from restr.data.dataset import Samples, indexed
from restr.data.entry import Entry
from restr.data.readers import listed, own, parquet, phrasecut, reasonseg, refer, referit
from restr.errors import DatasetError

COCO_IMAGES = "train2014/COCO_train2014_000000000009.jpg and 82,782 more: COCO's train2014 images, 13 GB"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A published dataset. splits: expressions in each, as its authors or the paper state; files: relative to the root."""

    title: str
    splitters: tuple[str, ...] = ()  # the first is the usual one
    splits: dict[str, dict[str, int]] = field(default_factory=dict)  # splitter -> split -> expressions
    images: str = COCO_IMAGES
    note: str = ""

    def files(self, name: str, splitter: str) -> tuple[str, ...]:
        """The annotation files, relative to the root."""
        if name == "grefcoco":
            return (f"{name}/grefs({splitter}).json", f"{name}/instances.json")
        if self.splitters:
            return (f"{name}/refs({splitter}).p", f"{name}/instances.json")
        return {
            "referit": ("referit_query_val.json", "referit_bbox.json"),
            "phrasecut": ("refer_val.json",),
            "reasonseg": ("val/",),
        }[name]


SAME_IMAGES = "the google split has images in both train and val, umd has not: never compare the two"
LAYOUTS: dict[str, Layout] = {
    "refcoco": Layout(
        title="RefCOCO (UNC)",
        splitters=("unc", "google"),
        splits={"unc": {"train": 120_624, "val": 10_834, "testA": 5_657, "testB": 5_095}},
    ),
    "refcoco+": Layout(
        title="RefCOCO+ (UNC+)",
        splitters=("unc",),
        splits={"unc": {"train": 120_191, "val": 10_758, "testA": 5_726, "testB": 4_889}},
    ),
    "refcocog": Layout(
        title="RefCOCOg (Gref)",
        splitters=("umd", "google"),
        splits={"umd": {"train": 80_512, "val": 4_896, "test": 9_602}},
        note=SAME_IMAGES,
    ),
    "refclef": Layout(title="RefCLEF", splitters=("unc", "berkeley"), images="saiapr_tc-12/: the SAIAPR TC-12 images"),
    "grefcoco": Layout(title="gRefCOCO", splitters=("unc",), note="several targets, or none"),
    "referit": Layout(
        title="ReferIt",
        splits={"": {"trainval": 59_976, "test": 60_105}},
        images="images/: the SAIAPR TC-12 images; mask/: a .mat file a region",
    ),
    "phrasecut": Layout(title="PhraseCut", images="images/: those Visual Genome images that the files name"),
    "reasonseg": Layout(title="ReasonSeg", images="the folders train, val and test, a .jpg and a .json a question"),
}
OWN: dict[str, Callable[[Path, Path], Iterable[Entry]]] = {
    "jsonl": own.read_jsonl,
    "csv": own.read_csv,
    "coco": own.read_coco,
    "refer": refer.read_refs_file,
    "labelstudio": own.read_label_studio,
    "cvat": own.read_cvat,
    "lists": listed.read_lists,
    "grouped": listed.read_grouped,
    "parquet": parquet.read_parquet,
}


def open_dataset(spec: str, root: str | Path = ".", *, summed: bool = False) -> Samples:
    """The samples that a name means.

    spec: ``NAME[:SPLITTER]:SPLIT`` of a published dataset ("refcoco:unc:testA", "refcocog:val" with the usual splitter,
    "referit:test"), or ``FORM:PATH[:SPLIT]`` of one's own ("jsonl:mine.jsonl", "coco:instances.json:val"). root: the folder that
    holds the dataset; own paths are relative to it. Raises ``DatasetError``.
    """
    root = Path(root)
    name, *rest = spec.split(":")
    if name in OWN and rest and rest[0]:
        path = root / rest[0]
        base = path if path.is_dir() else path.parent
        base = root if name in ("lists", "grouped", "parquet") else path.parent.parent if name == "refer" else base
        index = indexed(base, f"{name}-{path.stem}", _sources(path), lambda: OWN[name](base, path))
        return Samples(base, index, rest[1] if len(rest) > 1 else None, summed=summed)
    if name not in LAYOUTS or not rest:
        raise DatasetError(
            f"the dataset is {spec!r}; expected NAME:SPLIT with one of {', '.join(LAYOUTS)} (refcoco:unc:testA), or FORM:PATH "
            f"with one of {', '.join(OWN)} (jsonl:mine.jsonl)"
        )
    layout = LAYOUTS[name]
    splitter, split = (rest[0], rest[1]) if len(rest) > 1 else ("", rest[0])
    splitter = splitter or (layout.splitters or ("",))[0]
    if splitter and splitter not in layout.splitters:
        raise DatasetError(
            f"{name} has no splitter {splitter!r}; choose from {', '.join(layout.splitters) or 'none at all'}"
        )
    index = indexed(
        root,
        f"{name}-{splitter}" if splitter else name,
        _published_sources(root, name, splitter),
        lambda: read(root, name, splitter),
    )
    return Samples(root, index, split or None, summed=summed)


def read(root: Path, name: str, splitter: str) -> Iterable[Entry]:
    """All entries of a published dataset."""
    readers: dict[str, Callable[[Path], Iterable[Entry]]] = {
        "referit": referit.read_referit,
        "phrasecut": phrasecut.read_phrasecut,
        "reasonseg": reasonseg.read_reasonseg,
    }
    return readers[name](root) if name in readers else refer.read_refer(root, name, splitter)


def _sources(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix in (".json", ".parquet"))
    beside = path.parent / "instances.json"
    return [path, beside] if path.suffix == ".p" and beside.is_file() else [path]


def _published_sources(root: Path, name: str, splitter: str) -> list[Path]:
    if name == "referit":
        return sorted(root.glob("referit_*.json"))
    if name == "phrasecut":
        return sorted(root.glob("refer_*.json"))
    if name == "reasonseg":
        return sorted(root.glob("*/*.json"))
    return [refer.refs_file(root / name, splitter), root / name / "instances.json"]
