"""One process of the server: uvicorn around the application, from its first line to its last answer."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from restr.server.app import create_app
from restr.server.http.connection import HeaderTimeoutProtocol
from restr.server.http.gate import HEADER_BYTES
from restr.server.settings import ServerSettings

DRAIN_EXTRA = 5  # seconds beside the deadline that answers have to be sent after the server was told to stop


def serve_one(
    settings: ServerSettings,
    *,
    listening: socket.socket | None = None,
    shared: Path | None = None,
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Serve until SIGTERM or Ctrl-C: 0, or 1 where a model does not load. Raises ``RestrError``.

    For a worker: the socket that all listen on, the folder that all share, and whom to tell once models are loaded and
    connections are taken.
    """
    log_requests()
    app = create_app(settings, shared=shared)
    service = app.state.service

    class Server(uvicorn.Server):
        """Says that it is going down as soon as it is told to, and ends with status 0 when it has."""

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

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HeaderTimeoutProtocol.within(settings.body_s),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=int(settings.deadline_s + DRAIN_EXTRA),
    )
    Server(config).run(sockets=None if listening is None else [listening])
    return 1 if service.failure is not None else 0


def log_requests() -> None:
    """Lines go to standard error, and none of them holds what clients sent."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("restr").setLevel(logging.ERROR)  # the segmenter's warnings quote what clients typed
    logging.getLogger("restr.server").setLevel(logging.INFO)
