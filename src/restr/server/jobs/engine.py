"""The thread that a model computes in: jobs in, futures out. Jobs on one image are merged, and so are images of one size."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from restr.inference.result import Result
from restr.inference.segmenter import EncodedImage, Segmenter
from restr.server.metrics import Metrics
from restr.server.problems import Problem, draining

_logger = logging.getLogger("restr.server")


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundImage:
    """An encoded image, bound to the segmenter that encoded it: no other can read it, not even the same model reloaded."""

    image: EncodedImage
    segmenter: Segmenter

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.image.pixels.shape[0] * self.image.pixels.shape[1]


class JobResult(NamedTuple):
    """A job's result, and the time that it took."""

    value: Any
    """The result."""

    queue_ms: float
    """Milliseconds of waiting."""

    work_ms: float
    """Milliseconds of computing."""


@dataclass(kw_only=True, eq=False)
class EngineJob:
    """Work for a model's thread."""

    deadline: float
    """``time.monotonic()`` after which nobody waits for the result."""

    since: float = field(default_factory=time.monotonic)
    """``time.monotonic()`` when it was made."""

    future: Future[JobResult] = field(default_factory=Future)
    """Gets the result."""

    kind = "job"
    """A label of metrics."""


@dataclass(kw_only=True, eq=False)
class EncodeJob(EngineJob):
    """Encodes an image: its result is a ``BoundImage``."""

    pixels: np.ndarray
    """uint8 (H W 3), upright."""

    kind = "encode"

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(kw_only=True, eq=False)
class SegmentJob(EngineJob):
    """Segments an encoded image: its result is one ``Result`` per text."""

    encoded: BoundImage
    """The image."""

    texts: tuple[str, ...]
    """Expressions; all are valid."""

    threshold: float | None = None
    """Least probability of a mask's pixels; None for the model's own."""

    presence: float | None = None
    """Least probability that anything is meant; None for the model's own."""

    words: bool = False
    """Whether to explain how much each word counted."""

    kind = "segment"

    def merges_with(self, other: EngineJob) -> bool:
        """Whether both jobs can be one call of the model."""
        return (
            isinstance(other, SegmentJob)
            and other.encoded.image is self.encoded.image
            and other.encoded.segmenter is self.encoded.segmenter
            and other.words == self.words
        )


