"""Segmenter: a loaded model with everything between a photograph and a sentence, and a mask."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, overload

import numpy as np

from restr.config import PreprocessConfig
from restr.errors import ConfigError, ImageError, TextError
from restr.fields import whole
from restr.inference.backends.base import Backend
from restr.inference.backends.opening import BACKENDS, open_exported
from restr.inference.cache import FeatureCache
from restr.inference.encoded import EncodedImage
from restr.inference.explanation import WordAttention, explanations
from restr.inference.exported import FACTS, ExportManifest
from restr.inference.locate import model_folder
from restr.inference.result import Result, thresholds
from restr.inference.sources import ImageSource, image_name, read_image
from restr.model.folder import VOCABULARY
from restr.preprocess import input_size, prepare, restore, sigmoid
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import UNKNOWN, Vocabulary

if TYPE_CHECKING:
    import torch

    from restr.model.restr import ReSTR

logger = logging.getLogger("restr")

KEPT_FEATURES = 2**26  # bytes; a photograph's at 480 pixels are about five million
TEXTS_AT_ONCE = 4  # more would only cost memory: the decoder's maps are as large as the image


class Segmenter:
    """Segments what a sentence names: ``segmenter(image, "the left dog") -> Result``.

    image: a path, the bytes of a file, a PIL image, or an array (H W 3); see ``restr.inference.sources``. The
    image encoder is most of the work and does not depend on the sentence, so give several sentences at once, or
    ``set_image`` once and ``predict`` often. Calls share no state but ``set_image``'s image.
    """

    def __init__(
        self,
        model: ReSTR | Backend,
        vocabulary: Vocabulary,
        *,
        device: str | torch.device = "auto",
        precision: str = "auto",
        cache_bytes: int = 0,
    ) -> None:
        """model and vocabulary belong together; ``from_pretrained`` loads both. A backend has chosen the rest itself.

        cache_bytes: how much of encoded images is kept for when they come again; none of a model that may still change.
        """
        if not isinstance(model, Backend):
            from restr.inference.backends.torch_backend import TorchBackend  # torch loads here

            model = TorchBackend(model, device=device, precision="fp32" if precision == "auto" else precision)
        self.backend: Backend = model
        self.config = model.config
        self.tokenizer = Tokenizer.of(vocabulary, model.config)
        self._cache = FeatureCache(cache_bytes)
        self._image: EncodedImage | None = None

    @classmethod
    def from_pretrained(
        cls,
        path: str | PathLike[str] | None = None,
        *,
        device: str | torch.device = "auto",
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        cache_bytes: int = KEPT_FEATURES,
    ) -> Segmenter:
        """A segmenter from a model folder or an export's, or a file in one; without a path, the bundled model.

        "hf:user/model" fetches a folder from the Hugging Face hub (extra ``hub``). What ``restr export`` wrote runs in
        the runtime that it was made for; torch is then needed only by torch's own.

        device: "auto" takes a GPU where there is one. backend: "auto", "torch", "onnx", "openvino", "torch-export",
        "aoti"; only an ONNX export leaves a choice, the second and third. precision: "fp32" or "bf16" for a model
        folder; an export has its own. threads: of the processor, for PyTorch those of the whole process; 0 leaves the choice
        to the runtime. cache_bytes: how much of encoded images is kept for when they come again. Raises ``WeightsError``
        and ``ConfigError``.
        """
        if backend not in BACKENDS:
            raise ConfigError(f"backend is {backend!r}; choose one of {', '.join(BACKENDS)}")
        for name, value in (("threads", threads), ("cache_bytes", cache_bytes)):
            if whole(value) is None or value < 0:
                raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 0")
        folder = model_folder(path)
        if (folder / FACTS).is_file():
            facts = ExportManifest.read(folder)
            runtime = open_exported(facts, device=str(device), backend=backend, precision=precision, threads=threads)
            return cls(runtime, Vocabulary.from_file(folder / VOCABULARY), cache_bytes=cache_bytes)
        if backend not in ("auto", "torch"):
            raise ConfigError(
                f"backend is {backend!r}, but {folder} is a model folder, which torch runs; export it first: "
                f"restr export {folder} --to {backend}"
            )
        try:
            import torch

            from restr.model.weights import load_pretrained
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{error.name} is not installed, and {folder} is a model folder; install torch, or pass what "
                "restr export wrote"
            ) from error

        if threads:
            torch.set_num_threads(threads)
        model, vocabulary = load_pretrained(folder)
        return cls(model, vocabulary, device=device, precision=precision, cache_bytes=cache_bytes)

    @property
    def model(self) -> ReSTR:
        """The PyTorch model. Raises ``ConfigError`` where an export takes its place."""
        model = getattr(self.backend, "model", None)
        if model is None:
            raise ConfigError(
                f"the backend is {self.backend.name!r}, which has no PyTorch model; load the model folder instead"
            )
        return model

    @property
    def device(self) -> torch.device:
        """Where the backend computes (a string, but for PyTorch)."""
        return self.backend.device

    def with_preprocess(self, preprocess: PreprocessConfig) -> Segmenter:
        """The same model behind other preprocessing, for an evaluation's protocol."""
        other = copy(self)
        other.config, other._image = replace(self.config, preprocess=preprocess), None
        return other

    @overload
    def __call__(
        self,
        image: ImageSource,
        text: str,
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        image: ImageSource,
        text: list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> list[Result]: ...

    def __call__(
        self,
        image: ImageSource,
        text: str | list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> Result | list[Result]:
        """What ``text`` names in ``image``: one text, one ``Result``; a list of texts, a list.

        threshold: least probability of the mask's pixels; the model's own (0.5) if not given. presence: least probability
        that anything is meant, below which the mask is empty; the model's own if not given, 0 always draws a mask.
        attention: also record which words made the mask (``Result.attention``). Raises ``ImageError`` and ``TextError``.
        """
        texts = self._texts(text)
        results = self._predict(self.encode(image), texts, threshold, presence, attention)
        return results[0] if isinstance(text, str) else results

    def set_image(self, image: ImageSource) -> None:
        """Encode an image for the ``predict`` calls that follow."""
        self._image = self.encode(image)

    @overload
    def predict(
        self, text: str, *, threshold: float | None = None, presence: float | None = None, attention: bool = False
    ) -> Result: ...

    @overload
    def predict(
        self,
        text: list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> list[Result]: ...

    def predict(
        self,
        text: str | list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> Result | list[Result]:
        """What ``text`` names in the image of ``set_image``; one text, one result, as when called."""
        if self._image is None:
            raise ImageError("predict has no image yet; call set_image(image) first, or segmenter(image, text)")
        results = self._predict(self._image, self._texts(text), threshold, presence, attention)
        return results[0] if isinstance(text, str) else results

    def encode(self, image: ImageSource) -> EncodedImage:
        """The image's half of the work, for ``predict_encoded``."""
        return self.encode_several([image])[0]

    def encode_several(self, images: Sequence[ImageSource]) -> list[EncodedImage]:
        """As ``encode`` for each; those that the model gets in the same size are computed together."""
        self.backend.enter()
        preprocess, patch = self.config.preprocess, self.config.vision.patch
        read = [read_image(image) for image in images]
        keys = [self._cache.key(pixels, preprocess) for pixels in read]
        found = [self._cache.get(key) for key in keys]
        together: dict[tuple[int, int], list[int]] = {}
        for number, pixels in enumerate(read):
            if found[number] is None:
                together.setdefault(input_size(pixels.shape[:2], preprocess, patch), []).append(number)
        for numbers in together.values():
            batch = np.stack([prepare(read[number], preprocess, patch) for number in numbers])
            for number, found[number] in zip(numbers, self.backend.encode_images(batch), strict=True):
                self._cache.put(keys[number], found[number])
        return [
            EncodedImage(pixels=pixels, features=kept, name=image_name(image))
            for image, pixels, kept in zip(images, read, found, strict=True)
        ]

    def predict_encoded(
        self,
        image: EncodedImage,
        texts: Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> list[Result]:
        """What each of ``texts`` names in an image from ``encode``; keeps no state, so many images can be open."""
        return self._predict(image, self._texts(texts), threshold, presence, attention)

    def _predict(
        self, image: EncodedImage, texts: list[str], threshold: float | None, presence: float | None, attention: bool
    ) -> list[Result]:
        self.backend.enter()
        preprocess, patch = self.config.preprocess, self.config.vision.patch
        threshold, least_presence = thresholds(self.config, threshold, presence)
        results, (height, width) = [], image.pixels.shape[:2]
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            ids, _ = self.tokenizer(some)
            explained: Sequence[WordAttention | None] = [None] * len(some)
            if attention:
                seen = self.backend.segment_with_attention(image.features, ids)
                said = seen.segmentation
                explained = explanations(seen, some, ids, image.pixels.shape, self.config, self.tokenizer)
            else:
                said = self.backend.segment(image.features, ids)
            there = [None] * len(some) if said.presence is None else sigmoid(said.presence).tolist()
            for text, row, prob, present, why in zip(some, ids, sigmoid(said.logits), there, explained, strict=True):
                if not (row > UNKNOWN).any():
                    logger.warning("the model knows none of the words of %r; the mask is a guess", text)
                result = Result(
                    image=image.pixels,
                    text=text,
                    prob=restore(prob[0], (height, width), preprocess, patch),
                    threshold=threshold,
                    name=image.name,
                    attention=why,
                    presence=present,
                    least_presence=least_presence,
                    scoring=self.config.score,
                )
                results.append(result)
        return results

    def _texts(self, text: str | Sequence[str]) -> list[str]:
        """The texts as a list, all checked before any work is done."""
        if not isinstance(text, (str, Sequence)) or isinstance(text, (bytes, bytearray, memoryview)):
            raise TextError(f"the text is {type(text).__name__} {text!r}; expected a string, or a list of strings")
        texts = [text] if isinstance(text, str) else list(text)
        if not texts:
            raise TextError("got no text; say what to segment, for example 'the dog on the left'")
        for each in texts:
            self.tokenizer.words(each)
        return texts
