"""Pack everything that training needs into a few files that can be carried to another machine.

    python recipes/restr_small/pack.py --data DATA --generated runs/gen-*.jsonl --parts runs/parts --out runs/packed

DATA holds the folders ``photos``, ``photos_more``, ``photos_boxes`` and ``expressions``. ``packed.py`` says what is written.
The other machine needs neither a tokenizer nor a COCO reader.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from material import Photograph, Sentence, names_place, read_sentences, read_set
from packed import KINDS, SETS, Table
from PIL import Image
from rich.progress import track
from words import choose_words, language_state, word_rows

from restr.errors import DataError
from restr.evaluation.robustness.rewording import mirror_sides
from restr.files import atomic_path, write_atomically
from restr.masks import rle_decode, rle_encode
from restr.model.weights import dequantise, load_pretrained, quantise, read_tensors, write_tensors
from restr.nn.patches import resize_positions
from restr.presets import restr_small
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import UNKNOWN, Vocabulary

WORDS = 22  # tokens of a row; longer sentences lose their end in training
QUALITY = 52  # of WebP


@dataclass(frozen=True, kw_only=True)
class Pack:
    """What to pack, and where to."""

    data: Path
    """Folder with the sets of photographs and expressions."""

    generated: tuple[Path, ...] = ()
    """Lines of make_sentences.py, named gen-SET.jsonl."""

    parts: Path = Path("runs/parts")
    """Of fetch.py: vision.safetensors, minilm, and vocab.txt for the words' order."""

    model: Path | None = None
    """A model folder to train further: the start is its words and its weights, not those of ``parts``."""

    people: Path | None = None
    """Text as people type it (sentences of ReferIt, one per line), for the choice of words."""

    words: int = 9_780
    """Rows of the word table, at most."""

    sets: tuple[str, ...] = SETS
    """Which sets of photographs."""

    out: Path = Path("runs/packed")

    packs: tuple[int, ...] = (14 * 2**20, 57 * 2**20)
    """Most bytes of the first files of photographs; the last takes the rest."""


def main(settings: Pack) -> None:
    """Raises ``DataError`` or ``WeightsError`` if something is missing."""
    settings.out.mkdir(parents=True, exist_ok=True)
    photographs = [p for name in settings.sets for p in read_set(settings.data / name)]
    sentences = read_sentences(settings.data / "expressions", settings.generated, photographs)
    vocabulary = write_start(settings, [s.text for s in sentences])
    print(f"{len(photographs)} photographs, {len(sentences)} sentences, {len(vocabulary)} rows of words")
    masks = write_sentences(photographs, sentences, vocabulary, settings.out)
    write_masks(photographs, masks, settings.out / "masks.json.gz")
    write_photographs([settings.data / p.where[0] / "images" / p.where[1] for p in photographs], settings)


def write_start(settings: Pack, texts: Sequence[str]) -> Vocabulary:
    """Write ``vocab.txt`` and ``start.safetensors``: the pre-trained tensors under the model's names, in int8."""
    parts, minilm, path = settings.parts, settings.parts / "minilm", settings.out / "start.safetensors"
    if settings.model is not None:
        model, vocabulary = load_pretrained(settings.model)
        vocabulary.save(settings.out / "vocab.txt")
        write_tensors(quantise(model.state_dict()), path)
        return vocabulary
    frequent = (parts / "vocab.txt").read_text(encoding="utf-8").split()
    people = settings.people.read_text(encoding="utf-8") if settings.people else ""
    vocabulary = choose_words(texts, frequent, minilm, settings.words, people)
    vocabulary.save(settings.out / "vocab.txt")
    config = restr_small(vocab=len(vocabulary))
    state = {f"vision.{k}": v for k, v in dequantise(read_tensors(parts / "vision.safetensors")).items()}
    positions, side = state["vision.pos_embed"], config.vision.grid
    state["vision.pos_embed"] = torch.cat([positions[:, :1], resize_positions(positions[:, 1:], (side, side))], dim=1)
    state |= {f"language.{k}": v for k, v in language_state(minilm, config.language).items()}
    state["language.vectors.weight"] = word_rows(minilm, vocabulary)
    write_tensors(quantise(state), path)
    return vocabulary


# Things that a photograph may show without a mask if its source annotates only a few kinds.
EVERYWHERE = tuple(
    "person,chair,couch,bed,bench,bottle,cup,bowl,dining table,potted plant,car,truck,book,handbag,backpack,tie,cell phone,tv,"
    "umbrella,bird,clock,vase".split(",")
)
Masks = dict[tuple[int, tuple[int, ...]], int]  # (photograph, annotation ids) -> number of their union


