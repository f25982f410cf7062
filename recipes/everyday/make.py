"""The everyday sentences as a dataset of their own: ``everyday.jsonl.gz``, and the numbers of its datasheet.

    python recipes/everyday/make.py --data DATA
    python recipes/everyday/make.py

DATA is the folder that ``restr eval --data everyday:DATA`` reads. Without it the file beside this script stays as it is, and
only the numbers in README.md are counted again, all of them from that file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from restr.data.entries.entry import JsonRecord, read_json
from restr.errors import DataError
from restr.files import write_atomically
from restr.formats.readers.everyday import DRAWN, SENTENCE_KINDS, SETS, EverydaySentence, read_sentences

HERE = Path(__file__).parent
FILE, DATASHEET = "everyday.jsonl.gz", "README.md"
BEGIN, END = "<!-- numbers: make.py counts them -->", "<!-- end of numbers -->"
BOX_SOURCES = ("coco", "ccp")  # under CC BY 4.0 and Apache-2.0
BOX_LICENCE = "MIT (repository"  # prefix of a repository in instances.json
WORD = re.compile(r"\w+(?:['’-]\w+)*")
SHORT = 20  # words; longer sentences share a row of the table

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Make:
    """Write the sentences and count what they are."""

    data: Path | None = None
    """Folder with photos, photos_more, photos_boxes and expressions (default: only count)."""

    out: Path = HERE
    """Folder of everyday.jsonl.gz and README.md."""


def main(settings: Make) -> None:
    """Write the file if ``data`` is given, then the numbers."""
    path, datasheet = settings.out / FILE, settings.out / DATASHEET
    if settings.data:
        lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows_of(settings.data))
        write_atomically(path, gzip.compress("".join(lines).encode(), 9, mtime=0))
    write_atomically(datasheet, with_numbers(datasheet.read_text(encoding="utf-8"), numbers(path)))
    print(f"{path}: {path.stat().st_size} bytes; its numbers are in {datasheet}")


def rows_of(data: Path) -> list[Row]:
    """The rows of the file, set by set, a photograph's together and in the order in which they were written."""
    categories = {name: categories_of(data / name / "instances.json") for name in SETS}
    sentences = sorted(read_sentences(data), key=lambda each: (SETS.index(each.photos), each.file_name))
    return [row_of(sentence, categories[sentence.photos]) for sentence in sentences]


def categories_of(path: Path) -> dict[int, str]:
    """The names of the categories by id."""
    return {
        each.integer("id"): each.text("name") for each in JsonRecord(read_json(path), str(path)).records("categories")
    }


def row_of(sentence: EverydaySentence, categories: dict[int, str]) -> Row:
    """A sentence as a row. The numbers of the sets' own annotations are left out: they are nobody else's."""
    image = sentence.image
    row: Row = {"set": sentence.photos}
    if image.text("source") == "coco":
        row["coco"] = image.integer("id")
    else:
        row |= {"source": image.text("source"), "file": sentence.file_name}
        row |= {name: image.text(name) for name in ("repo", "path") if name in image}
    row |= {"split": sentence.split, "kind": sentence.kind, "text": sentence.text}
    if not sentence.annotations or boxes_may_go(image):
        row["objects"] = [
            object_of(each, image, categories, drawn=sentence.photos == DRAWN) for each in sentence.annotations
        ]
    return row


def boxes_may_go(image: JsonRecord) -> bool:
    """Whether the licence of a photograph's annotations lets them be passed on."""
    return image.text("source") in BOX_SOURCES or image.text("licence", default="").startswith(BOX_LICENCE)


def object_of(annotation: JsonRecord, image: JsonRecord, categories: dict[int, str], *, drawn: bool) -> Row:
    """The objects of a sentence: category, its box (x, y, width, height) and its mask's area, as shares of the picture. A mask
    that a network drew has an area that nobody could compare."""
    width, height = image.integer("width"), image.integer("height")
    sides = (width, height, width, height)
    box = [round(value / side, 4) for value, side in zip(annotation.items("bbox"), sides, strict=True)]
    found: Row = {"category": categories[annotation.integer("category_id")], "box": box}
    if not drawn:
        found["area"] = round(annotation.integer("area") / (width * height), 4)
    return found


def read_rows(path: Path) -> list[Row]:
    """The rows of the published file."""
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().split("\n") if line]


def photograph_of(row: Row) -> tuple[str, Any]:
    """A key that identifies a row's photograph."""
    return row["set"], row.get("coco", row.get("file"))


