"""A served model: loaded, warmed up, and loaded anew when its files change."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from restr.errors import RestrError
from restr.inference.locate import model_folder
from restr.inference.segmenter import Segmenter
from restr.server.metrics import Metrics
from restr.server.schemas import ModelInfo, Scoring
from restr.server.settings import ServerSettings
from restr.server.work.admission import Admission
from restr.server.work.engine import InferenceEngine

logger = logging.getLogger("restr.server")

IMAGES_ON_A_GPU = 4  # encoded together; a processor is as fast one by one, and the first image's answer is earlier

Signature = dict[str, tuple[int, int]]


class ServedModel:
    """A model under a name, with the engine that computes for it.

    place: what ``Segmenter.from_pretrained`` takes. Loading blocks; call it outside the event loop.
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
        """The one that encodes from now on."""
        return self.engine.segmenter

    @property
    def knows_words(self) -> bool:
        """Whether the backend can tell how much each word counted."""
        return self.segmenter.backend.can_explain

    def reload(self) -> bool:
        """Take the files in place if they are others than before; True if so. Files that do not load change nothing."""
        signature = self._files()
        if signature in (self._signature, self._refused):
            return False
        try:
            segmenter, self._signature = self._load()
        except (RestrError, OSError) as error:  # maybe half written: the next change is looked at again
            self._refused = signature
            self.metrics.loads.labels(self.name, "failed").inc()
            logger.error("the changed files of the model %s do not load, the old ones stay: %s", self.name, error)
            return False
        self.engine.segmenter = segmenter
        logger.info("the model %s was loaded anew", self.name)
        return True

    def info(self, *, default: bool) -> ModelInfo:
        """What ``/v1/models`` says."""
        segmenter = self.segmenter
        config = segmenter.config
        return ModelInfo(
            name=self.name,
            default=default,
            backend=segmenter.backend.name,
            precision=segmenter.backend.precision,
            device=str(segmenter.device),
            max_words=segmenter.tokenizer.max_words,
            threshold=config.preprocess.threshold,
            presence=None if config.presence.kind == "none" else config.presence.threshold,
            scoring=Scoring(**asdict(config.score)),
            words=self.knows_words,
        )

    def _load(self) -> tuple[Segmenter, Signature]:
        signature = self._files()  # before the load, so that a change during it is seen as one
        settings = self.settings
        segmenter = Segmenter.from_pretrained(self.place, device=settings.device, threads=settings.threads)
        warm_up(segmenter)
        self.metrics.loads.labels(self.name, "done").inc()
        return segmenter, signature

    def _files(self) -> Signature:
        folder: Path = model_folder(self.place)
        return {
            path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir() if path.is_file()
        }


def warm_up(segmenter: Segmenter) -> None:
    """A first image and sentence, whose slowness no client should see."""
    side = segmenter.config.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
    words = segmenter.tokenizer.vocabulary.words
    segmenter.predict_encoded(segmenter.encode(pixels), [words[0] if words else "thing"])
