"""The work behind the routes, without HTTP: images in, answers out, through the models' engines."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from restr.errors import TextError
from restr.inference.result import Result
from restr.server.files.store import FileStore, StoredFile
from restr.server.intake import decode
from restr.server.intake.fetch import Fetcher
from restr.server.jobs import answers
from restr.server.jobs.admission import Admission
from restr.server.jobs.deadline import Deadline
from restr.server.jobs.engine import BoundImage, EncodeJob, JobResult, SegmentJob
from restr.server.jobs.helpers import Helpers
from restr.server.jobs.kept_images import ImageStore, KeptImages, SharedImages, StoredImage
from restr.server.jobs.models import ServedModel
from restr.server.metrics import Metrics
from restr.server.problems import Problem, draining, quoted
from restr.server.schemas import Question
from restr.server.settings import ServerSettings

_logger = logging.getLogger("restr.server")


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionResults:
    """The results for a question, and the facts that its answer gives beside them."""

    model: str
    """The model's name."""

    image: dict[str, Any]
    """A ``schemas.ImageInfo`` document."""

    question: Question
    """The question."""

    encode: JobResult | None
    """None if the image had been encoded before."""

    segment: JobResult
    """Its value is ``results``."""

    @property
    def results(self) -> list[Result]:
        """One per expression, in their order."""
        return self.segment.value

    @property
    def work_ms(self) -> float:
        """Milliseconds of the model's work."""
        return (self.encode.work_ms if self.encode else 0.0) + self.segment.work_ms

    def document(self) -> dict[str, Any]:
        """A ``schemas.Answer`` document; drawing pictures takes a while."""
        formats, words = list(dict.fromkeys(self.question.formats)), self.question.words
        encode = self.encode or JobResult(None, 0.0, 0.0)
        return {
            "model": self.model,
            "image": self.image,
            "results": [answers.found_document(result, formats, words=words) for result in self.results],
            "timings": {
                "queue_ms": round(encode.queue_ms + self.segment.queue_ms, 3),
                "encode_ms": round(encode.work_ms, 3),
                "segment_ms": round(self.segment.work_ms, 3),
            },
        }


