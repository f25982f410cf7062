"""The routes: ``create_app(settings)`` is everything behind ``restr serve``."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from restr import __version__
from restr.server.files.folder import FolderStore
from restr.server.http import openapi
from restr.server.http.bodies import (
    NDJSON,
    json_line,
    read_image_upload,
    read_line,
    read_lines,
    read_question,
    read_segment_upload,
    wants_png,
)  # fmt: skip
from restr.server.http.gate import RequestGate
from restr.server.http.page_files import INDEX, page_file
from restr.server.metrics import Metrics
from restr.server.problems import Problem, of_status
from restr.server.processes.several import IMAGES, METRICS
from restr.server.schemas import Answer, KeptImage, Models, Picture
from restr.server.settings import ServerSettings
from restr.server.work.answers import picture
from restr.server.work.deadline import Deadline
from restr.server.work.service import Service

NO_STORE = {"Cache-Control": "no-store"}
TIDY_S = 5.0  # seconds after which an image that has expired, or was forgotten through another worker, is gone


def create_app(settings: ServerSettings | None = None, *, shared: Path | None = None) -> FastAPI:
    """The ASGI application; ``app.state.service`` is what it works with. Raises ``ConfigError``.

    It answers from the start, with 503 until the models are loaded, and finishes accepted work at its end. shared: the
    folder of several workers (``workers.supervise``); one of them takes no connection before its models are loaded,
    which the others can answer meanwhile.
    """
    settings = settings or ServerSettings()
    metrics, shelf = Metrics(), None
    if shared is not None:
        metrics = Metrics(shared / METRICS)
        shelf = FolderStore(shared / IMAGES, most=settings.kept_bytes, seconds=settings.kept_s)
    service = Service(settings, metrics, shelf)
    app = FastAPI(
        title="restr", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan,
        exception_handlers={HTTPException: _http_problem, RequestValidationError: _validation_problem},
    )  # fmt: skip
    app.state.service, app.state.metrics, app.state.settings = service, metrics, settings
    app.openapi = lambda: openapi.describe(app)
    app.state.gate = RequestGate(settings, metrics)
    app.add_middleware(app.state.gate.before)  # type: ignore[arg-type]
    _add_api(app, service)
    _add_operations(app, service, metrics)
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    settings = service.settings

    def visit(request: Request) -> Deadline:
        return Deadline(request.receive, settings.deadline_s)

    @app.post(
        "/v1/images", status_code=201, response_model=KeptImage, openapi_extra=openapi.image_body(), tags=["images"]
    )
    async def keep_image(
        request: Request, model: Annotated[str | None, Query(description="For a plain image file as the body.")] = None
    ) -> Response:
        """Encode an image and keep it for questions."""
        service.check_ready()
        data, name = await read_image_upload(request, settings, service.fetcher)
        async with visit(request) as here:
            document = await service.keep(here, data, name)
        location = {"Location": f"/v1/images/{document['id']}/segment"}
        return JSONResponse(document, status_code=201, headers=NO_STORE | location)

    @app.post(
        "/v1/images/{id}/segment",
        response_model=Answer, response_model_exclude_unset=True, openapi_extra=openapi.question_body(), tags=["images"],
    )  # fmt: skip
    async def ask_image(request: Request, id: str) -> Response:
        """Find what expressions name in a kept image."""
        service.check_ready()
        question = await read_question(request, settings)
        async with visit(request) as here:
            outcome = await service.ask(here, id, question)
            return JSONResponse(await service.helped(here, outcome.document, question), headers=NO_STORE)

    @app.delete("/v1/images/{id}", status_code=204, tags=["images"])
    async def forget_image(id: str) -> Response:
        """Forget a kept image at once."""
        await asyncio.to_thread(service.forget, id)
        return Response(status_code=204)

    @app.post(
        "/v1/segment",
        response_model=Answer, openapi_extra=openapi.segment_body(), responses=openapi.png_answer(), tags=["segment"],
    )  # fmt: skip
    async def segment(request: Request, form: Annotated[Picture, Query(alias="as")] = "mask") -> Response:
        """Find what expressions name in an image. Accept: image/png gets one expression's picture itself."""
        service.check_ready()
        data, question = await read_segment_upload(request, settings, service.fetcher)
        png = wants_png(request.headers.get("accept", ""))
        if png and len(question.expressions()) != 1:
            raise Problem(
                "invalid-request", "Accept is image/png, which shows one expression; ask for one, or for JSON"
            )
        async with visit(request) as here:
            outcome = await service.ask_once(here, data, question.model, question)
            if png:
                content = await service.helped(here, picture, outcome.results[0], form)
                return Response(content, media_type="image/png", headers=NO_STORE)
            return JSONResponse(await service.helped(here, outcome.document, question), headers=NO_STORE)

    @app.post(
        "/v1/batch",
        openapi_extra=openapi.batch_body(), tags=["segment"], response_class=Response,
        responses={200: {"description": "An answer or a problem a line, in order.",
                         "content": {NDJSON: {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def batch(request: Request) -> Response:
        """Find what expressions name in many images, a JSON document of /v1/segment on each line."""
        service.check_ready()
        lines = await read_lines(request, settings)
        return _Lines(service, lines, settings)

    @app.get("/v1/models", response_model=Models, tags=["models"])
    async def models() -> Models:
        """The models that are served."""
        service.check_ready()
        return Models(models=[model.info(default=not i) for i, model in enumerate(service.models.values())])


def _add_operations(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return page_file(INDEX)

    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(name: str) -> Response:
        return page_file(name)

    @app.get("/health/live", tags=["operations"])
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "live"}

    @app.get("/health/ready", tags=["operations"])
    async def ready() -> dict[str, str]:
        """Whether requests are answered: not before the models are warm, and not while the server goes down."""
        service.check_ready()
        return {"status": "ready"}

    @app.get("/metrics", tags=["operations"], response_class=Response,
             responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def prometheus() -> Response:
        """For Prometheus."""
        await asyncio.to_thread(service.tidy)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")


class _Lines(Response):
    """The answers to a batch's lines, sent as they are ready."""

    media_type = NDJSON

    def __init__(self, service: Service, lines: list[bytes], settings: ServerSettings) -> None:
        super().__init__(headers=NO_STORE)
        self.service, self.lines, self.settings = service, lines, settings
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with Deadline(receive, self.settings.deadline_s) as visit:
            for line in self.lines:
                try:
                    answer: Any = await self._answer(visit, line)
                except Problem as problem:
                    if problem.name == "client-gone":
                        return
                    answer = problem.with_traceback(None).document()  # as in the gate
                await send({"type": "http.response.body", "body": json_line(answer), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, visit: Deadline, line: bytes) -> dict[str, Any]:
        data, question = await read_line(line, self.service.fetcher)
        visit.again()  # each line has the whole time for its work
        while True:
            try:
                outcome = await self.service.ask_once(visit, data, question.model, question)
                return await self.service.helped(visit, outcome.document, question)
            except Problem as problem:
                if problem.name != "queue-full":  # a batch was accepted as a whole, and waits for its turn
                    raise
            await visit.pause(0.05)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load in the background, look for changed models, forget what has expired, drain at the end."""
    service: Service = app.state.service
    loading = asyncio.create_task(asyncio.to_thread(service.load))
    chores = [asyncio.create_task(_reload(service, _hangups())), asyncio.create_task(_tidy(service))]
    if service.shelf is not None:  # one of several workers
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
        await asyncio.sleep(TIDY_S)
        await asyncio.to_thread(service.tidy)


def _hangups() -> asyncio.Event:
    """Set at every SIGHUP, where this thread may listen to signals."""
    event = asyncio.Event()
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, event.set)
    return event


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "there is nothing at this path; /openapi.json lists what there is", 405: "see the header Allow"}
    raise of_status(error.status_code, details.get(error.status_code, str(error.detail)), error.headers)


async def _validation_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(each) for each in one["loc"][1:]), "message": one["msg"]} for one in error.errors()
    ]
    raise Problem("invalid-request", f"{errors[0]['field']}: {errors[0]['message']}", errors=errors)
