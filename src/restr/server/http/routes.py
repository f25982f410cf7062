"""The routes: each reads a request, has the service work on it, and writes the answer."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from restr.server.http import openapi
from restr.server.http.batch import BatchResponse
from restr.server.http.bodies import (
    NDJSON,
    NO_STORE,
    read_batch,
    read_image_upload,
    read_question,
    read_segment_upload,
    wants_png,
)  # fmt: skip
from restr.server.http.page_files import INDEX, page_file
from restr.server.jobs.answers import picture
from restr.server.jobs.deadline import Deadline
from restr.server.jobs.service import Service
from restr.server.problems import Problem
from restr.server.schemas import Answer, KeptImage, Models, Picture

API = APIRouter()
OPERATIONS = APIRouter()


async def _service(request: Request) -> Service:
    return request.app.state.service


AppService = Annotated[Service, Depends(_service)]


def _deadline(request: Request, service: Service) -> Deadline:
    return Deadline(request.receive, service.settings.deadline_s)


@API.post("/v1/images", status_code=201, response_model=KeptImage, openapi_extra=openapi.image_body(), tags=["images"])
async def keep_image(
    request: Request,
    service: AppService,
    model: Annotated[str | None, Query(description="For a plain image file as the body.")] = None,
) -> Response:
    """Encode an image and keep it for questions."""
    service.check_ready()
    data, name = await read_image_upload(request, service.settings, service.fetcher)
    async with _deadline(request, service) as deadline:
        document = await service.keep(deadline, data, name)
    location = {"Location": f"/v1/images/{document['id']}/segment"}
    return JSONResponse(document, status_code=201, headers=NO_STORE | location)


@API.post(
    "/v1/images/{id}/segment",
    response_model=Answer, response_model_exclude_unset=True, openapi_extra=openapi.question_body(), tags=["images"],
)  # fmt: skip
async def ask_image(request: Request, service: AppService, id: str) -> Response:
    """Find what expressions name in a kept image."""
    service.check_ready()
    question = await read_question(request, service.settings)
    async with _deadline(request, service) as deadline:
        outcome = await service.ask(deadline, id, question)
        return JSONResponse(await service.document(deadline, outcome), headers=NO_STORE)


@API.delete("/v1/images/{id}", status_code=204, tags=["images"])
async def forget_image(service: AppService, id: str) -> Response:
    """Forget a kept image at once."""
    await asyncio.to_thread(service.images.forget, id)
    return Response(status_code=204)


@API.post(
    "/v1/segment",
    response_model=Answer, openapi_extra=openapi.segment_body(), responses=openapi.png_answer(), tags=["segment"],
)  # fmt: skip
async def segment(
    request: Request, service: AppService, form: Annotated[Picture, Query(alias="as")] = "mask"
) -> Response:
    """Find what expressions name in an image. Accept: image/png gets one expression's picture itself."""
    service.check_ready()
    data, question = await read_segment_upload(request, service.settings, service.fetcher)
    png = wants_png(request.headers.get("accept", ""))
    if png and len(question.expressions()) != 1:
        raise Problem("invalid-request", "Accept is image/png, which shows one expression; ask for one, or for JSON")
    async with _deadline(request, service) as deadline:
        outcome = await service.ask_once(deadline, data, question.model, question)
        if png:
            content = await service.helpers.run(deadline, picture, outcome.results[0], form)
            return Response(content, media_type="image/png", headers=NO_STORE)
        return JSONResponse(await service.document(deadline, outcome), headers=NO_STORE)


@API.post(
    "/v1/batch",
    openapi_extra=openapi.batch_body(), tags=["segment"], response_class=Response,
    responses={200: {"description": "An answer or a problem a line, in order.",
                     "content": {NDJSON: {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def batch(request: Request, service: AppService) -> Response:
    """Find what expressions name in many images, a JSON document of /v1/segment on each line."""
    service.check_ready()
    return BatchResponse(service, await read_batch(request, service.settings))


@API.get("/v1/models", response_model=Models, tags=["models"])
async def models(service: AppService) -> Models:
    """The models that are served."""
    service.check_ready()
    return Models(models=[model.info(default=not i) for i, model in enumerate(service.models.values())])


@OPERATIONS.get("/", include_in_schema=False)
async def index_page() -> Response:
    """The page for people."""
    return page_file(INDEX)


@OPERATIONS.get("/static/{name:path}", include_in_schema=False)
async def static_file(name: str) -> Response:
    """One of the page's other files."""
    return page_file(name)


@OPERATIONS.get("/health/live", tags=["operations"])
async def live() -> dict[str, str]:
    """Whether the process answers."""
    return {"status": "live"}


@OPERATIONS.get("/health/ready", tags=["operations"])
async def ready(service: AppService) -> dict[str, str]:
    """Whether requests are answered: not before the models are warm, and not while the server goes down."""
    service.check_ready()
    return {"status": "ready"}


@OPERATIONS.get("/metrics", tags=["operations"], response_class=Response,
                responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
async def prometheus(service: AppService) -> Response:
    """For Prometheus."""
    await asyncio.to_thread(service.images.tidy)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")
