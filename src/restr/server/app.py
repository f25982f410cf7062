"""The application: ``create_app(settings)`` is everything behind ``restr serve``."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from restr import __version__
from restr.server.files.folder import FolderStore
from restr.server.files.store import FileStore
from restr.server.http import openapi
from restr.server.http.gate import RequestGate
from restr.server.http.routes import API, OPERATIONS
from restr.server.jobs.service import Service
from restr.server.live.camera import LiveStart
from restr.server.live.routes import LIVE
from restr.server.live.streams import LiveStreams
from restr.server.metrics import Metrics
from restr.server.problems import Problem, problem_of_status
from restr.server.settings import IMAGES_FOLDER, METRICS_FOLDER, ServerSettings

_TIDY_S = 5.0  # seconds until an image that has expired, or was forgotten through another worker, is gone


def create_app(
    settings: ServerSettings | None = None,
    *,
    shared: Path | None = None,
    files: FileStore | None = None,
    start: LiveStart | None = None,
) -> FastAPI:
    """The ASGI application. It works with ``app.state.service``. Raises ``ConfigError``.

    It answers from the start, with 503 until the models are loaded, and finishes accepted work at its end.

    shared: the folder that several workers share (``several.supervise``), for metrics and the files of kept images.
    files: another place for those files. With either, the application takes no connection before its models are loaded:
    the other workers answer meanwhile.
    start: what the page for live pictures begins with, if ``settings.live`` has one.
    """
    settings = settings or ServerSettings()
    metrics = Metrics(None if shared is None else shared / METRICS_FOLDER)
    if shared is not None and files is None:
        files = FolderStore(shared / IMAGES_FOLDER, most=settings.kept_bytes, seconds=settings.kept_s)
    app = FastAPI(
        title="restr", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan,
        exception_handlers={HTTPException: _http_problem, RequestValidationError: _validation_problem},
    )  # fmt: skip
    app.state.service, app.state.metrics, app.state.settings = Service(settings, metrics, files), metrics, settings
    app.openapi = lambda: openapi.describe(app)
    app.state.gate = RequestGate(settings, metrics)
    app.add_middleware(app.state.gate.before)  # type: ignore[arg-type]
    app.include_router(API)
    app.include_router(OPERATIONS)
    if settings.live:
        gate = app.state.gate
        app.state.live = LiveStreams(settings, app.state.service, metrics, gate.keys, gate.rate, start or LiveStart())
        app.include_router(LIVE)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load in the background, look for changed models, forget what has expired, drain at the end."""
    service: Service = app.state.service
    loading = asyncio.create_task(asyncio.to_thread(service.load))
    chores = [asyncio.create_task(_reload(service, _hangups())), asyncio.create_task(_tidy(service))]
    if service.images.shared:
        await loading
    try:
        yield
    finally:
        service.draining = True
        for chore in chores:
            chore.cancel()
        await loading
        await asyncio.to_thread(service.close)


async def _reload(service: Service, hangup: asyncio.Event) -> None:
    seconds = service.settings.reload_s or None
    while True:
        try:
            await asyncio.wait_for(hangup.wait(), seconds)
        except TimeoutError:
            pass
        hangup.clear()
        if service.loaded:
            await asyncio.to_thread(service.reload)


async def _tidy(service: Service) -> None:
    while True:
        await asyncio.sleep(_TIDY_S)
        await asyncio.to_thread(service.images.tidy)


def _hangups() -> asyncio.Event:
    """Set at every SIGHUP, if this thread may listen to signals."""
    event = asyncio.Event()
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, event.set)
    return event


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "there is nothing at this path; /openapi.json lists what there is", 405: "see the header Allow"}
    raise problem_of_status(error.status_code, details.get(error.status_code, str(error.detail)), error.headers)


async def _validation_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(each) for each in one["loc"][1:]), "message": one["msg"]} for one in error.errors()
    ]
    raise Problem("invalid-request", f"{errors[0]['field']}: {errors[0]['message']}", errors=errors)
