"""Images after the vision encoder, and the masks of sentences in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restr.inference.backends.base import Backend
from restr.inference.cache import FeatureCache
from restr.inference.explanation import WordAttention, explanations
from restr.inference.result import Result
from restr.inference.sources import ImageSource, image_name, read_image
from restr.preprocess import Framing, sigmoid
from restr.text.tokenizer import Sentence

_logger = logging.getLogger("restr")
_Segmenter = Any  # ``Segmenter``, whose module imports this one


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedImage:
    """An image that the vision encoder has read, ready for any number of sentences."""

    pixels: np.ndarray
    """uint8 (H W 3), as read."""
    features: Any
    """The output of the segmenter's backend, in the backend's own form."""
    name: str
    """The name of files made from this image."""


def read_and_encode(
    images: Sequence[ImageSource], backend: Backend, cache: FeatureCache, framing: Framing
) -> list[EncodedImage]:
    """Read images and run the image encoder, unless ``cache`` has an image's features.

    Images with the same input size are computed together.
    """
    backend.enter()
    read = [read_image(image) for image in images]
    keys = [cache.key(pixels, framing) for pixels in read]
    found = [cache.find(key) for key in keys]
    together: dict[tuple[int, int], list[int]] = {}
    for number, pixels in enumerate(read):
        if found[number] is None:
            together.setdefault(framing.input_size(pixels.shape[:2]), []).append(number)
    for numbers in together.values():
        batch = np.stack([framing.prepare(read[number]) for number in numbers])
        for number, found[number] in zip(numbers, backend.encode_images(batch), strict=True):
            cache.keep_features(keys[number], found[number])
    return [
        EncodedImage(pixels=pixels, features=features, name=image_name(image))
        for image, pixels, features in zip(images, read, found, strict=True)
    ]


def segment_encoded(
    segmenter: _Segmenter,
    image: EncodedImage,
    sentences: Sequence[Sentence],
    limits: tuple[float, float],
    attention: bool,
) -> list[Result]:
    """A result for each sentence, computed together. limits: the least probability of a pixel, and the least presence."""
    backend, config, framing = segmenter.backend, segmenter.config, segmenter.framing
    size = (image.pixels.shape[0], image.pixels.shape[1])
    words = [sentence.words for sentence in sentences]
    ids = segmenter.tokenizer.rows(words)
    explained: Sequence[WordAttention | None] = [None] * len(sentences)
    if attention:
        watched = backend.segment_with_attention(image.features, ids)
        output = watched.segmentation
        explained = explanations(watched, words, ids, size, framing)
    else:
        output = backend.segment(image.features, ids)
    presences = [None] * len(sentences) if output.presence is None else sigmoid(output.presence).tolist()
    results = []
    for (text, _), row, prob, presence, why in zip(
        sentences, ids, sigmoid(output.logits), presences, explained, strict=True
    ):
        if not (row > config.language.unknown_row).any():
            _logger.warning("the model knows none of the words of %r; the mask is a guess", text)
        results.append(
            Result(
                image=image.pixels,
                text=text,
                prob=framing.restore(prob[0], size),
                threshold=limits[0],
                name=image.name,
                attention=why,
                presence=presence,
                least_presence=limits[1],
                scoring=config.score,
            )
        )
    return results
