"""One process of the server: uvicorn around the application."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from restr.server.app import create_app
from restr.server.http.connection import HeaderTimeoutProtocol
from restr.server.http.gate import HEADER_BYTES
from restr.server.live.camera import LiveStart
from restr.server.live.streams import LIVE_MESSAGE_BYTES
from restr.server.settings import ServerSettings

DRAIN_EXTRA = 5  # seconds beside the deadline in which a stopping server may send its last answers


def serve_one(
    settings: ServerSettings,
    *,
    listening: socket.socket | None = None,
    shared: Path | None = None,
    ready: Callable[[], None] = lambda: None,
    start: LiveStart | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status: 0, or 1 if a model does not load. Raises ``RestrError``.

    For one of several workers: listening, the socket of all workers; shared, the folder of all workers; ready, called once
    the models are loaded and connections are taken. start: what the page for live pictures begins with.
    """
    log_requests()
    app = create_app(settings, shared=shared, start=start)
    service = app.state.service

    class Server(uvicorn.Server):
        """Refuses new requests as soon as it is told to stop, and ends once the accepted ones are answered."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            service.draining = True
            self.force_exit = self.should_exit and sig == signal.SIGINT  # a second Ctrl-C
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if service.failure is None:
                ready()

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or service.failure is not None

    config = uvicorn_config(app, settings)
    Server(config).run(sockets=None if listening is None else [listening])
    return 1 if service.failure is not None else 0


def uvicorn_config(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    """How uvicorn serves the application, with the limits that are its own to keep."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HeaderTimeoutProtocol.within(settings.body_s),
        ws="websockets-sansio" if settings.live else "none",
        ws_max_size=LIVE_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # pictures are compressed already
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=int(settings.deadline_s + DRAIN_EXTRA),
    )


def log_requests() -> None:
    """Log to standard error, and nothing that clients sent."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("restr").setLevel(logging.ERROR)  # the segmenter's warnings quote expressions
    logging.getLogger("restr.server").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addFilter(lambda record: "WebSocket" not in str(record.msg))  # names clients
