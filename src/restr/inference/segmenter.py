"""Segmenter: a loaded model with everything between a photograph and a sentence, and a mask."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from restr.config import PreprocessConfig
from restr.errors import ConfigError, ImageError, TextError, WeightsError
from restr.inference.explanation import WordAttention
from restr.inference.result import Result
from restr.inference.sources import ImageSource, image_name, read_image
from restr.model.attention_maps import AttentionMaps, recorded
from restr.model.device import choose_device
from restr.model.restr import ReSTR
from restr.model.vision import PatchFeatures
from restr.model.weights import WEIGHTS, load_pretrained
from restr.preprocess import content_size, prepare, restore
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import UNKNOWN, Vocabulary

logger = logging.getLogger("restr")

BUNDLED = "restr_small"
HUB = "hf:"  # before a repository of the Hugging Face hub
TEXTS_AT_ONCE = 8  # more would only cost memory: the decoder's maps are as large as the image


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedImage:
    """An image that met the vision encoder and now waits for sentences. pixels: uint8 (H W 3)."""

    pixels: np.ndarray
    features: PatchFeatures
    name: str


class Segmenter:
    """Segments what a sentence names: ``segmenter(image, "the left dog") -> Result``.

    image: a path, the bytes of a file, a PIL image, or an array (H W 3); see ``restr.inference.sources``. The
    image encoder is most of the work and does not depend on the sentence, so give several sentences at once, or
    ``set_image`` once and ``predict`` often. Calls share no state but ``set_image``'s image.
    """

    def __init__(self, model: ReSTR, vocabulary: Vocabulary, *, device: str | torch.device = "auto") -> None:
        """model and vocabulary belong together; ``from_pretrained`` loads both."""
        self.device = choose_device(device)
        self.model = model.to(self.device).eval()
        self.config = model.config
        self.tokenizer = Tokenizer.of(vocabulary, model.config)
        self._image: EncodedImage | None = None

    @classmethod
    def from_pretrained(
        cls, path: str | PathLike[str] | None = None, *, device: str | torch.device = "auto"
    ) -> Segmenter:
        """A segmenter from a model folder, or the ``model.safetensors`` in one; without a path, the bundled model.

        "hf:user/model" fetches a folder from the Hugging Face hub (extra ``hub``).

        device: "auto" takes a GPU where there is one. Raises ``WeightsError``.
        """
        model, vocabulary = load_pretrained(model_folder(path))
        return cls(model, vocabulary, device=device)

    def with_preprocess(self, preprocess: PreprocessConfig) -> Segmenter:
        """The same model behind other preprocessing, for an evaluation's protocol."""
        other = copy(self)
        other.config, other._image = replace(self.config, preprocess=preprocess), None
        return other

    @overload
    def __call__(
        self, image: ImageSource, text: str, *, threshold: float | None = None, attention: bool = False
    ) -> Result: ...

    @overload
    def __call__(
        self,
        image: ImageSource,
        text: list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        attention: bool = False,
    ) -> list[Result]: ...

    def __call__(
        self,
        image: ImageSource,
        text: str | list[str] | tuple[str, ...],
        *,
        threshold: float | None = None,
        attention: bool = False,
    ) -> Result | list[Result]:
        """What ``text`` names in ``image``: one text, one ``Result``; a list of texts, a list.

        threshold: least probability of the mask's pixels; the model's own (0.5) if not given. attention: also record
        which words made the mask (``Result.attention``). Raises ``ImageError`` and ``TextError``.
        """
        texts = self._texts(text)
        results = self._predict(self.encode(image), texts, threshold, attention)
        return results[0] if isinstance(text, str) else results

    def set_image(self, image: ImageSource) -> None:
        """Encode an image for the ``predict`` calls that follow."""
        self._image = self.encode(image)

    @overload
    def predict(self, text: str, *, threshold: float | None = None, attention: bool = False) -> Result: ...

    @overload
    def predict(
        self, text: list[str] | tuple[str, ...], *, threshold: float | None = None, attention: bool = False
    ) -> list[Result]: ...

    def predict(
        self, text: str | list[str] | tuple[str, ...], *, threshold: float | None = None, attention: bool = False
    ) -> Result | list[Result]:
        """What ``text`` names in the image of ``set_image``; one text, one result, as when called."""
        if self._image is None:
            raise ImageError("predict has no image yet; call set_image(image) first, or segmenter(image, text)")
        results = self._predict(self._image, self._texts(text), threshold, attention)
        return results[0] if isinstance(text, str) else results

    @torch.inference_mode()
    def encode(self, image: ImageSource) -> EncodedImage:
        """The image's half of the work, for ``predict_encoded``."""
        pixels = read_image(image)
        values = prepare(pixels, self.config.preprocess, self.config.vision.patch)
        features = self.model.encode_image(torch.from_numpy(values)[None].to(self.device))
        return EncodedImage(pixels=pixels, features=features, name=image_name(image))

    def predict_encoded(
        self, image: EncodedImage, texts: Sequence[str], *, threshold: float | None = None, attention: bool = False
    ) -> list[Result]:
        """What each of ``texts`` names in an image from ``encode``; keeps no state, so many images can be open."""
        return self._predict(image, self._texts(texts), threshold, attention)

    @torch.inference_mode()
    def _predict(self, image: EncodedImage, texts: list[str], threshold: float | None, attention: bool) -> list[Result]:
        preprocess, patch = self.config.preprocess, self.config.vision.patch
        if threshold is None:
            threshold = preprocess.threshold
        if not 0.0 < threshold < 1.0:
            raise ConfigError(f"threshold is {threshold}; it must be between 0 and 1")
        height, width = image.pixels.shape[:2]
        results = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            ids, word_pad = (torch.from_numpy(array).to(self.device) for array in self.tokenizer(some))
            words = self.model.encode_words(ids, word_pad)
            with recorded(self.model.fusion, words.shape[1]) if attention else nullcontext() as recorder:
                logits = self.model.segment(image.features, words, word_pad).logits
            explained = self._explain(recorder.maps(), some, word_pad, image) if recorder else [None] * len(some)
            probs = logits.float().sigmoid().cpu().numpy()
            for text, row, prob, why in zip(some, ids, probs, explained, strict=True):
                if not (row > UNKNOWN).any():
                    logger.warning("the model knows none of the words of %r; the mask is a guess", text)
                full = restore(prob[0], (height, width), preprocess, patch)
                results.append(
                    Result(
                        image=image.pixels, text=text, prob=full, threshold=threshold, name=image.name, attention=why
                    )
                )
        return results

    def _explain(
        self, maps: AttentionMaps, texts: list[str], word_pad: Tensor, image: EncodedImage
    ) -> list[WordAttention]:
        """The recorded attention of each sentence, without its padding and without the picture's."""
        patch = self.config.vision.patch
        size = (image.pixels.shape[0], image.pixels.shape[1])
        height, width = (-(-side // patch) for side in content_size(size, self.config.preprocess, patch))
        found = []
        for text, pad, words, seed in zip(texts, word_pad, maps.words, maps.seed, strict=True):
            read = tuple(self.tokenizer.words(text)[: self.tokenizer.max_words])
            patches = words[~pad].unflatten(1, image.features.grid)[:, :height, :width]
            found.append(WordAttention(words=read, seed=seed[~pad].cpu().numpy(), patches=patches.cpu().numpy()))
        return found

    def _texts(self, text: str | Sequence[str]) -> list[str]:
        """The texts as a list, all checked before any work is done."""
        if not isinstance(text, (str, Sequence)):
            raise TextError(f"the text is {type(text).__name__} {text!r}; expected a string, or a list of strings")
        texts = [text] if isinstance(text, str) else list(text)
        if not texts:
            raise TextError("got no text; say what to segment, for example 'the dog on the left'")
        for each in texts:
            self.tokenizer.words(each)
        return texts


def model_folder(path: str | PathLike[str] | None) -> Path:
    """The folder of what ``from_pretrained`` takes, fetched first where it is on the hub. Raises ``WeightsError``."""
    if path is None:
        return Path(str(resources.files("restr") / "assets" / BUNDLED))
    if str(path).startswith(HUB):
        from restr.model.hub import fetch_folder  # needs an extra

        return fetch_folder(str(path).removeprefix(HUB))
    path = Path(path)
    if path.is_file():
        if path.name != WEIGHTS:
            raise WeightsError(f"{path} is not a {WEIGHTS}; pass that file or the folder that holds it")
        return path.parent
    if not path.is_dir():
        raise WeightsError(f"there is no model folder {path}; pass a folder that holds {WEIGHTS} and its config")
    return path
