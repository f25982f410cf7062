"""Many pictures on a GPU: several are encoded in one call, while threads read the next ones and draw the last ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from copy import copy
from itertools import islice
from typing import Any

from restr.errors import ConfigError, RestrError
from restr.fields import as_int
from restr.inference.encoded import EncodedImage
from restr.inference.many.crew import in_order
from restr.inference.many.run import ManyResult
from restr.inference.many.shared import SharedBackend
from restr.inference.result import Result
from restr.inference.sources import read_image

_Segmenter = Any  # ``Segmenter``, whose module imports the package
_TEXTS = 4  # sentences at once; their maps are as large as the picture
_Read = tuple[int, Any, list[str], Any]  # number, image as given, texts, and its pixels, features or error


def predict_batched(
    segmenter: _Segmenter,
    items: Iterable[tuple[Any, list[str]]],
    *,
    batch: int,
    helpers: int,
    then: Callable[[list[Result]], list[Any]],
    threshold: float | None = None,
    presence: float | None = None,
) -> Generator[ManyResult, None, None]:
    """As ``Segmenter.predict_many``, with up to ``batch`` pictures of one input size in each call of the image encoder.

    Which pictures are computed together depends on their order alone. helpers: threads that read pictures, and as many
    that finish results. then: called with a few results at a time, what it makes of each is in ``ManyResult.made``.
    Raises ``ConfigError``.
    """
    for name, value in (("batch", batch), ("helpers", helpers)):
        if as_int(value) is None or value < 1:
            raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 1")
    stopped = threading.Event()
    served = copy(segmenter)
    served.backend = SharedBackend(segmenter.backend, 1, stopped)
    options = {"threshold": threshold, "presence": presence}

    def predict(each: _Read) -> ManyResult:
        index, image, texts, encoded = each
        if isinstance(encoded, Exception):
            return ManyResult(index=index, image=image, error=encoded)
        try:
            parts = [texts[first : first + _TEXTS] for first in range(0, len(texts), _TEXTS)]
            made = [one for part in parts for one in then(served.predict_encoded(encoded, part, **options))]
        except (RestrError, OSError) as error:
            return ManyResult(index=index, image=image, error=error)
        return ManyResult(index=index, image=image, made=made)

    given = ((index, image, texts) for index, (image, texts) in enumerate(items))
    read = in_order(_read, given, threads=helpers, window=batch + helpers, stopped=threading.Event())
    with closing(read):
        encoded = _encoded(served, read, batch)
        with closing(in_order(predict, encoded, threads=helpers, window=batch + helpers, stopped=stopped)) as found:
            yield from found


def _read(given: tuple[int, Any, list[str]]) -> _Read:
    index, image, texts = given
    if isinstance(image, Exception):
        return index, image, texts, image
    try:
        return index, image, texts, read_image(image)
    except (RestrError, OSError) as error:
        return index, image, texts, error


def _encoded(segmenter: _Segmenter, read: Iterator[_Read], batch: int) -> Iterator[_Read]:
    """The pictures with their features in place of their pixels."""
    while some := list(islice(read, batch)):
        pixels = [found for *_, found in some if not isinstance(found, Exception)]
        features = iter(_encode(segmenter, pixels))
        for index, image, texts, found in some:
            yield index, image, texts, found if isinstance(found, Exception) else next(features)


def _encode(segmenter: _Segmenter, pixels: list[Any]) -> list[EncodedImage | Exception]:
    """All at once; if a picture is refused, one by one, so that the others go on."""
    try:
        return list(segmenter.encode_several(pixels))
    except (RestrError, OSError) as error:
        if len(pixels) == 1:
            return [error]
        return [each for one in pixels for each in _encode(segmenter, [one])]