def with_numbers(text: str, block: str) -> str:
    """The datasheet with its numbers replaced. Raises ``DataError`` if the marks for them are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{DATASHEET} has no {BEGIN} ... {END}; put both lines where the numbers belong")
    return f"{before}{BEGIN}\n\n{block}\n{END}{after}"


def numbers(path: Path) -> str:
    """Everything that the datasheet counts, as Markdown."""
    rows = read_rows(path)
    unpacked = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    sections = {
        "In all": [
            f"{len(rows):,} sentences about {len({photograph_of(row) for row in rows}):,} photographs; "
            f"`{path.name}` has {path.stat().st_size:,} bytes, and its text, unpacked, the SHA-256 `{unpacked}`."
        ],
        "By set": table("set", rows, lambda row: row["set"]),
        "By source of the photograph": table("source", rows, lambda row: row.get("source", "coco")),
        "Where the photographs are that are not COCO's": repositories(rows),
        "What a sentence means": meanings(rows),
        "Length": lengths(rows),
        "Vocabulary": vocabulary(rows),
        "Known faults": faults(rows),
    }
    return "\n".join(f"### {title}\n\n" + "\n".join(lines) + "\n" for title, lines in sections.items())


def table(name: str, rows: Sequence[Row], group: Callable[[Row], str]) -> list[str]:
    """Photographs, sentences, kinds and splits of each group, the largest first, and of all."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [
        f"| {name} | photographs | sentences | {' | '.join(SENTENCE_KINDS)} | train | val |",
        "|---|" + "---:|" * 7,
    ]
    for title, some in [*((f"`{key}`", some) for key, some in ranked), ("all", list(rows))]:
        kinds, splits = Counter(row["kind"] for row in some), Counter(row["split"] for row in some)
        counts = [len({photograph_of(row) for row in some}), len(some), *(kinds[kind] for kind in SENTENCE_KINDS)]
        counts += [splits["train"], splits["val"]]
        lines.append(f"| {title} | " + " | ".join(f"{count:,}" for count in counts) + " |")
    return lines


def repositories(rows: Sequence[Row]) -> list[str]:
    """The repositories of each source, and whether their boxes are here."""
    found: dict[str, set[str]] = defaultdict(set)
    placed = {row["source"] for row in rows if row.get("objects") and "source" in row}
    for row in rows:
        if "repo" in row:
            found[row["source"]].add(f"github.com/{row['repo']}")
    return [
        f"- `{source}`: {', '.join(sorted(repos))}{'' if source in placed else '; no boxes'}"
        for source, repos in sorted(found.items())
    ]


def meanings(rows: Sequence[Row]) -> list[str]:
    """How many objects sentences mean, how many photographs each split has, and how many rows come without boxes."""
    told = [row for row in rows if row["kind"] != "absent"]
    placed = [row for row in told if "objects" in row]
    objects = {(photograph_of(row), json.dumps(each)) for row in placed for each in row["objects"]}
    several = sum(len(row["objects"]) > 1 for row in placed if row["kind"] == "one")
    held = {split: len({photograph_of(row) for row in rows if row["split"] == split}) for split in ("train", "val")}
    per = Counter(photograph_of(row) for row in rows).values()
    return [
        f"- {held['train']:,} photographs are of `train`, {held['val']:,} of `val`.",
        f"- A photograph has {len(rows) / len(per):.1f} sentences on average, {min(per)} to {max(per)}.",
        f"- {len(placed):,} sentences say where what they mean is, {len(objects):,} objects of "
        f"{len({each['category'] for row in placed for each in row['objects']})} categories.",
        f"- {several:,} sentences of kind `one` list several objects: the garments of the person that they mean.",
        f"- {len(told) - len(placed):,} sentences mean something and have no `objects`, since their source states no licence.",
    ]


def lengths(rows: Sequence[Row]) -> list[str]:
    """How many words the sentences have."""
    counts = sorted(len(row["text"].split()) for row in rows)
    found = Counter(min(count, SHORT + 1) for count in counts)

    def share(part: float) -> int:
        return counts[min(int(part * len(counts)), len(counts) - 1)]

    cells = [f"| {size if size <= SHORT else f'over {SHORT}'} | {found[size]:,} |" for size in range(1, SHORT + 2)]
    return [
        f"Words between spaces: {sum(counts) / len(counts):.2f} on average, median {share(0.5)}, "
        f"90th percentile {share(0.9)}, 99th {share(0.99)}, most {counts[-1]}.",
        "",
        "| words | sentences |",
        "|---:|---:|",
        *cells,
    ]


def words_of(rows: Iterable[Row]) -> Counter[str]:
    """How often each word is used, in small letters."""
    return Counter(word for row in rows for word in WORD.findall(row["text"].lower()))


def vocabulary(rows: Sequence[Row]) -> list[str]:
    """How many words there are, and the most frequent."""
    words = words_of(rows)
    unseen = words_of(row for row in rows if row["split"] == "val")
    known = words_of(row for row in rows if row["split"] == "train")
    once = sum(count == 1 for count in words.values())
    new = sum(count for word, count in unseen.items() if word not in known)
    return [
        f"{len(words):,} different words in {words.total():,} (small letters, punctuation aside); {once:,} of them stand "
        f"once. {new:,} of the {unseen.total():,} words of `val` are in no sentence of `train`.",
        "",
        "The most frequent: " + ", ".join(f"{word} ({count:,})" for word, count in words.most_common(24)) + ".",
    ]


def faults(rows: Sequence[Row]) -> list[str]:
    """Sentences that a photograph has twice: the same again, or for something else."""
    said: dict[tuple[Any, str], list[str]] = defaultdict(list)
    for row in rows:
        meant = sorted(json.dumps(each) for each in row.get("objects", []))
        said[photograph_of(row), row["text"].lower()].append(json.dumps(meant))
    twice = [meanings for meanings in said.values() if len(meanings) > 1]
    contrary = sum(len(set(meanings)) > 1 for meanings in twice)
    return [
        f"In {len(twice)} cases a photograph has the same words twice, in {contrary} of them for different things, so that one "
        "at least is wrong. They are left in, as written."
    ]


if __name__ == "__main__":
    main(tyro.cli(Make, description=__doc__))
