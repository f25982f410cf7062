"""A model folder whose export runs in a faster runtime, and that is still a PyTorch model where one is needed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from restr.errors import ConfigError, WeightsError
from restr.inference.backends.base import AttentionOutput, Backend, ExportedBackend, Segmentation

if TYPE_CHECKING:
    from restr.inference.backends.torch_backend import TorchBackend
    from restr.model.restr import ReSTR

_logger = logging.getLogger("restr")


class FastBackend(Backend):
    """Runs a kept export of a model folder. features: an export's, or PyTorch's after ``model`` was asked for.

    PyTorch and the model's weights are loaded only when attention or the model itself is asked for. Whoever asks for the
    model may change it, so from then on it computes, and no longer the export.
    """

    def __init__(self, runtime: ExportedBackend, folder: Path) -> None:
        """runtime: opened in the kept export. folder: the model folder that it was made of."""
        self.runtime, self.folder = runtime, folder
        self.name, self.precision, self.device = runtime.name, runtime.precision, runtime.device
        self.config = runtime.config
        self.can_explain = find_spec("torch") is not None
        self._lock = Lock()
        self._loaded: TorchBackend | None = None
        self._in_torch = False

    def __reduce__(self) -> tuple[Callable[..., Backend], tuple[Any, ...]]:
        """A copy in another process opens the files again; if PyTorch computes here, the copy is PyTorch's too."""
        if self._in_torch:
            return _same, (self._torch(),)
        return FastBackend, (self.runtime, self.folder)

    @property
    def concurrent(self) -> bool:  # type: ignore[override]
        """As ``Backend.concurrent``: PyTorch's or the export's, whichever computes."""
        return self._computing().concurrent

    def open_ahead(self) -> None:
        """As ``Backend.open_ahead``."""
        self._computing().open_ahead()

    def thread_count(self) -> int:
        """As ``Backend.thread_count``."""
        return self._computing().thread_count()

    @contextmanager
    def shared(self, workers: int, threads: int) -> Iterator[Backend]:
        """As ``Backend.shared``."""
        with self._computing().shared(workers, threads) as backend:
            yield FastBackend(backend, self.folder) if isinstance(backend, ExportedBackend) else backend

    @property
    def model(self) -> ReSTR:
        """The PyTorch model, which computes from now on. Raises ``ConfigError`` without PyTorch."""
        return self._switch("its PyTorch model was asked for").model

    def enter(self) -> None:
        """As ``Backend.enter``; a process that was forked from one that has predicted continues in PyTorch."""
        if not self._in_torch:
            try:
                self.runtime.enter()
                return
            except ConfigError:
                if not self.can_explain:
                    raise
        self._switch("the process was forked from one that had predicted").enter()

    def encode_image(self, image: np.ndarray) -> Any:
        """As ``Backend.encode_image``. An export that does not open is given up for PyTorch, with a warning."""
        if not self._in_torch:
            try:
                return self.runtime.encode_image(image)
            except WeightsError as error:
                self._give_up(error)
        return self._torch().encode_image(image)

    def segment(self, features: Any, ids: np.ndarray) -> Segmentation:
        """As ``Backend.segment``, also for features from before the model was asked for."""
        if not self._in_torch:
            try:
                return self.runtime.segment(features, ids)
            except WeightsError as error:
                self._give_up(error)
        return self._torch().segment(self._cached(features), ids)

    def segment_with_attention(self, features: Any, ids: np.ndarray) -> AttentionOutput:
        """As ``Backend.segment_with_attention``: PyTorch's attention on these features, and the mask of ``segment``."""
        watched = self._torch().segment_with_attention(self._cached(features), ids)
        return watched if self._in_torch else watched._replace(segmentation=self.segment(features, ids))

    def _computing(self) -> Backend:
        return self._torch() if self._in_torch else self.runtime

    def _cached(self, features: Any) -> Any:
        """Features as PyTorch's backend takes them."""
        return self._torch().from_patches(features) if isinstance(features, np.ndarray) else features

    def _torch(self) -> TorchBackend:
        with self._lock:
            if self._loaded is None:
                try:
                    import torch

                    from restr.inference.backends.torch_backend import TorchBackend
                    from restr.model.weights import load_pretrained
                except ModuleNotFoundError as error:
                    raise ConfigError(
                        f"{error.name} is not installed, and this needs the PyTorch model of {self.folder}; install torch"
                    ) from error
                if self.runtime.threads:
                    torch.set_num_threads(self.runtime.threads)
                self._loaded = TorchBackend(load_pretrained(self.folder)[0], device="cpu")
            return self._loaded

    def _switch(self, reason: str) -> TorchBackend:
        """Compute in PyTorch from now on."""
        found = self._torch()
        if not self._in_torch:
            _logger.info("%s computes in PyTorch from now on, not in %s: %s", self.folder, self.name, reason)
            self._in_torch = True
            self.name, self.precision, self.device = found.name, found.precision, found.device
        return found

    def _give_up(self, error: WeightsError) -> None:
        """Remove an export that does not open, so that it is made again, and continue in PyTorch."""
        _logger.warning("the kept export is damaged and was removed, PyTorch takes its place: %s", error)
        shutil.rmtree(self.runtime.facts.folder, ignore_errors=True)
        self._switch("its export does not open")


def _same(backend: Backend) -> Backend:
    """The backend itself; what a pickled ``FastBackend`` becomes once PyTorch computes."""
    return backend
