"""Segmenter: a loaded model, and all that leads from a photograph and a sentence to a mask."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from copy import copy
from dataclasses import fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, overload

from restr.config import PreprocessConfig
from restr.errors import ConfigError, ImageError
from restr.fields import as_int
from restr.inference.backends.base import Backend
from restr.inference.cache import FeatureCache
from restr.inference.encoded import EncodedImage, read_and_encode, segment_encoded
from restr.inference.loading import load_runnable
from restr.inference.many.run import ManyResult, predict_many, split_cores
from restr.inference.result import Result, thresholds
from restr.inference.sources import ImageSource
from restr.inference.tracking.smoothing import TrackSettings
from restr.inference.tracking.track import checked_texts, track
from restr.preprocess import Framing
from restr.text.tokenizer import Sentence, Tokenizer
from restr.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

    from restr.model.restr import ReSTR

KEPT_FEATURES = 2**26  # bytes; a photograph at 480 pixels takes up to eight million
Texts = list[str] | tuple[str, ...]
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
        """model and vocabulary belong together; ``from_pretrained`` loads both. A backend has its own device.

        cache_bytes: memory for encoded images, in case they come again; leave it at 0 while the model may change.
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
        """A segmenter from a model folder, an export's folder, or a file in either; without a path, the bundled model.

        "hf:user/model" fetches a folder from the Hugging Face hub (extra ``hub``). An export runs in the runtime that
        it was made for, and needs torch only if that runtime is torch.

        device: "auto" takes a GPU if there is one. backend: "auto" is the fastest that ``restr doctor`` knows here, "own"
        PyTorch or an export's own; or "torch", "onnx", "openvino", "torch-export", "aoti". precision: "fp32", "int8" or
        "bf16"; an export has its own. threads: CPU threads, for PyTorch those of the whole process; 0 lets the runtime
        choose. cache_bytes: memory for encoded images, in case they come again. Raises ``WeightsError`` and
        ``ConfigError``.
        """
        for name, value in (("threads", threads), ("cache_bytes", cache_bytes)):
            if as_int(value) is None or value < 0:
                raise ConfigError(f"{name} is {value!r}; it must be a whole number of at least 0")
        model, vocabulary = load_runnable(
            path, device=str(device), backend=backend, precision=precision, threads=threads
        )
        return cls(model, vocabulary, device=device, precision=precision, cache_bytes=cache_bytes)

    @property
    def model(self) -> ReSTR:
        """The PyTorch model. Raises ``ConfigError`` for an export."""
        model = getattr(self.backend, "model", None)
        if model is None:
            raise ConfigError(
                f"the backend is {self.backend.name!r}, which has no PyTorch model; load the model folder instead"
            )
        return model

    @property
    def device(self) -> torch.device:
        """Where the backend computes: a ``torch.device`` for PyTorch, else a string."""
        return self.backend.device

    @property
    def framing(self) -> Framing:
        """How images become the model's input, and masks return to their size."""
        return self.config.framing

    def with_framing(self, framing: Framing) -> Segmenter:
        """The same model with another framing, such as an evaluation's. Raises ``ConfigError`` for another patch."""
        if framing.patch != self.config.vision.patch:
            raise ConfigError(f"the framing's patch is {framing.patch}, the model's is {self.config.vision.patch}")
        preprocess = PreprocessConfig(**{each.name: getattr(framing, each.name) for each in fields(PreprocessConfig)})
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
        text: Texts,
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> list[Result]: ...

    def __call__(
        self,
        image: ImageSource,
        text: str | Texts,
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> Result | list[Result]:
        """Segment what ``text`` names in ``image``: a ``Result`` for one text, a list for a list of texts.

        threshold: least probability of the mask's pixels; the model's own (0.5) if not given. presence: least
        probability that the text means anything in the image; below it the mask is empty. The model's own if not given;
        0 always draws a mask. attention: also record which words made the mask (``Result.attention``). Raises
        ``ImageError`` and ``TextError``.
        """
        sentences = self.tokenizer.sentences(text)
        results = self._predict(self.encode(image), sentences, threshold, presence, attention)
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
        self, text: Texts, *, threshold: float | None = None, presence: float | None = None, attention: bool = False
    ) -> list[Result]: ...

    def predict(
        self,
        text: str | Texts,
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> Result | list[Result]:
        """Segment what ``text`` names in the image of ``set_image``; arguments and results as when called."""
        if self._image is None:
            raise ImageError("predict has no image yet; call set_image(image) first, or segmenter(image, text)")
        results = self._predict(self._image, self.tokenizer.sentences(text), threshold, presence, attention)
        return results[0] if isinstance(text, str) else results

    def predict_many(
        self,
        items: Iterable[tuple[ImageSource | Exception, str | Texts]],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
        on_error: Literal["return", "raise"] = "return",
        then: Callable[[list[Result]], Any] | None = None,
        workers: int = 0,
        threads: int = 0,
        helpers: int | None = None,
        window: int = 0,
    ) -> Generator[ManyResult, None, None]:
        """Segment many (image, text or texts) pairs on all cores; yields a ``ManyResult`` each, in their order.

        items is read in the caller's thread, at most ``window`` (0: twice the threads) ahead; an exception in place of an
        image becomes that item's error. on_error: "return" keeps an item's error in its result, "raise" raises it. then:
        called with an item's results in a worker's thread, to draw them; what it returns is ``ManyResult.made``. workers,
        threads, helpers: see ``many.run.Split``. Closing the iterator ends the threads. Raises ``ConfigError``.
        """
        split = split_cores(self.backend, workers, threads, helpers, attention)
        options = {"threshold": threshold, "presence": presence, "attention": attention}
        return predict_many(self, items, options, split, window=window, on_error=on_error, then=then)

    def track(
        self,
        frames: Iterable[ImageSource],
        texts: str | Texts,
        *,
        every: int = 1,
        smooth: float = 0.0,
        threshold: float | None = None,
        presence: float | None = None,
        workers: int = 0,
    ) -> Generator[list[Result], None, None]:
        """Segment what ``texts`` name in each frame of a video; yields each frame's results, one for each text.

        every: only every n-th frame is computed, and the first of each scene; between two of them probabilities are
        interpolated. smooth: the weight of the past in a moving average, from 0 (none) to below 1; see ``Smoother``. The
        rest is as in ``predict_many``; frames are read as needed, on two cores about five times ``every`` ahead. Things
        have no identity: each frame is asked anew. Raises ``ConfigError``, ``ImageError`` and ``TextError``.
        """
        settings = TrackSettings(every=every, smooth=smooth)
        options = {"threshold": threshold, "presence": presence}
        return track(self, frames, checked_texts(texts), settings, options, workers)

    def encode(self, image: ImageSource) -> EncodedImage:
        """Run the image encoder, for ``predict_encoded``."""
        return self.encode_several([image])[0]

    def encode_several(self, images: Sequence[ImageSource]) -> list[EncodedImage]:
        """As ``encode`` for each; images with the same input size are computed together."""
        return read_and_encode(images, self.backend, self._cache, self.framing)

    def predict_encoded(
        self,
        image: EncodedImage,
        texts: Sequence[str],
        *,
        threshold: float | None = None,
        presence: float | None = None,
        attention: bool = False,
    ) -> list[Result]:
        """Segment what each of ``texts`` names in an image from ``encode``; keeps no state for the next call."""
        return self._predict(image, self.tokenizer.sentences(texts), threshold, presence, attention)

    def _predict(
        self,
        image: EncodedImage,
        sentences: list[Sentence],
        threshold: float | None,
        presence: float | None,
        attention: bool,
    ) -> list[Result]:
        self.backend.enter()
        limits = thresholds(self.config, threshold, presence)
        parts = (sentences[start : start + TEXTS_AT_ONCE] for start in range(0, len(sentences), TEXTS_AT_ONCE))
        return [result for part in parts for result in segment_encoded(self, image, part, limits, attention)]
