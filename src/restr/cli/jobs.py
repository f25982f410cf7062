"""The jobs of ``restr predict``: images with their texts, from files, folders, globs, JSONL or standard input."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from restr.errors import ImageError, UsageError
from restr.files import read_lines
from restr.inference.sources import SUFFIXES
from restr.pictures.embedded import is_data_uri

STDIN = "-"


@dataclass(frozen=True)
class PredictJob:
    """One image and the sentences to segment in it."""

    image: str
    """A path, a data: URI, or "-" for standard input."""

    texts: tuple[str, ...]
    """The sentences."""

    error: str | None = None
    """Why the image could not be listed; such a job fails without being tried."""


def split_arguments(words: Sequence[str], texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """(images, texts) from the positional words and the ``--text`` options.

    The last word is the text, unless ``--text`` was given or every word is a ``.jsonl``, which has its own texts.
    Raises ``UsageError`` if a word is missing, or an image stands in place of the text.
    """
    images, texts = list(words), list(texts)
    if not images:
        raise UsageError('the image and the text are missing: restr predict photo.jpg "the left dog"')
    if not texts and not all(word.endswith(".jsonl") for word in images):
        text = images.pop()
        if not images and _is_image(text):
            raise UsageError(f'the text is missing: restr predict {text} "what to segment"')
        if not images:
            raise UsageError(f'the image is missing: restr predict photo.jpg "{text}"')
        if _is_image(text):
            raise UsageError(
                f"the text is missing: the last word, {text!r}, is an image; put what to segment after it, in quotes "
                '(or as --text "...")'
            )
        texts = [text]
    missing = [word for word in images if not _exists(word)]
    if missing and len(words) > 2 and len(missing) == len(images) - 1 and not any(_looks_like_path(m) for m in missing):
        whole = " ".join([*missing, *texts])
        raise UsageError(f'no file is called {missing[0]!r}; if it is part of the text, use quotes: "{whole}"')
    return images, texts


def list_jobs(images: Sequence[str], texts: Sequence[str]) -> Iterator[PredictJob]:
    """The jobs of the command line in order. A word that cannot be listed becomes a job with an error."""
    for image in images:
        if image.endswith(".jsonl"):
            yield from _jobs_of_jsonl(Path(image), tuple(texts))
        else:
            try:
                yield from (PredictJob(file, tuple(texts)) for file in image_files(image))
            except (ImageError, OSError) as error:
                yield PredictJob(image, tuple(texts), error=str(error))


def image_files(image: str) -> list[str]:
    """The files that a file name, a folder or a glob means. Raises ``ImageError`` if there are none."""
    if image == STDIN or is_data_uri(image):
        return [image]
    if os.path.isdir(image):
        files = sorted(str(path) for path in Path(image).iterdir() if path.suffix.lower() in SUFFIXES)
        if not files:
            raise ImageError(f"the folder {image} holds no image ({', '.join(sorted(SUFFIXES))})")
        return files
    if glob.has_magic(image) and not os.path.exists(image):
        files = sorted(file for file in glob.glob(image, recursive=True) if os.path.isfile(file))
        if not files:
            raise ImageError(f"no file matches {image}")
        return files
    return [image]  # a missing file is reported when it is read, like a damaged one


def _jobs_of_jsonl(path: Path, texts: tuple[str, ...]) -> Iterator[PredictJob]:
    """A job for each line: {"image": path, relative to the file's folder, "text": a text or a list}."""
    try:
        lines = read_lines(path)
    except (OSError, UnicodeError) as error:
        yield PredictJob(str(path), texts, error=f"{path} cannot be read: {error}")
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            image = entry["image"]
            text = entry.get("text", texts)
            found = (text,) if isinstance(text, str) else tuple(text)
            if not isinstance(image, str) or not found or not all(isinstance(each, str) for each in found):
                raise ValueError("'image' and 'text' must be strings")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problem = f'line {number} is not {{"image": "a.jpg", "text": "the left dog"}} ({error})'
            yield PredictJob(f"{path}:{number}", texts, error=problem)
            continue
        yield PredictJob(image if is_data_uri(image) else str(path.parent / image), found)


def _is_image(word: str) -> bool:
    """Whether a word can only mean an image. A folder does not count: it may be named like the text."""
    return word == STDIN or is_data_uri(word) or os.path.isfile(word) or _looks_like_path(word)


def _looks_like_path(word: str) -> bool:
    return Path(word).suffix.lower() in SUFFIXES or word.endswith(("/", os.sep))


def _exists(word: str) -> bool:
    return word == STDIN or is_data_uri(word) or glob.has_magic(word) or os.path.exists(word)
