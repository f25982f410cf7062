"""Finds what is wrong with a dataset, before anybody trains on it or publishes numbers of it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.data.entries.entry import Entry
from restr.data.entries.left_out import BAD, LeftOut
from restr.data.entries.regions import mask_of
from restr.data.opener import Opener
from restr.errors import DatasetError, ImageError, UnreachableError
from restr.pictures.reading import read_picture
from restr.text.vocabulary import Vocabulary
from restr.text.words import find_words, normal

_BITS = np.array([byte.bit_count() for byte in range(256)], np.int16)
_LETTERS = re.compile(r"[^\W\d_]+")
_LONGEST = 20  # words of an expression that the paper's model reads; the bundled one reads 30
_NEAR = 4  # of 64 bits: two pictures count as the same if at most this many differ
_FOREIGN = 0.5  # the share of unknown words from which an expression of at least three words is reported

INCOMPLETE = "incomplete"  # a published benchmark, see restr.published.completeness
# Problems of a mask that leave its sentence without a use; a picture that cannot be read does so to all of its own.
_WITHOUT_MASK = {"unreadable", "size mismatch", "empty mask"}

_Entries = dict[str, dict[str, list[Entry]]]  # split -> picture -> its entries

# kind -> its meaning, in the order of a report
PROBLEM_KINDS = {
    BAD: "it cannot be read; the others are used",
    INCOMPLETE: "not the published size: numbers on this copy compare with no paper",
    "missing picture": "the file is not there",
    "unreadable": "the picture or its mask cannot be read",
    "size mismatch": "picture and annotation are not of one size",
    "empty mask": "a region is named, but no pixel belongs to it",
    "whole picture": "the mask covers nearly everything",
    "leak by name": "a picture is in two splits",
    "leak by look": "two splits have pictures that look the same",
    "duplicate": "a split has the same picture under two names",
    "same sentence": "one sentence names two different regions of a picture",
    "no words": "the expression holds no letters",
    "too long": f"the expression has more than {_LONGEST} words; the paper's model does not read the rest",
    "not English": "most of its words are unknown, or its letters are not Latin",
    "turned": "EXIF data turns the picture; do its masks know?",
}


@dataclass(frozen=True, kw_only=True)
class DatasetProblem:
    """One problem of a dataset."""

    kind: str
    """A key of ``PROBLEM_KINDS``."""
    split: str
    """The split of the entry."""
    entry: str
    """The id of the entry; empty if the picture has the problem."""
    image: str
    """The picture's path below the root."""
    detail: str = ""
    """More about it, for people."""


@dataclass(kw_only=True)
class CheckReport:
    """The results of a check."""

    splits: dict[str, dict[str, float]] = field(default_factory=dict)
    """The counts of each split, by name."""
    problems: list[DatasetProblem] = field(default_factory=list)
    """The problems found."""
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """The sample number of each entry that has a problem, by split and id."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Annotations that are neither samples nor problems, such as key points."""

    def counts(self) -> dict[str, int]:
        """The number of problems of each kind found, in the order of ``PROBLEM_KINDS``."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in PROBLEM_KINDS if found[kind]}

    def to_dict(self) -> dict[str, Any]:
        """The report in JSON's types."""
        return {
            "splits": self.splits,
            "counts": self.counts(),
            "problems": [asdict(each) for each in self.problems],
            "left_out": [asdict(each) for each in self.left_out],
        }


def check(
    samples: IndexedSamples, vocabulary: Vocabulary, *, progress: Callable[[int], None] | None = None
) -> CheckReport:
    """Read every picture and every mask once and report what is wrong.

    vocabulary: the words that are known to be English. progress: called with the number of entries of each picture.
    """
    report = CheckReport()
    entries: _Entries = defaultdict(lambda: defaultdict(list))
    numbers: dict[tuple[str, str], int] = {}
    for number in range(len(samples)):
        entry = samples.entry(number)
        entries[entry.split][entry.image].append(entry)
        numbers[entry.split, entry.id] = number
    hashes: dict[tuple[str, str], int] = {}
    for split, images in entries.items():
        areas: list[float] = []
        unusable = 0
        for image, group in images.items():
            looks, problems = _check_picture(samples.files, group, areas)
            report.problems += problems
            without = {problem.entry for problem in problems if problem.kind in _WITHOUT_MASK}
            unusable += len(group) if looks is None else len(without)
            if looks is not None:
                hashes[split, image] = looks
            for entry in group:
                report.problems += _check_expression(entry, vocabulary)
            report.problems += _same_sentence(group)
            if progress:
                progress(len(group))
        report.splits[split] = _counts(images, areas) | {"unusable": unusable}
    report.problems += _leaks_by_name(entries)
    report.problems += _same_looks(hashes)
    for each in samples.left_out():
        if each.bad:
            report.problems.append(DatasetProblem(kind=BAD, split="", entry="", image="", detail=each.detail))
        else:
            report.left_out.append(each)
    order = list(PROBLEM_KINDS)
    report.problems.sort(key=lambda problem: order.index(problem.kind))
    named = {(problem.split, problem.entry) for problem in report.problems if problem.entry}
    report.numbers = {each: numbers[each] for each in named}
    return report


