"""A served model: loaded, warmed up, and reloaded when its files change."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from restr.errors import RestrError
from restr.inference.locate import model_folder
from restr.inference.segmenter import Segmenter
from restr.model.folder import files_of, is_checkpoint
from restr.server.jobs.admission import Admission
from restr.server.jobs.engine import InferenceEngine
from restr.server.metrics import Metrics
from restr.server.schemas import Models, Scoring
from restr.server.settings import ServerSettings

_logger = logging.getLogger("restr.server")

IMAGES_ON_A_GPU = 4  # encoded together; on a processor that is no faster, and the first answer comes later

Signature = dict[str, tuple[int, int]]
"""File name -> (time of change, size)."""


class ServedModel:
    """A model under a name, with the engine that computes for it.

    place: where the model is, as ``Segmenter.from_pretrained`` takes it. Loading blocks: call it outside the event loop.
    """

    def __init__(
        self, name: str, place: str | None, settings: ServerSettings, metrics: Metrics, admission: Admission
    ) -> None:
        self.name, self.place, self.settings, self.metrics = name, place, settings, metrics
        segmenter, self._signature = self._load()
        self._refused: Signature = {}
        self.engine = InferenceEngine(
            name,
            segmenter,
            metrics,
            batch_texts=settings.batch_texts,
            batch_images=settings.batch_images or (1 if str(segmenter.device) == "cpu" else IMAGES_ON_A_GPU),
            max_wait=settings.max_wait_ms / 1000,
            others=lambda: admission.requests,
        )

    @property
    def segmenter(self) -> Segmenter:
        """The segmenter that encodes new images."""
        return self.engine.segmenter

    @property
    def can_explain(self) -> bool:
        """Whether the backend can say how much each word counted."""
        return self.segmenter.backend.can_explain

    def reload(self) -> bool:
        """Load the model's files if they have changed; returns whether it did. Files that do not load change nothing."""
        signature = self._files()
        if signature in (self._signature, self._refused):
            return False
        try:
            segmenter, self._signature = self._load()
        except (RestrError, OSError) as error:  # maybe half written: tried again after the next change
            self._refused = signature
            self.metrics.loads.labels(self.name, "failed").inc()
            _logger.error("the changed files of the model %s do not load, the old ones stay: %s", self.name, error)
            return False
        self.engine.segmenter = segmenter
        _logger.info("the model %s was reloaded", self.name)
        return True

    def info(self, *, default: bool) -> Models.ModelInfo:
        """The model's entry in the answer of ``/v1/models``."""
        segmenter = self.segmenter
        config = segmenter.config
        return Models.ModelInfo(
            name=self.name,
            default=default,
            backend=segmenter.backend.name,
            precision=segmenter.backend.precision,
            device=str(segmenter.device),
            max_words=segmenter.tokenizer.max_words,
            threshold=config.preprocess.threshold,
            presence=None if config.presence.kind == "none" else config.presence.threshold,
            scoring=Scoring(**asdict(config.score)),
            words=self.can_explain,
        )

    def _load(self) -> tuple[Segmenter, Signature]:
        signature = self._files()  # before the load, so that a change during it is noticed later
        settings = self.settings
        segmenter = Segmenter.from_pretrained(
            self.place,
            device=settings.device,
            backend=settings.backend,
            precision=settings.precision,
            threads=settings.threads,
        )
        segmenter.backend.open_ahead()
        warm_up(segmenter)
        self.metrics.loads.labels(self.name, "done").inc()
        return segmenter, signature

    def _files(self) -> Signature:
        folder: Path = model_folder(self.place)
        paths = files_of(folder) if is_checkpoint(folder) else folder.iterdir()
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.is_file()}


def warm_up(segmenter: Segmenter) -> None:
    """Segment a first image, as the first call is slow."""
    side = segmenter.config.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
    words = segmenter.tokenizer.vocabulary.words
    segmenter.predict_encoded(segmenter.encode(pixels), [words[0] if words else "thing"])