class InferenceEngine:
    """Computes the jobs of one model in a thread of its own, in the order of their arrival.

    segmenter: encodes images; replacing it takes effect with the next image. batch_texts: the most expressions of one call.
    batch_images: the most images of one call; they are merged if they wait together and have one size for the model.
    others: the number of open requests. max_wait: seconds that a lone expression waits to be merged, while ``others()``
    says that there may be company.
    """

    def __init__(
        self,
        name: str,
        segmenter: Segmenter,
        metrics: Metrics,
        *,
        batch_texts: int = 16,
        batch_images: int = 1,
        max_wait: float = 0.004,
        others: Callable[[], int] = lambda: 0,
    ) -> None:
        self.name, self.segmenter, self.metrics = name, segmenter, metrics
        self.batch_texts, self.batch_images, self.max_wait, self.others = batch_texts, batch_images, max_wait, others
        self._jobs: deque[EngineJob] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"restr-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: EngineJob) -> Future[JobResult]:
        """Queue a job; its future can be cancelled until it starts. Raises ``Problem`` once closed."""
        with self._news:
            if self._closing:
                raise draining()
            self._jobs.append(job)
            self._news.notify_all()
        self.metrics.waiting.labels(self.name).set(len(self._jobs))
        return job.future

    def close(self) -> None:
        """Take no more jobs, finish the queued ones, end the thread."""
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            started = time.monotonic()
            live = [job for job in batch if self._starts(job, started)]
            if live:
                self._compute(live, started)

    def _next(self) -> list[EngineJob]:
        """The next job and the jobs that can be merged with it; empty at the end."""
        with self._news:
            while not self._jobs:
                if self._closing:
                    return []
                self._news.wait()
            first = self._jobs.popleft()
            batch = [first]
            if isinstance(first, EncodeJob):
                self._gather_images(first, batch)
            elif isinstance(first, SegmentJob):
                until = time.monotonic() + self.max_wait
                self._gather_texts(first, batch)
                # Worth waiting only while nothing else can be done, and another request may be about to ask.
                while (
                    not self._jobs
                    and not self._closing
                    and self._texts(batch) < self.batch_texts
                    and self.others() > len(batch)
                    and (left := until - time.monotonic()) > 0
                ):
                    self._news.wait(left)
                    self._gather_texts(first, batch)
        self.metrics.waiting.labels(self.name).set(len(self._jobs))
        return batch

    def _gather_images(self, first: EncodeJob, batch: list[EngineJob]) -> None:
        framing = self.segmenter.framing
        size = framing.input_size(first.size)
        rest: deque[EngineJob] = deque()
        for job in self._jobs:
            if len(batch) < self.batch_images and isinstance(job, EncodeJob) and framing.input_size(job.size) == size:
                batch.append(job)
            else:
                rest.append(job)
        self._jobs = rest

    def _gather_texts(self, first: SegmentJob, batch: list[EngineJob]) -> None:
        rest: deque[EngineJob] = deque()
        texts = self._texts(batch)
        for job in self._jobs:
            more = len(job.texts) if isinstance(job, SegmentJob) else 0
            if first.merges_with(job) and texts + more <= self.batch_texts:
                batch.append(job)
                texts += more
            else:
                rest.append(job)
        self._jobs = rest

    @staticmethod
    def _texts(batch: Sequence[EngineJob]) -> int:
        return sum(len(job.texts) for job in batch if isinstance(job, SegmentJob))

    def _starts(self, job: EngineJob, now: float) -> bool:
        """Whether somebody still waits for the job's result; if not, ends it."""
        if not job.future.set_running_or_notify_cancel():
            self.metrics.jobs.labels(self.name, job.kind, "cancelled").inc()
            return False
        if now > job.deadline:
            self.metrics.jobs.labels(self.name, job.kind, "late").inc()
            job.future.set_exception(
                Problem("deadline-exceeded", "the request waited longer than it may; ask again later")
            )
            return False
        return True

    def _compute(self, batch: list[EngineJob], started: float) -> None:
        try:
            values = self._values(batch)
        except Exception as error:
            if len(batch) > 1:  # a failure of one request must not fail the others
                for job in batch:
                    self._compute([job], time.monotonic())
                return
            self.metrics.jobs.labels(self.name, batch[0].kind, "failed").inc()
            batch[0].future.set_exception(error)
            return
        took = time.monotonic() - started
        kind = batch[0].kind
        self.metrics.job_seconds.labels(self.name, kind).observe(took)
        self.metrics.merged.labels(self.name, kind).observe(len(batch))
        for job, value in zip(batch, values, strict=True):
            self.metrics.jobs.labels(self.name, kind, "done").inc()
            job.future.set_result(JobResult(value, 1000 * (started - job.since), 1000 * took))

    def _values(self, batch: list[EngineJob]) -> list[Any]:
        images = [job.pixels for job in batch if isinstance(job, EncodeJob)]
        if images:
            segmenter = self.segmenter
            return [BoundImage(image=image, segmenter=segmenter) for image in segmenter.encode_several(images)]
        jobs = [job for job in batch if isinstance(job, SegmentJob)]
        encoded = jobs[0].encoded
        texts = list(dict.fromkeys(text for job in jobs for text in job.texts))
        results = encoded.segmenter.predict_encoded(encoded.image, texts, attention=jobs[0].words)
        found = dict(zip(texts, results, strict=True))
        return [[_with_thresholds(found[text], job.threshold, job.presence) for text in job.texts] for job in jobs]


def _with_thresholds(result: Result, threshold: float | None, presence: float | None) -> Result:
    """The result with a request's own thresholds; the probabilities stay, as they do not depend on them."""
    return replace(
        result,
        threshold=result.threshold if threshold is None else threshold,
        least_presence=result.least_presence if presence is None else presence,
    )
