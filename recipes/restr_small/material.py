"""The material to pack: photographs with masks, and the sentences written or generated for them."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from packed import SETS, SIDE

from restr.errors import DataError
from restr.grammar.words.categories import PERSONAL_BAGS

VAL_SHARE = 33  # one in this many photographs with masks of its own is never trained on
PLACES = frozenset(  # a sentence with one of these may be wrong of a part of the photograph
    """left right middle center centre top bottom upper lower corner edge far near nearest closest furthest farthest
    first second third fourth fifth sixth seventh last front back behind background foreground biggest largest smallest
    bigger larger smaller tallest shortest taller shorter big small large little only other end side row between
    leftmost rightmost most least one both two three four five all outer inner central under above below over lower
    highest lowest next closer further away distance lft rt mid btm ctr pic picture photo image frame alone single no not
    without cut cropped half partial partially visible""".split()
)


@dataclass(frozen=True)
class Photograph:
    """where: set and file name; size: height, width; ``masks``: run lengths by annotation id; ``names``: category names by
    annotation id, of boxes too; complete: everything of the known categories is annotated."""

    where: tuple[str, str]
    size: tuple[int, int]
    complete: bool
    val: bool
    masks: dict[int, Any]
    names: dict[int, str]


class Sentence(NamedTuple):
    """photograph: its number; ids: annotations whose union is meant, none for an absent referent."""

    photograph: int
    ids: tuple[int, ...]
    text: str
    kind: str


def read_set(folder: Path, val_share: int = VAL_SHARE) -> list[Photograph]:
    """The photographs of a folder's split train; one in ``val_share`` of those with masks is held out, by its name.

    Raises ``DataError`` if the folder is not a set of photographs, or if one is larger than training keeps them.
    """
    if folder.name not in SETS:
        raise DataError(f"{folder} is not one of the sets {', '.join(SETS)}, by which training knows what is complete")
    path = folder / "instances.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {c["id"]: c["name"] for c in content["categories"]}
        of_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            of_image[annotation["image_id"]].append(annotation)
        images = [image for image in content["images"] if image["split"] == "train"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} cannot be read ({error!r}); expected COCO's form and a split for each image"
        ) from error
    found = []
    for image in images:
        own = of_image[image["id"]]
        size = image["height"], image["width"]
        if max(size) > SIDE:
            raise DataError(f"{path}: {image['file_name']} is {size[1]} x {size[0]}; resize it to {SIDE} at most")
        held_out = folder.name != "photos_boxes" and zlib.crc32(image["file_name"].encode()) % val_share == 0
        found.append(
            Photograph(
                where=(folder.name, image["file_name"]),
                size=size,
                complete=bool(image.get("complete", 1)) and "named_categories" not in image,
                val=held_out,
                masks={a["id"]: a["segmentation"] for a in own if a["segmentation"] is not None},
                names={a["id"]: names[a["category_id"]] for a in own},
            )
        )
    return found


def read_sentences(expressions: Path, generated: Sequence[Path], photographs: Sequence[Photograph]) -> list[Sentence]:
    """All sentences for these photographs, none twice of one; left-out ones are counted and printed.

    expressions: folder with everyday_train.jsonl and captions_train.jsonl; generated: gen-SET.jsonl of make_sentences.py.
    """
    place = {photograph.where: number for number, photograph in enumerate(photographs)}
    left_out: Counter[str] = Counter()
    seen: set[tuple[int, str]] = set()
    found = []
    for sentence in (*_written(expressions, place, left_out), *_generated(generated, photographs, place, left_out)):
        masks = photographs[sentence.photograph].masks
        key = sentence.photograph, sentence.text.lower()
        if key in seen:
            left_out["said before of the photograph"] += 1
        elif not all(i in masks for i in sentence.ids):
            left_out["of something without a mask"] += 1
        else:
            seen.add(key)
            found.append(sentence)
    if left_out:
        print("left out: " + ", ".join(f"{count} {reason}" for reason, count in left_out.most_common()))
    if not found:
        raise DataError(f"{expressions} and {len(generated)} generated files have no sentence for these photographs")
    return found


def _written(expressions: Path, place: dict[tuple[str, str], int], left_out: Counter[str]) -> Iterator[Sentence]:
    for name, default in (("everyday_train.jsonl", None), ("captions_train.jsonl", "caption")):
        for entry in _lines(expressions / name):
            where = entry["photos"], entry["image"]
            if where in place:
                ids = tuple(sorted(entry["instances"]))
                yield Sentence(place[where], ids, entry["text"], default or entry["kind"])
            else:
                left_out["of no photograph of these sets"] += 1


def _generated(
    paths: Sequence[Path], photographs: Sequence[Photograph], place: dict[tuple[str, str], int], left_out: Counter[str]
) -> Iterator[Sentence]:
    for path in paths:
        name = path.stem.removeprefix("gen-")
        if name not in SETS:
            raise DataError(f"{path} does not say of which photographs it is; name it gen-SET.jsonl, {', '.join(SETS)}")
        for entry in _lines(path):
            number = place.get((name, entry["name"]))
            if number is None:
                left_out["of no photograph of these sets"] += len(entry["sentences"])
            elif photographs[number].val:
                left_out["generated for held-out photographs"] += len(entry["sentences"])
            else:
                yield from _of_photograph(entry, photographs[number], number, left_out)


def _of_photograph(
    entry: dict[str, Any], photograph: Photograph, number: int, left_out: Counter[str]
) -> Iterator[Sentence]:
    """A line of make_sentences.py, its targets as annotation ids."""
    ids = list(photograph.names)
    of_target = [(i,) for i in ids]
    if len(entry["masks"]) == len(ids) + 1:  # a street photograph's wearer stands before the garments
        of_target = [tuple(i for i in ids if photograph.names[i] not in PERSONAL_BAGS), *of_target]
    for text, targets, _ in entry["sentences"]:
        chosen = tuple(sorted({i for target in targets for i in of_target[target]}))
        if chosen:
            yield Sentence(number, chosen, text, "generated")
        else:
            left_out["generated and of nothing"] += 1


def names_place(text: str) -> bool:
    """Whether a sentence says where, which of several, or how large: it may be wrong of a part of the photograph."""
    return not PLACES.isdisjoint(re.findall(r"[a-z]+", text.lower()))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: {error}; expected a JSON object per line") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); expected sentences, one JSON object per line") from error
