"""COCO's form with ``expressions`` in its annotations, as many tools export it once sentences are added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from restr.data.entries.entry import Entry, JsonRecord, read_json
from restr.data.entries.left_out import LeftOut, Read, bad, count_notes, each_record, one_by_one
from restr.errors import DatasetError
from restr.formats.annotations.drawing import canvas_size
from restr.formats.annotations.pictures import PictureFinder, folders, subset_of
from restr.formats.readers.listed import checked_region, sentences_of


def read_coco(root: Path, path: Path) -> Iterator[Read]:
    """The entries of a file whose annotations have ``expressions`` (texts, or objects with a text) or, as CVAT exports
    them, ``attributes`` with an ``expression``. ``restr.formats.annotations.pictures`` finds its pictures."""
    return count_notes(_read(root, path))


def _read(root: Path, path: Path) -> Iterator[Read]:
    content = JsonRecord(read_json(path), str(path))
    images, problems, unusable = _images(content)
    yield from unusable
    pictures = PictureFinder(
        root, [name for image in images.values() if isinstance(name := image.values.get("file_name"), str)]
    )
    places = folders(root, path, subset_of(path))
    seen: set[str] = set()
    with_texts = 0

    def read(annotation: JsonRecord) -> Iterator[Read]:
        nonlocal with_texts
        texts = _texts(annotation)
        if not texts:
            yield LeftOut(what="annotation without expressions", detail=annotation.where)
            return
        with_texts += 1
        identity, image_id = _id(annotation, "id"), _id(annotation, "image_id")
        if image_id in problems:
            raise annotation.wrong("image_id", image_id, f"the id of one image in {path}; {problems[image_id]}")
        if image_id not in images:
            raise annotation.wrong("image_id", image_id, f"the id of an image in {path}")
        if identity in seen:
            raise annotation.wrong("id", identity, "an id that no earlier annotation has")
        image, region = images[image_id], checked_region(annotation)
        name, size = pictures.path(image.text("file_name"), places), _size(image)
        split = image.text("split", default=path.stem)
        for number, text in enumerate(texts):
            yield Entry(
                id=f"{identity}/{number}",
                image=name,
                text=text,
                regions=(region,),
                size=size,
                split=split,
                image_id=image_id,
            )
        seen.add(identity)

    yield from one_by_one(each_record(content.items("annotations"), f"{path}, annotations"), read)
    if not with_texts:
        raise DatasetError(
            f"no annotation of {path} has expressions; expected a list of texts in each annotation's field "
            "'expressions', or let "
            "restr generate sentences (docs/own-data.md)"
        )


def _images(content: JsonRecord) -> tuple[dict[str, JsonRecord], dict[str, str], list[LeftOut]]:
    """The images by id, the problems of ambiguous ids, and the images without a usable id."""
    unusable: list[LeftOut] = []
    images: dict[str, JsonRecord] = {}
    problems: dict[str, str] = {}
    for image in each_record(content.items("images"), f"{content.where}, images"):
        try:
            if isinstance(image, DatasetError):
                raise image
            identity = _id(image, "id")
        except DatasetError as error:
            unusable.append(bad(error))
            continue
        other = images.setdefault(identity, image)
        if other.values.get("file_name") != image.values.get("file_name"):
            both = [str(each.values.get("file_name")) for each in (other, image)]
            problems[identity] = f"{' and '.join(both)} both have the id {identity}"
    return images, problems, unusable


def _id(record: JsonRecord, name: str) -> str:
    """An id as text. 1, 1.0 and "1" are one id: table programs turn whole numbers into decimals."""
    found = record.text(name)
    whole, _, rest = found.partition(".")
    return whole if whole.lstrip("-").isdecimal() and rest and not rest.strip("0") else found


def _size(image: JsonRecord) -> tuple[int, int] | None:
    return canvas_size(image) if "height" in image and "width" in image else None


def _texts(annotation: JsonRecord) -> list[str]:
    if isinstance(annotation.values.get("expressions"), str):
        return [annotation.text("expressions")]
    if "expressions" in annotation:
        return sentences_of(annotation)
    attributes = annotation.values.get("attributes")
    text = attributes.get("expression") if isinstance(attributes, dict) else None
    return [text] if isinstance(text, str) and text.strip() else []
