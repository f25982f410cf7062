"""``restr serve``: models over HTTP, and a page for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from types import FrameType

import tyro

from restr.errors import ConfigError
from restr.server.settings import ServerSettings

DRAIN_EXTRA = 5  # seconds beside the deadline that answers have to be sent after the server was told to stop


def main(arguments: Sequence[str]) -> int:
    """Run the verb until SIGTERM or Ctrl-C; 1 where a model does not load. Raises ``RestrError``."""
    settings = tyro.cli(ServerSettings, prog="restr serve", args=list(arguments))
    try:
        import uvicorn

        from restr.server.app import create_app
        from restr.server.gate import HEADER_BYTES
        from restr.server.protocol import PatientNoMore
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed; pip install 'restr[serve]'") from error
    from restr.inference.places import described, model_folder  # torch loads here

    for place in settings.places().values():
        described(model_folder(place))  # a wrong path is said at once, not by a server that never becomes ready
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    logging.getLogger("restr").setLevel(logging.ERROR)  # the segmenter's warnings quote what clients typed
    logging.getLogger("restr.server").setLevel(logging.INFO)
    app = create_app(settings)
    service = app.state.service

    class Server(uvicorn.Server):
        """Says that it is going down as soon as it is told to."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            service.draining = True
            super().handle_exit(sig, frame)

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or service.failure is not None

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=PatientNoMore.within(settings.body_s),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=int(settings.deadline_s + DRAIN_EXTRA),
    )
    Server(config).run()
    return 1 if service.failure is not None else 0
