"""What the routes do, without HTTP: images in, answers out, through the models' engines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from restr.errors import TextError
from restr.inference.result import Result
from restr.server.files.folder import FolderStore
from restr.server.intake import decode
from restr.server.intake.fetch import Fetcher
from restr.server.metrics import Metrics
from restr.server.problems import Problem, draining, shown
from restr.server.schemas import Question
from restr.server.settings import ServerSettings
from restr.server.work import answers
from restr.server.work.admission import Admission
from restr.server.work.deadline import Deadline
from restr.server.work.engine import EncodedImages, EncodeJob, SegmentJob, Timed
from restr.server.work.kept_images import ImageStore, Kept, unknown
from restr.server.work.models import ServedModel

logger = logging.getLogger("restr.server")
T = TypeVar("T")

HELPERS = 2  # threads that decode images and write answers, beside each model's own


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """The results for a question, and what its answer says around them."""

    model: str
    image: dict[str, Any]
    results: list[Result]
    encode: Timed | None
    segment: Timed

    def document(self, question: Question) -> dict[str, Any]:
        """A ``schemas.Answer`` document; drawing pictures takes a while."""
        formats = list(dict.fromkeys(question.formats))
        encode = self.encode or Timed(None, 0.0, 0.0)
        return {
            "model": self.model,
            "image": self.image,
            "results": [answers.found(result, formats, words=question.words) for result in self.results],
            "timings": {
                "queue_ms": round(encode.queue_ms + self.segment.queue_ms, 3),
                "encode_ms": round(encode.work_ms, 3),
                "segment_ms": round(self.segment.work_ms, 3),
            },
        }


class Service:
    """The models of a server and everything that is shared among its requests.

    ``load`` before use and ``close`` after it; both block.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics, shelf: FolderStore | None = None) -> None:
        """shelf: the kept images' files, where several workers share them."""
        self.settings, self.metrics, self.shelf = settings, metrics, shelf
        self.admission = Admission(metrics, requests=settings.queue, pixels=settings.work_pixels)
        self.images = ImageStore(metrics, most=settings.kept_bytes // settings.workers, seconds=settings.kept_s)
        self.fetcher = Fetcher(on=settings.fetch, most=settings.image_bytes, seconds=settings.fetch_s)
        self.models: dict[str, ServedModel] = {}
        self.failure: Exception | None = None
        self.loaded = self.draining = False
        self._helpers = ThreadPoolExecutor(HELPERS, thread_name_prefix="restr-helper")
        self._reloading = threading.Lock()

    def load(self) -> None:
        """Load and warm up every model; ``failure`` tells of one that does not load."""
        try:
            for name, place in self.settings.places().items():
                self.models[name] = ServedModel(name, place, self.settings, self.metrics, self.admission)
            self.loaded = True
        except Exception as error:
            self.failure = error
            logger.exception("a model could not be loaded")

    def reload(self) -> list[str]:
        """The names of the models that were loaded anew as their files have changed."""
        with self._reloading:
            return [name for name, model in self.models.items() if model.reload()]

    def close(self) -> None:
        """Finish the accepted work, refuse more."""
        self.draining = True
        for model in self.models.values():
            model.engine.close()
        self._helpers.shutdown()

    def check_ready(self) -> None:
        """Raises the ``Problem`` that keeps new requests from being answered; those that passed once are."""
        if self.draining:
            raise draining()
        if self.failure is not None:
            raise Problem("model-failed", "a model could not be loaded; the log says why", retry_after=60)
        if not self.loaded:
            raise Problem("starting", "the models are still loading; ask again in a few seconds", retry_after=2)

    def model(self, name: str | None) -> ServedModel:
        """The model of that name, or the first, once they are loaded. Raises ``Problem``."""
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Problem("unknown-model", f"there is no model {shown(name)}; choose from {', '.join(self.models)}")
        return self.models[name]

    async def helped(self, visit: Deadline, work: Callable[..., T], *arguments: Any) -> T:
        """What a helper thread makes of it."""
        return await visit.wait(self._helpers.submit(work, *arguments))

    async def keep(self, visit: Deadline, data: bytes, model_name: str | None) -> dict[str, Any]:
        """Encode an image and keep it: a ``schemas.KeptImage`` document."""
        model = self.model(model_name)
        header = await self.helped(visit, self._header, data)
        with self.admission.enter(header.pixels):
            encoded = (await self._encode(visit, model, data, header)).value
            name = self.images.put(encoded, model.name)
            if self.shelf is not None:
                await self._shelve(visit, name, model.name, data)
        return {"id": name, "model": model.name, **_size(encoded)}

    async def _shelve(self, visit: Deadline, name: str, model: str, data: bytes) -> None:
        assert self.shelf is not None
        try:
            await self.helped(visit, self.shelf.put, name, model, data)
        except OSError as error:  # a full disk
            self.images.remove(name)
            logger.error("the folder of kept images cannot be written: %s", error)
            raise Problem(
                "overloaded",
                "there is no room to keep an image; ask about it with /v1/segment, or later",
                retry_after=30,
            ) from error

    def forget(self, name: str) -> None:
        """Forget a kept image; the other workers' encodings of it go with their next ``tidy``. Raises ``Problem``."""
        here = self.images.remove(name)
        there = self.shelf is not None and self.shelf.remove(name)
        if not (there if self.shelf is not None else here):
            raise unknown(name)

    def tidy(self) -> None:
        """Give up what has expired, and what was forgotten elsewhere."""
        self.images.trim()
        if self.shelf is not None:
            self.shelf.trim()
            for name in self.images.names():
                if not self.shelf.holds(name):
                    self.images.remove(name)

    async def ask(self, visit: Deadline, name: str, question: Question) -> Answered:
        """Segment a kept image."""
        kept, encode = await self._here(visit, name), None
        if kept is None:
            kept, encode = await self._recall(visit, name)
        model = self.models[kept.model]
        texts = self._texts(model, question)
        with self.admission.enter(kept.encoded.pixels * len(texts)):
            encoded = kept.encoded
            if encoded.segmenter is not model.segmenter:  # loaded anew since
                job = EncodeJob(pixels=encoded.image.pixels, deadline=visit.deadline)
                encode = await visit.wait(model.engine.submit(job))
                encoded = encode.value
                self.images.refresh(name, encoded)
            segment = await self._segment(visit, model, encoded, texts, question)
        image = {"id": name, **_size(encoded)}
        return Answered(model=model.name, image=image, results=segment.value, encode=encode, segment=segment)

    async def _here(self, visit: Deadline, name: str) -> Kept | None:
        """A kept image, None if only another worker has encoded it. Raises ``Problem`` for one that nobody keeps."""
        if self.shelf is None:
            return self.images.get(name)
        if not await self.helped(visit, self.shelf.touch, name):
            self.images.remove(name)
            raise unknown(name)
        return self.images.find(name)

    async def _recall(self, visit: Deadline, name: str) -> tuple[Kept, Timed]:
        """A kept image that was encoded by another worker, dead or alive, encoded here too."""
        shelved = await self.helped(visit, self.shelf.get, name) if self.shelf is not None else None
        if shelved is None:
            raise unknown(name)
        header = await self.helped(visit, self._header, shelved.data)
        with self.admission.enter(header.pixels):
            encode = await self._encode(visit, self.model(shelved.model), shelved.data, header)
            self.images.put(encode.value, shelved.model, name)
        return self.images.get(name), encode

    async def ask_once(self, visit: Deadline, data: bytes, model_name: str | None, question: Question) -> Answered:
        """Segment an image that is not kept."""
        model = self.model(model_name)
        texts = self._texts(model, question)
        header = await self.helped(visit, self._header, data)
        with self.admission.enter(header.pixels * len(texts)):
            encode = await self._encode(visit, model, data, header)
            segment = await self._segment(visit, model, encode.value, texts, question)
        image = {"id": None, **_size(encode.value)}
        return Answered(model=model.name, image=image, results=segment.value, encode=encode, segment=segment)

    def _header(self, data: bytes) -> decode.Header:
        settings = self.settings
        return decode.header(data, most_bytes=settings.image_bytes, most_pixels=settings.image_pixels)

    async def _encode(self, visit: Deadline, model: ServedModel, data: bytes, header: decode.Header) -> Timed:
        pixels = await self.helped(visit, decode.decode, data, header)
        return await visit.wait(model.engine.submit(EncodeJob(pixels=pixels, deadline=visit.deadline)))

    async def _segment(
        self, visit: Deadline, model: ServedModel, encoded: EncodedImages, texts: tuple[str, ...], question: Question
    ) -> Timed:
        job = SegmentJob(
            encoded=encoded,
            texts=texts,
            threshold=question.threshold,
            presence=question.presence,
            words=question.words and model.knows_words,
            deadline=visit.deadline,
        )
        return await visit.wait(model.engine.submit(job))

    def _texts(self, model: ServedModel, question: Question) -> tuple[str, ...]:
        """The expressions, all of which the model can read. Raises ``Problem``."""
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


def _size(encoded: EncodedImages) -> dict[str, int]:
    height, width = encoded.image.pixels.shape[:2]
    return {"width": width, "height": height}
