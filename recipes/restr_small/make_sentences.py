"""Generate the sentences of a folder of photographs, one JSON line per photograph (resumable, seeded by name).

    python recipes/restr_small/make_sentences.py --photos runs/photos --out runs/sentences.jsonl

A line holds the photograph's name, its masks (COCO RLE) and its sentences with the masks that each one names.
Several processes can share the work: each takes its ``--part`` of ``--parts`` and an ``--out`` of its own.
"""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.progress import track

from restr.data.photos import load_photos
from restr.grammar.generate import references
from restr.grammar.meaning.description import Description, Reference
from restr.grammar.scene import PARTLY
from restr.grammar.words.categories import PERSON_PARTS
from restr.grammar.words.lexicon import HYPERNYMS
from restr.masks import rle_encode


@dataclass(frozen=True)
class Sentences:
    photos: Path
    out: Path
    split: str = "train"
    each: int = 40  # sentences per photograph, if it offers enough to say
    seed: int = 0
    garments: float = 0.4  # share kept of sentences for a garment: "red shirt" most often means who wears it
    hypernyms: float = 0.4  # share kept of sentences that say "vehicle" or "animal"
    part: int = 0  # this process' share of the work ...
    parts: int = 1  # ... of so many


def main(settings: Sentences) -> None:
    photos = load_photos(settings.photos, split=settings.split)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(settings.out)
    kinds: Counter[str] = Counter()
    with open(settings.out, "a", encoding="utf-8") as out:
        for i in track(range(settings.part, len(photos), settings.parts), description="sentences"):
            scene = photos[i]
            if scene.id in done:
                continue
            rng = np.random.default_rng((settings.seed, zlib.crc32(scene.id.encode())))
            # slivers stay rivals of what they resemble, but nobody would ask for one
            shown = {k for k, instance in enumerate(scene.instances) if PARTLY not in instance.attributes}
            found = [
                r for r in references(scene, rng, n=settings.each) if not r.targets or shown.intersection(r.targets)
            ]
            found = thin_out(found, rng, settings)
            kinds.update(r.kind for r in found)
            line = {
                "name": scene.id,
                "masks": [rle_encode(instance.mask) for instance in scene.instances],
                "sentences": [[r.text, list(r.targets), r.kind] for r in found],
            }
            out.write(json.dumps(line) + "\n")
    print(f"{sum(kinds.values())} sentences: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))


def finished(path: Path) -> set[str]:
    """The photographs that the file already has; an incomplete last line of a stopped run is cut off."""
    if not path.exists():
        return set()
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        os.truncate(path, sum(map(len, lines[:-1])))
        lines.pop()
    return {json.loads(line)["name"] for line in lines}


def thin_out(found: list[Reference], rng: np.random.Generator, settings: Sentences) -> list[Reference]:
    """Fewer of the sentences that a grammar makes more readily than people do."""

    def share(description: Description) -> float:
        if description.category in HYPERNYMS:
            return settings.hypernyms
        return settings.garments if description.category in PERSON_PARTS else 1.0

    return [reference for reference in found if rng.random() < share(reference.description)]


if __name__ == "__main__":
    main(tyro.cli(Sentences))