def _counts(images: dict[str, list[Entry]], areas: list[float]) -> dict[str, float]:
    """The counts of a split. areas: the masks' shares of their pictures."""
    entries = [entry for group in images.values() for entry in group]
    return {
        "pictures": len(images),
        "expressions": len(entries),
        "mean words": float(np.mean([len(entry.text.split()) for entry in entries])),
        "median share of the picture": float(np.median(areas)) if areas else 0.0,
        "no target": sum(not entry.regions for entry in entries),
    }


def difference_hash(picture: Image.Image) -> int:
    """A difference hash of 64 bits: for each of 8 x 8 cells, whether it is darker than its right neighbour."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.LANCZOS), np.int16)
    bits = (small[:, 1:] > small[:, :-1]).flatten()
    return int(np.packbits(bits).view(">u8")[0])


def _problem(kind: str, entry: Entry, detail: str = "") -> DatasetProblem:
    """A problem of an entry."""
    return DatasetProblem(kind=kind, split=entry.split, entry=entry.id, image=entry.image, detail=detail)


def _check_picture(files: Opener, group: list[Entry], areas: list[float]) -> tuple[int | None, list[DatasetProblem]]:
    """A picture's hash, and the problems of the picture and its masks; adds the masks' shares of the picture to ``areas``."""
    first = group[0]
    try:
        with files.open(first.image) as file:
            picture = read_picture(file, files.where(first.image))
    except FileNotFoundError:
        return None, [_problem("missing picture", first, files.where(first.image))]
    except UnreachableError:
        raise
    except (DatasetError, ImageError, OSError) as error:
        return None, [_problem("unreadable", first, str(error))]
    problems = []
    if picture.orientation != 1:
        problems.append(_problem("turned", first, f"orientation {picture.orientation}"))
    height, width = picture.stored.shape[:2]
    for entry in group:
        problems += _check_mask(files, entry, (height, width), picture.upright.shape[:2], areas)
    return difference_hash(Image.fromarray(picture.upright)), problems


def _check_mask(
    files: Opener, entry: Entry, stored: tuple[int, int], upright: tuple[int, ...], areas: list[float]
) -> Iterator[DatasetProblem]:
    """The problems of a mask; adds its share of the picture to ``areas``. stored, upright: the picture's size (H, W) before
    and after its EXIF orientation is applied."""
    if entry.size not in (None, stored, upright):
        yield _problem("size mismatch", entry, f"the picture is {stored}, the annotation {entry.size}")
        return
    height, width = stored if entry.size == stored else upright
    try:
        mask = mask_of(entry.regions, (height, width), files, entry.id)
    except UnreachableError:
        raise
    except DatasetError as error:
        kind = "size mismatch" if "a region is of a picture of" in str(error) else "unreadable"
        yield _problem(kind, entry, str(error))
        return
    share = float(mask.mean())
    if entry.regions:
        areas.append(share)
    if entry.regions and not share:
        yield _problem("empty mask", entry, entry.text)
    elif share > 0.99:
        yield _problem("whole picture", entry, entry.text)


def _check_expression(entry: Entry, vocabulary: Vocabulary) -> Iterator[DatasetProblem]:
    """The problems of an expression's words."""
    words = find_words(_LETTERS, normal(entry.text))
    if not words:
        yield _problem("no words", entry, repr(entry.text))
        return
    if len(entry.text.split()) > _LONGEST:
        yield _problem("too long", entry, entry.text)
    latin = all(ord(letter) < 0x250 for word in words for letter in word)
    unknown = sum(word not in vocabulary and len(word) > 1 for word in words)
    if not latin or (len(words) >= 3 and unknown >= _FOREIGN * len(words)):
        yield _problem("not English", entry, entry.text)


def _same_sentence(group: list[Entry]) -> Iterator[DatasetProblem]:
    """Entries of one picture whose sentence names other regions than the same sentence before."""
    known: dict[str, Entry] = {}
    for entry in group:
        other = known.setdefault(" ".join(normal(entry.text).split()), entry)
        if other.regions != entry.regions:
            yield _problem("same sentence", entry, f"{entry.text!r}, also of {other.id}")


def _leaks_by_name(entries: _Entries) -> Iterator[DatasetProblem]:
    """Pictures that an earlier split has too."""
    seen: dict[str, str] = {}
    for split, images in entries.items():
        for image, group in images.items():
            other = seen.setdefault(image, split)
            if other != split:
                yield _problem("leak by name", group[0], f"also in {other}")


def _same_looks(hashes: dict[tuple[str, str], int]) -> Iterator[DatasetProblem]:
    """Pictures whose hash is near that of an earlier, different picture."""
    unique: dict[str, tuple[str, str]] = {}
    for split, image in hashes:
        unique.setdefault(image, (split, image))  # the same name in two splits is reported by name
    keys = list(unique.values())
    values = np.array([hashes[key] for key in keys], np.uint64)
    for place in range(1, len(keys)):
        differing = _BITS[(values[:place] ^ values[place]).view(np.uint8)].reshape(place, 8).sum(1)
        split, image = keys[place]
        for earlier in np.flatnonzero(differing <= _NEAR):
            other_split, other = keys[int(earlier)]
            kind = "duplicate" if other_split == split else "leak by look"
            elsewhere = f" in {other_split}" if other_split != split else ""
            detail = f"{int(differing[earlier])} of 64 bits differ from {other}{elsewhere}"
            yield DatasetProblem(kind=kind, split=split, entry="", image=image, detail=detail)
            break
