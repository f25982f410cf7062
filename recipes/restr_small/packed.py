"""The packed data set, written by ``pack.py`` and read by ``train.py``: a few files that can be carried to another machine.

``photos-*.bin``: WebP files one after the other; ``photos.json``: [file, start, length] of each. ``masks.json.gz``:
[photograph, run lengths] of each mask. ``sentences.npz``: a ``Table``. ``start.safetensors`` and ``vocab.txt``: what training
starts from. A photograph whose file is not there is left out, so that a part of the data is a smaller data set.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from restr.errors import DataError
from restr.masks import rle_decode

SIDE = 480  # photographs and masks are kept on a square of this side, in its top left corner
MEAN_COLOUR = (124, 116, 104)  # around a photograph
SETS = ("photos", "photos_more", "photos_boxes")  # folders of photographs; of the last only boxes are complete
PHOTOS, PHOTOS_MORE, PHOTOS_BOXES = range(3)
KINDS = ("one", "group", "absent", "caption", "generated")
ONE, GROUP, ABSENT, CAPTION, GENERATED = range(5)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The facts about each sentence (s) and each photograph (p); c categories, l words."""

    ids: np.ndarray
    """uint16 (s l): rows of the word table, 0 is padding."""

    mirrored: np.ndarray
    """uint16 (s l): the sentence for the mirrored photograph; only padding if there is none."""

    photo: np.ndarray
    """int32 (s)."""

    mask: np.ndarray
    """int32 (s): -1 where nothing is meant."""

    kind: np.ndarray
    """uint8 (s): index in ``KINDS``."""

    place: np.ndarray
    """bool (s): may be wrong of a part of the photograph, as "left" and "biggest" are."""

    named: np.ndarray
    """int16 (s): the category that the sentence names and means, or -1."""

    shows: np.ndarray
    """bool (p c): which categories are annotated, or may well be there without a mask."""

    category: np.ndarray
    """str (c): their names."""

    complete: np.ndarray
    """bool (p): whether everything of the known categories is annotated."""

    val: np.ndarray
    """bool (p): never trained on."""

    size: np.ndarray
    """int16 (p 2): height and width."""

    source: np.ndarray
    """uint8 (p): index in ``SETS``."""

    name: np.ndarray
    """str (p): file name."""

    @classmethod
    def read(cls, path: Path) -> Table:
        """Raises ``DataError`` if the file is missing, damaged or of another version."""
        try:
            with np.load(path) as file:
                return cls(**{field.name: file[field.name] for field in fields(cls)})
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} cannot be read as a table ({error!r}); write it again with pack.py") from error


class Data(NamedTuple):
    """photos uint8 (p SIDE SIDE 3) and masks uint8 (m SIDE SIDE), both on the device; area (m): pixels of each mask;
    there bool (p): which photographs' files are there."""

    photos: Tensor
    masks: Tensor
    area: Tensor
    there: np.ndarray
    table: Table


def read_data(folder: Path, device: str, threads: int) -> Data:
    """Decode everything that ``pack.py`` wrote and put it on the device.

    Raises ``DataError`` if a file is missing or damaged, or if there is no photograph.
    """
    table = Table.read(folder / "sentences.npz")
    index: list[tuple[int, int, int]] = _read_json(folder / "photos.json")
    lengths: list[tuple[int, str]] = _read_json(folder / "masks.json.gz")
    packs = {k: folder / f"photos-{k}.bin" for k in {file for file, _, _ in index}}
    content = {k: path.read_bytes() for k, path in packs.items() if path.exists()}
    there = np.array([k in content for k, _, _ in index], bool)
    if not there.any():
        raise DataError(f"{folder} has none of {', '.join(p.name for p in packs.values())}; carry at least one of them")
    photos = np.zeros((len(index), SIDE, SIDE, 3), np.uint8)
    masks = np.zeros((len(lengths), SIDE, SIDE), np.uint8)

    def decode_photo(i: int) -> None:
        pack, start, length = index[i]
        try:
            with Image.open(BytesIO(content[pack][start : start + length])) as file:
                picture = np.asarray(file.convert("RGB"))
        except OSError as error:
            raise DataError(f"{packs[pack]}, byte {start}: no photograph ({error}); carry or pack it again") from error
        photos[i] = MEAN_COLOUR
        photos[i, : picture.shape[0], : picture.shape[1]] = picture

    def decode_mask(i: int) -> None:
        photo, counts = lengths[i]
        if there[photo]:
            height, width = (int(side) for side in table.size[photo])
            masks[i, :height, :width] = rle_decode({"size": [height, width], "counts": counts})

    with ThreadPoolExecutor(threads) as pool:
        _all(pool.map(decode_photo, np.flatnonzero(there).tolist()))
        _all(pool.map(decode_mask, range(len(lengths))))
    on_device = torch.from_numpy(photos).to(device), torch.from_numpy(masks).to(device)
    area = torch.cat([part.flatten(1).sum(1, dtype=torch.float32) for part in on_device[1].split(256)])
    return Data(*on_device, area, there, table)


def _read_json(path: Path) -> Any:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); write it again with pack.py") from error


def _all(results: Iterable[None]) -> None:
    """Wait for all, and raise the error of one of them."""
    for _ in results:
        pass
