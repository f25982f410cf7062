"""The routes of live pictures: the page, and the websocket that it opens."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket
from starlette.responses import Response

from restr.server.http.page_files import page_file
from restr.server.live.stream import LiveStream

LIVE = APIRouter()


@LIVE.get("/live", include_in_schema=False)
async def live_page() -> Response:
    """The page for live pictures."""
    return page_file("live.html")


@LIVE.websocket("/v1/live")
async def live_stream(socket: WebSocket) -> None:
    """One viewer's stream."""
    await LiveStream(socket, socket.app.state.live).run()
