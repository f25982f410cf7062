"""Images after the vision encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from restr.inference.backends.base import Backend
from restr.inference.cache import FeatureCache
from restr.inference.sources import ImageSource, image_name, read_image
from restr.preprocess import Framing


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
