"""Drawn scenes as people would have their own data: pictures, and a JSONL file with sentences and masks."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from restr.data.generated import GeneratedScenes
from restr.masks import rle_encode


def make_drawn(root: Path, splits: dict[str, range], per_scene: int = 2, size: int = 64) -> Path:
    """``mine.jsonl`` and ``images/`` below ``root``: for each split ("" for none) the scenes of these numbers."""
    (root / "images").mkdir(parents=True)
    lines = []
    scenes = GeneratedScenes(64, 3, size=size, per_scene=per_scene)
    for split, numbers in splits.items():
        for number in numbers:
            name = f"images/{split}{number}.png"
            Image.fromarray(scenes[number * per_scene].image).save(root / name)
            for sentence in range(per_scene):
                sample = scenes[number * per_scene + sentence]
                line = {"image": name, "text": sample.text, "mask": rle_encode(sample.mask)}
                lines.append(line | ({"split": split} if split else {}))
    (root / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root
