"""The forms in which regions are stored, and their masks.

A region is a dict with one of these keys:

``rle``       COCO run lengths, compressed or not: {"size": [H, W], "counts": ...}
``polygons``  COCO polygons [[x0, y0, x1, y1, ...], ...]; those of ``without``, if any, are cut out
``box``       [x, y, width, height]
``file``      the name of a picture of the mask, see ``restr.data.entries.mask_pictures``; in a picture of labels the
              pixels equal to ``value`` belong to the region
``mat``       a MATLAB file; ``zero`` says that the region is where its array is 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from restr.data.entries.mask_pictures import pixels_of_class, region_pixels
from restr.data.entries.matlab import matrices_in
from restr.data.opener import Opener
from restr.errors import DataError, DatasetError
from restr.masks import rle_decode, rle_lengths
from restr.pictures.reading import open_picture

_FORMS = ("rle", "polygons", "box", "file", "mat")
_DAMAGE = (DataError, KeyError, TypeError, ValueError, OverflowError, IndexError, OSError, MemoryError)
THREE_POINTS = 6  # numbers


def mask_of(
    regions: Sequence[dict[str, Any]], size: tuple[int, int], files: Opener, where: str, *, summed: bool = False
) -> np.ndarray:
    """The union of regions as bool (H W). Raises ``DatasetError`` naming ``where`` for a damaged region.

    summed: reproduce a bug of the field, for comparison only. The REFER reader sums the polygons of a region and its
    users keep pixels that equal 1, so that pixels under two polygons are lost.
    """
    mask = np.zeros(size, bool)
    for region in regions:
        try:
            part = (
                _polygons(region["polygons"], size, summed=True)
                if summed and "polygons" in region
                else _region_mask(region, size, files)
            )
        except DatasetError:
            raise
        except _DAMAGE as error:
            raise DatasetError(f"{where}: a region cannot be read ({error}); the annotation is damaged") from error
        if part.shape != size:
            raise DatasetError(
                f"{where}: a region is of a picture of {part.shape}, the picture is {size}; mask and picture must "
                "be of one size (is the picture turned by its EXIF data, or resized?)"
            )
        mask |= part
    return mask


def _region_mask(region: dict[str, Any], size: tuple[int, int], files: Opener) -> np.ndarray:
    """One region as bool (H W), in its own size if it has one, else in ``size``."""
    if "rle" in region:
        return rle_decode(region["rle"])
    if "polygons" in region:
        mask = _polygons(region["polygons"], size)
        return mask & ~_polygons(region["without"], size) if region.get("without") else mask
    if "box" in region:
        return _box(region["box"], size)
    if "file" in region:
        return _picture(files, region["file"], region.get("value"))
    if "mat" in region:
        return _matlab(files, region["mat"], bool(region.get("zero")))
    raise DataError(f"its form is {sorted(region)}; expected one of {', '.join(_FORMS)}")


def check_region(region: dict[str, Any], where: str) -> None:
    """Check a region's numbers without making its mask or opening a file. Raises ``DatasetError`` naming ``where``."""
    try:
        if "rle" in region:
            rle_lengths(region["rle"])
        for polygon in [*region.get("polygons", ()), *region.get("without", ())]:
            _points(polygon)
        if "box" in region:
            _corners(region["box"])
    except _DAMAGE as error:
        raise DatasetError(f"{where}: the region cannot be read ({error}); the annotation is damaged") from error


def _polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int], *, summed: bool = False) -> np.ndarray:
    """Polygons filled by pycocotools, for the same masks as everyone's. A part of one or two points covers nothing."""
    try:
        from pycocotools import mask as coco
    except ImportError as error:
        raise DatasetError("polygons need pycocotools; run: pip install 'restr[data]'") from error
    flat: list[Any] = [points for points in map(_points, polygons) if len(points) >= THREE_POINTS]
    if not flat:
        return np.zeros(size, bool)
    counts = np.zeros(size, np.int64)
    for run in coco.frPyObjects(flat, *size):
        counts += rle_decode(dict(run))
    return counts == 1 if summed else counts > 0


def _points(polygon: Sequence[float]) -> list[float]:
    """A polygon's numbers. Raises ``DataError`` unless they are x, y of points in a picture."""
    points = np.asarray(polygon, np.float64).reshape(-1)
    if not len(points) or len(points) % 2:
        raise DataError(f"a polygon has {len(points)} numbers; expected x, y of three points at least")
    if not np.isfinite(points).all() or np.abs(points).max() > 1 << 20:
        raise DataError("a polygon has a point that is in no picture")
    return points.tolist()


def _box(box: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    x, y, width, height = _corners(box)
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    return (columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in box)
    if not np.isfinite([x, y, width, height]).all() or width < 0 or height < 0:
        raise DataError(f"the box is {list(box)}; expected x, y, width, height")
    return x, y, width, height


def _picture(files: Opener, name: str, value: int | None) -> np.ndarray:
    try:
        with files.open(name) as file, open_picture(file, "it") as picture:
            where = files.where(name)
            return region_pixels(picture, where) if value is None else pixels_of_class(picture, value, where)
    except FileNotFoundError as error:
        raise DatasetError(f"there is no mask {files.where(name)}; is the dataset complete?") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"the mask {files.where(name)} cannot be read ({error}); fetch it again") from error


def _matlab(files: Opener, name: str, zero: bool) -> np.ndarray:
    """The only matrix of a .mat file (SAIAPR: ``segimg_t``, 0 inside the region)."""
    path = files.where(name)
    try:
        with files.open(name) as file:
            arrays = [array for array in matrices_in(file.read(), path).values() if array.ndim == 2]
    except FileNotFoundError as error:
        raise DatasetError(f"there is no mask {path}; is the dataset complete?") from error
    except (DataError, OSError) as error:
        raise DatasetError(f"the mask {path} cannot be read ({error}); fetch it again") from error
    if len(arrays) != 1:
        raise DatasetError(f"the mask {path} holds {len(arrays)} matrices; expected one")
    return arrays[0] == 0 if zero else arrays[0] > 0