def write_sentences(
    photographs: Sequence[Photograph], sentences: Sequence[Sentence], vocabulary: Vocabulary, out: Path
) -> Masks:
    """Write the table, and texts.json to look things up; returns the masks that the sentences mean."""
    tokenizer = Tokenizer(vocabulary, WORDS, full=True)
    categories = sorted({name for p in photographs for name in p.names.values()})
    index = {name: k for k, name in enumerate(categories)}
    masks: Masks = {}
    columns: dict[str, list[Any]] = defaultdict(list)
    for number, ids, text, kind in track(sentences, description="words"):
        turned = mirror_sides(text)
        row = tokenizer([text])[0]
        columns["ids"].append(row)
        columns["mirrored"].append(np.zeros_like(row) if turned is None else tokenizer([turned])[0])
        columns["photo"].append(number)
        columns["mask"].append(masks.setdefault((number, ids), len(masks)) if ids else -1)
        columns["kind"].append(KINDS.index(kind))
        columns["place"].append(names_place(text))
        columns["named"].append(index.get(named(text, {photographs[number].names.get(i, "") for i in ids}), -1))
    shows = np.zeros((len(photographs), len(categories)), bool)
    for i, photograph in enumerate(photographs):
        shows[i, [index[name] for name in shown(photograph) & index.keys()]] = True
    table = Table(
        ids=np.array(columns["ids"], np.uint16),
        mirrored=np.array(columns["mirrored"], np.uint16),
        photo=np.array(columns["photo"], np.int32),
        mask=np.array(columns["mask"], np.int32),
        kind=np.array(columns["kind"], np.uint8),
        place=np.array(columns["place"], bool),
        named=np.array(columns["named"], np.int16),
        shows=shows,
        category=np.array(categories),
        complete=np.array([p.complete for p in photographs], bool),
        val=np.array([p.val for p in photographs], bool),
        size=np.array([p.size for p in photographs], np.int16),
        source=np.array([SETS.index(p.where[0]) for p in photographs], np.uint8),
        name=np.array([p.where[1] for p in photographs]),
    )
    with atomic_path(out / "sentences.npz") as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **vars(table))
    write_atomically(out / "texts.json", json.dumps([sentence.text for sentence in sentences]))
    kinds = Counter(columns["kind"])
    print(", ".join(f"{KINDS[k]} {n}" for k, n in sorted(kinds.items())) + f"; {len(masks)} masks")
    print(f"unknown words: {np.mean(table.ids == UNKNOWN):.4%} of all places")
    return masks


def shown(photograph: Photograph) -> set[str]:
    """The categories that a photograph shows, or may well show without a mask."""
    annotated = set(photograph.names.values())
    return annotated if photograph.where[1].startswith("coco_") else annotated | set(EVERYWHERE)


def named(text: str, categories: set[str]) -> str:
    """The one category that is meant, if the sentence says it; else ""."""
    name = categories.pop() if len(categories) == 1 else ""
    return name if name and re.search(rf"\b{re.escape(name)}s?\b", text.lower()) else ""


def write_masks(photographs: Sequence[Photograph], masks: Masks, path: Path) -> None:
    """The masks' photographs and run lengths, in order; several annotations become one mask."""
    lengths = []
    for number, ids in track(masks, description="masks"):
        rles = [photographs[number].masks[i] for i in ids]
        rle = rles[0] if len(rles) == 1 else rle_encode(np.logical_or.reduce([rle_decode(r) for r in rles]))
        if not isinstance(rle["counts"], str) or tuple(rle["size"]) != photographs[number].size:
            raise DataError(
                f"{photographs[number].where}, annotations {ids}: a mask of size {rle['size']}, not "
                f"{list(photographs[number].size)}, or not as compressed run lengths; convert it with restr.masks"
            )
        lengths.append([number, rle["counts"]])
    write_atomically(path, gzip.compress(json.dumps(lengths).encode(), 6))


def write_photographs(paths: Sequence[Path], settings: Pack) -> None:
    """WebP files one after the other in random order, so that the first files are a sample of all; and where each begins."""
    order = np.random.default_rng(0).permutation(len(paths)).tolist()
    index: list[list[int]] = [[] for _ in paths]
    packs: list[io.BytesIO] = [io.BytesIO()]
    with ThreadPoolExecutor(2) as pool:
        encoded = pool.map(encode, [paths[i] for i in order])
        for i, data in zip(order, track(encoded, total=len(paths), description="photographs"), strict=True):
            number = len(packs) - 1
            full = number < len(settings.packs) and packs[-1].tell() + len(data) > settings.packs[number]
            if full and packs[-1].tell():
                packs.append(io.BytesIO())
            index[i] = [len(packs) - 1, packs[-1].tell(), len(data)]
            packs[-1].write(data)
    for old in settings.out.glob("photos-*.bin"):
        old.unlink()
    for number, pack in enumerate(packs):
        write_atomically(settings.out / f"photos-{number}.bin", pack.getvalue())
    write_atomically(settings.out / "photos.json", json.dumps(index))


def encode(path: Path) -> bytes:
    """A photograph as WebP. Raises ``DataError`` if it cannot be read."""
    try:
        with Image.open(path) as picture:
            buffer = io.BytesIO()
            picture.convert("RGB").save(buffer, "WEBP", quality=QUALITY, method=4)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}), but instances.json lists it") from error
    return buffer.getvalue()


if __name__ == "__main__":
    main(tyro.cli(Pack, description=__doc__))
