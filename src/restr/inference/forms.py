"""The forms of a result, in one table: for ``Result.save``, for ``restr predict --save`` and for the server.

A new form is one row of ``OUTPUT_FORMS`` and, if need be, a function. Checks, help texts and the server's OpenAPI
description read the table; a test asks for a row in docs/python.md, and for a mention in docs/server.md if it is sent.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restr import masks
from restr.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

# zlib's levels. Pictures in colour are as small at 3 as at 6 (-3% to +3%), in a third of the time; masks are not.
PNG_LEVELS = {"RGB": 3, "RGBA": 3}
# Takes a ``Result`` (whose module imports this one) and gives a PIL image, or values in JSON's types.
Make = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class OutputForm:
    """One form of a result: a picture, which becomes PNG, or JSON."""

    help: str
    """A short description."""

    file: Make | None = None
    """Makes the content of a file; None for a form that is not saved."""

    answer: Make | None = None
    """Makes the server's answer; None for a form that is not sent."""

    type: Any = str
    """The type of the server's answer; ``str`` for pictures, which are base64 there."""

    alias: str = ""
    """Another name that is accepted for files."""

    alone: bool = True
    """Whether each instance of a mask can have such a file of its own; else the whole result has one."""


OUTPUT_FORMS: dict[str, OutputForm] = {
    "mask": OutputForm(
        help="PNG, 255 inside.", file=lambda result: result.mask_image(), answer=lambda result: result.mask_image()
    ),
    "prob": OutputForm(
        help="PNG, the probability of each pixel, 255 is certain.",
        file=lambda result: result.prob_image(),
        answer=lambda result: result.prob_image(),
    ),
    "overlay": OutputForm(
        help="PNG, the image with the thing in colour.",
        file=lambda result: result.overlay(),
        answer=lambda result: result.overlay(caption=False),
    ),
    "cutout": OutputForm(
        help="PNG with transparency, cropped to the box.",
        file=lambda result: result.cutout(),
        answer=lambda result: result.cutout(),
    ),
    "heatmap": OutputForm(help="PNG, the probability in colour over the image.", file=lambda result: result.heatmap()),
    "attention": OutputForm(
        help="PNG, where each word looked.", file=lambda result: result.attention_strip(), alone=False
    ),
    "rle": OutputForm(
        help="COCO's compressed run lengths.",
        file=lambda result: result.rle,
        answer=lambda result: result.rle,
        type=dict[str, Any],
    ),
    "polygons": OutputForm(
        help="Outer outlines, x0, y0, x1, y1, ... each.",
        file=lambda result: {"size": list(result.mask.shape), "polygons": result.polygons},
        answer=lambda result: result.polygons,
        type=list[list[float]],
        alias="polygon",
    ),
    "instances": OutputForm(
        help="The mask's separate regions, each with score, box, area and run lengths.",
        file=lambda result: {"size": list(result.mask.shape), **result.instances().to_dict()},
        answer=lambda result: [instance.to_dict() for instance in result.instances()],
        type=list[dict[str, Any]],
        alone=False,
    ),
    "coco": OutputForm(
        help="A COCO document.",
        file=lambda result: coco_document([(result.name, coco_part(result))]),
        alone=False,
    ),
}
FILE_FORMS = tuple(name for name, form in OUTPUT_FORMS.items() if form.file)
PICTURE_ANSWERS = tuple(name for name, form in OUTPUT_FORMS.items() if form.answer and form.type is str)
# JSON first: a client that reads the list from the top takes the small forms
ANSWER_FORMS = (
    *(name for name, form in OUTPUT_FORMS.items() if form.answer and form.type is not str),
    *PICTURE_ANSWERS,
)
_SAVED = {name: form for known, form in OUTPUT_FORMS.items() if form.file for name in (known, form.alias) if name}


def check_file_forms(names: Sequence[str]) -> None:
    """Raises ``ConfigError`` for a form that a result cannot be saved in."""
    if isinstance(names, str):
        raise ConfigError(f"kinds is the string {names!r}; expected a list such as ['overlay', 'mask']")
    for name in names:
        if name not in _SAVED:
            raise ConfigError(f"cannot save {name!r}; choose from {', '.join(FILE_FORMS)}")


def file_content(result: Any, name: str) -> bytes:
    """The content of a result's file: PNG, or a line of JSON."""
    make = _SAVED[name].file
    assert make is not None  # by ``_SAVED``
    return _encoded(make(result))


def instance_contents(result: Any, names: Sequence[str]) -> dict[str, bytes]:
    """The files that a result's instances have beside its own: {"1.mask": PNG, "2.mask": PNG, ...}.

    In the place of a COCO file with one annotation there is one with an annotation for each instance.
    """
    found = result.instances()
    alone = [name for name in names if _SAVED[name].alone]
    files = {}
    for number, instance in enumerate(found if alone else [], 1):
        only = result.only(instance)
        files |= {f"{number}.{name}": file_content(only, name) for name in alone}
    if "coco" in names and found:
        files["coco"] = _encoded(coco_document([(result.name, coco_part(result, each)) for each in found]))
    return files


def _encoded(made: Any) -> bytes:
    return png_bytes(made) if hasattr(made, "save") else json.dumps(made).encode() + b"\n"


def answer_content(result: Any, name: str) -> Any:
    """A result in a form that the server sends: a PIL image, or values in JSON's types."""
    make = OUTPUT_FORMS[name].answer
    if make is None:
        raise ConfigError(f"{name!r} is not sent; choose from {', '.join(ANSWER_FORMS)}")
    return make(result)


def png_bytes(picture: Image.Image, *, fast: bool = False) -> bytes:
    """A picture as a PNG file. fast: with less compression, for files that are sent once."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1 if fast else PNG_LEVELS.get(picture.mode, 6))
    return buffer.getvalue()


def coco_part(result: Any, instance: Any = None) -> dict[str, Any]:
    """What ``coco_document`` needs of a ``Result``, or of one of its instances: small, where the result holds the image."""
    marked = result if instance is None else instance
    return {
        "size": [int(side) for side in result.mask.shape],
        "segmentation": marked.rle,
        "area": marked.area,
        "bbox": masks.box_xywh(marked.box) if marked.box else [0, 0, 0, 0],
        "score": round(marked.score, 4),
        "text": result.text,
    }


def coco_document(results: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """(file name, ``coco_part``) pairs as one COCO document: an annotation per result, its sentence under "text"."""
    images: dict[str, dict[str, Any]] = {}
    annotations = []
    for file_name, part in results:
        height, width = part["size"]
        image = images.setdefault(
            file_name, {"id": len(images) + 1, "file_name": file_name, "height": height, "width": width}
        )
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": image["id"],
                "category_id": 1,
                "segmentation": part["segmentation"],
                "area": part["area"],
                "bbox": part["bbox"],
                "iscrowd": 0,
                "score": part["score"],
                "text": part["text"],
            }
        )
    return {
        "images": list(images.values()),
        "annotations": annotations,
        "categories": [{"id": 1, "name": "referent"}],
    }