class Service:
    """A server's models and everything that its requests share.

    Call ``load`` before use and ``close`` after it; both block.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics, files: FileStore | None = None) -> None:
        """files: where several processes share the files of kept images; None for a single process."""
        self.settings, self.metrics = settings, metrics
        self.admission = Admission(metrics, requests=settings.queue, pixels=settings.work_pixels)
        self.fetcher = Fetcher(on=settings.fetch, most=settings.image_bytes, seconds=settings.fetch_s)
        self.helpers = Helpers()
        memory = ImageStore(metrics, most=settings.kept_bytes // settings.workers, seconds=settings.kept_s)
        self.images = KeptImages(memory) if files is None else SharedImages(memory, files, self.helpers)
        self.models: dict[str, ServedModel] = {}
        self.failure: Exception | None = None
        self.loaded = self.draining = False
        self._reloading = threading.Lock()

    def load(self) -> None:
        """Load and warm up every model; ``failure`` is the error of the first that does not load."""
        try:
            for name, place in self.settings.places().items():
                self.models[name] = ServedModel(name, place, self.settings, self.metrics, self.admission)
            self.loaded = True
        except Exception as error:
            self.failure = error
            _logger.exception("a model could not be loaded")

    def reload(self) -> list[str]:
        """Reload the models whose files have changed; returns their names."""
        with self._reloading:
            return [name for name, model in self.models.items() if model.reload()]

    def close(self) -> None:
        """Finish the accepted work, refuse more."""
        self.draining = True
        for model in self.models.values():
            model.engine.close()
        self.helpers.close()

    def check_ready(self) -> None:
        """Raises ``Problem`` if new requests cannot be answered now. A request that has passed this check is answered."""
        if self.draining:
            raise draining()
        if self.failure is not None:
            raise Problem("model-failed", "a model could not be loaded; the log says why", retry_after=60)
        if not self.loaded:
            raise Problem("starting", "the models are still loading; ask again in a few seconds", retry_after=2)

    def model(self, name: str | None) -> ServedModel:
        """The model of that name, by default the first. Raises ``Problem``."""
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem("unknown-model", f"there is no model {quoted(name)}; choose from {', '.join(self.models)}")
        return self.models[name]

    async def keep(self, deadline: Deadline, data: bytes, model_name: str | None) -> dict[str, Any]:
        """Encode an image and keep it: a ``schemas.KeptImage`` document."""
        model = self.model(model_name)
        header = await self.helpers.run(deadline, self._header, data)
        with self.admission.enter(header.pixels):
            encoded = (await self._encode(deadline, model, data, header)).value
            name = await self.images.add(deadline, encoded, StoredFile(model.name, data))
        return {"id": name, "model": model.name, **_size(encoded)}

    async def ask(self, deadline: Deadline, name: str, question: Question) -> QuestionResults:
        """Segment a kept image."""
        kept, encode = await self.images.find(deadline, name), None
        if kept is None:
            kept, encode = await self._encode_here(deadline, name)
        model = self.models[kept.model]
        texts = self._texts(model, question)
        with self.admission.enter(kept.encoded.pixels * len(texts)):
            encoded = kept.encoded
            if encoded.segmenter is not model.segmenter:  # the model was reloaded since
                encode = await self._encode_pixels(deadline, model, encoded.image.pixels)
                encoded = encode.value
                self.images.memory.refresh(name, encoded)
            segment = await self._segment(deadline, model, encoded, texts, question)
        image = {"id": name, **_size(encoded)}
        return QuestionResults(model=model.name, image=image, question=question, encode=encode, segment=segment)

    async def ask_once(
        self, deadline: Deadline, data: bytes, model_name: str | None, question: Question
    ) -> QuestionResults:
        """Segment an image that is not kept."""
        model = self.model(model_name)
        texts = self._texts(model, question)
        header = await self.helpers.run(deadline, self._header, data)
        with self.admission.enter(header.pixels * len(texts)):
            encode = await self._encode(deadline, model, data, header)
            segment = await self._segment(deadline, model, encode.value, texts, question)
        return _unkept(model, question, encode, segment)

    async def ask_pixels(
        self, deadline: Deadline, pixels: np.ndarray, model_name: str | None, question: Question
    ) -> QuestionResults:
        """Segment a decoded picture, uint8 (H W 3), as a live stream has it."""
        model = self.model(model_name)
        texts = self._texts(model, question)
        with self.admission.enter(pixels.shape[0] * pixels.shape[1] * len(texts)):
            encode = await self._encode_pixels(deadline, model, pixels)
            segment = await self._segment(deadline, model, encode.value, texts, question)
        return _unkept(model, question, encode, segment)

    async def document(self, deadline: Deadline, outcome: QuestionResults) -> dict[str, Any]:
        """A ``schemas.Answer`` document, written by a helper thread."""
        return await self.helpers.run(deadline, outcome.document)

    async def _encode_here(self, deadline: Deadline, name: str) -> tuple[StoredImage, JobResult]:
        """Encode a kept image that another process, dead or alive, has encoded before."""
        file = await self.images.file(deadline, name)
        header = await self.helpers.run(deadline, self._header, file.data)
        with self.admission.enter(header.pixels):
            encode = await self._encode(deadline, self.model(file.model), file.data, header)
            self.images.memory.put(encode.value, file.model, name)
        return self.images.memory.get(name), encode

    def _header(self, data: bytes) -> decode.Header:
        settings = self.settings
        return decode.header(data, most_bytes=settings.image_bytes, most_pixels=settings.image_pixels)

    async def _encode(self, deadline: Deadline, model: ServedModel, data: bytes, header: decode.Header) -> JobResult:
        pixels = await self.helpers.run(deadline, decode.decode, data, header)
        return await self._encode_pixels(deadline, model, pixels)

    async def _encode_pixels(self, deadline: Deadline, model: ServedModel, pixels: np.ndarray) -> JobResult:
        return await deadline.wait(model.engine.submit(EncodeJob(pixels=pixels, deadline=deadline.time)))

    async def _segment(
        self, deadline: Deadline, model: ServedModel, encoded: BoundImage, texts: tuple[str, ...], question: Question
    ) -> JobResult:
        job = SegmentJob(
            encoded=encoded,
            texts=texts,
            threshold=question.threshold,
            presence=question.presence,
            words=question.words and model.can_explain,
            deadline=deadline.time,
        )
        return await deadline.wait(model.engine.submit(job))

    def _texts(self, model: ServedModel, question: Question) -> tuple[str, ...]:
        """The expressions, checked to be readable by the model. Raises ``Problem``."""
        texts, settings = question.expressions(), self.settings
        if len(texts) > settings.expressions:
            raise _unfit("texts", f"{len(texts)} expressions; at most {settings.expressions} are taken in one request")
        for number, text in enumerate(texts):
            field = f"texts.{number}" if question.text is None else "text"
            try:
                words = len(model.segmenter.tokenizer.words(text))
            except TextError as error:
                raise _unfit(field, "holds no word; name what to segment, such as 'left dog'") from error
            if words > settings.expression_words:
                raise _unfit(field, f"{words} words; at most {settings.expression_words} are taken in one expression")
        return texts


def _unfit(field: str, message: str) -> Problem:
    return Problem("invalid-request", f"{field}: {message}", errors=[{"field": field, "message": message}])


def _unkept(model: ServedModel, question: Question, encode: JobResult, segment: JobResult) -> QuestionResults:
    """The results for a picture that is not kept, and so has no name."""
    image = {"id": None, **_size(encode.value)}
    return QuestionResults(model=model.name, image=image, question=question, encode=encode, segment=segment)


def _size(encoded: BoundImage) -> dict[str, int]:
    height, width = encoded.image.pixels.shape[:2]
    return {"width": width, "height": height}
